"""A sealed text: what it says only with the key of the person it is about.

AES-256-SIV (RFC 5297) authenticates the person and the field with it: a sealed text put into
another row or field does not open. It needs no nonce, and the same text of the same person in the
same field is sealed the same way: so a command that is repeated stores the same bytes. Its price:
who reads the database sees that two such texts are equal, and how long they are.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from emporion.kernel.errors import Internal

MARK: Final = "\x1e1:"
"""Begins a sealed text, with its version. Nobody may enter a text with a control character."""
ERASED: Final = "erased"
"""What stands in place of a text whose key was destroyed."""


class SealBroken(Internal):
    """A sealed text was changed, or belongs to another person or field."""

    slug = "seal-broken"
    title = "A sealed text does not open"


def is_sealed(text: str) -> bool:
    """Whether it is a sealed text, and not one from before texts were sealed."""
    return text.startswith(MARK)


class Cipher:
    """Seals and opens texts of one person."""

    def __init__(self, person_id: str, key: bytes) -> None:
        self._person = person_id.encode()
        self._cipher = AESSIV(key)

    def seal(self, field: str, text: str) -> str:
        """The text, sealed."""
        sealed = self._cipher.encrypt(text.encode(), [self._person, field.encode()])
        return MARK + urlsafe_b64encode(sealed).decode()

    def open(self, field: str, text: str) -> str:
        """What a sealed text says. Raises SealBroken."""
        try:
            sealed = urlsafe_b64decode(text[len(MARK) :])
            return self._cipher.decrypt(sealed, [self._person, field.encode()]).decode()
        except (InvalidTag, ValueError):
            raise SealBroken(f"a sealed {field} of {self._person.decode()}") from None
