"""Wraps keys with AES-SIV (RFC 5297), under a key made from the shop's secret."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from emporion.chassis.sealing.secret import derived
from emporion.kernel.errors import Internal
from emporion.kernel.ids import UserId

PURPOSE: Final = "wrapping the keys of people"


class WrongPrivacyKey(Internal):
    """A key cannot be unwrapped: `privacy_key` is another one than when it was made."""

    slug = "wrong-privacy-key"
    title = "The keys of people cannot be read with this privacy_key"


class AesWrapping:
    """Wrapping (the port). The person's id is authenticated with their key."""

    def __init__(self, secret: str) -> None:
        self._cipher = AESSIV(derived(secret, PURPOSE))

    def wrap(self, person_id: UserId, key: bytes) -> bytes:
        return self._cipher.encrypt(key, [person_id.encode()])

    def unwrap(self, person_id: UserId, wrapped: bytes) -> bytes:
        try:
            return self._cipher.decrypt(wrapped, [person_id.encode()])
        except InvalidTag:
            raise WrongPrivacyKey(f"{person_id}: wrapped with another secret") from None
