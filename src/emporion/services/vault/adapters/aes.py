"""Wraps keys with AES-SIV (RFC 5297), under a key made from the shop's secret."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from emporion.chassis.sealing.secret import PrivacyKeys, WrongPrivacyKey, derived
from emporion.kernel.ids import UserId

PURPOSE: Final = "wrapping the keys of people"


class AesWrapping:
    """Wrapping (the port). The person's id is authenticated with their key."""

    def __init__(self, secrets: PrivacyKeys) -> None:
        self._secrets = secrets
        self._ciphers = [AESSIV(derived(secret, PURPOSE)) for secret in secrets.all]
        self.name = secrets.names[0]

    def wrap(self, person_id: UserId, key: bytes) -> bytes:
        return self._ciphers[0].encrypt(key, [person_id.encode()])

    def unwrap(self, person_id: UserId, wrapped: bytes) -> bytes:
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(wrapped, [person_id.encode()])
            except InvalidTag:
                continue  # wrapped with the other secret, or with none that we have
        raise WrongPrivacyKey(f"{person_id}: wrapped with another secret")

    def require_known(self, names: frozenset[str]) -> None:
        self._secrets.require_known(names, "the keys of some people were")
