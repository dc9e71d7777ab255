"""Makes keys for different purposes from the secret of a shop; from two while it changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from emporion.kernel.errors import Internal

KEY_BYTES = 64
SETTING: Final = "privacy_key"
OTHER_SETTING: Final = "privacy_key_other"
SETTINGS: Final = frozenset({SETTING, OTHER_SETTING})
_NAME: Final = "name of a privacy key"
_NAME_BYTES: Final = 8


class WrongPrivacyKey(Internal):
    """What was stored needs a `privacy_key` that we do not have: ours is another one."""

    slug = "wrong-privacy-key"
    title = "The keys of people cannot be read with this privacy_key"


def derived(secret: str, purpose: str) -> bytes:
    """64 bytes that tell nothing of the secret, nor of those for another purpose (RFC 5869)."""
    kdf = HKDF(algorithm=SHA512(), length=KEY_BYTES, salt=None, info=purpose.encode())
    return kdf.derive(secret.encode())


def name_of(secret: str) -> str:
    """16 hex digits by which what a secret made is recognised; they tell nothing of it."""
    return derived(secret, _NAME)[:_NAME_BYTES].hex()


@dataclass(frozen=True, slots=True)
class PrivacyKeys:
    """The secret that everything new is made with, and another that is good for reading.

    The other one is that from before, while what it made is made again; or that which is to come,
    so that an instance can read what others write that have it already. Empty: there is none.
    """

    current: str = field(repr=False)
    other: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        """From the settings of a service. Raises KeyError without a privacy_key."""
        current, other = settings[SETTING], settings.get(OTHER_SETTING, "")
        return cls(current, "" if other == current else other)

    @property
    def all(self) -> tuple[str, ...]:
        """The current one first."""
        return (self.current, self.other) if self.other else (self.current,)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all, the current one's first."""
        return tuple(name_of(secret) for secret in self.all)

    def require_known(self, names: frozenset[str], what: str) -> None:
        """Raises WrongPrivacyKey when something was made with a secret that is none of these.

        The empty name is that of what was made before names were written down.
        """
        if names - {"", *self.names}:
            raise WrongPrivacyKey(f"{what} made with a secret that is not set any more, or not yet")
