"""Who somebody is: addresses, names, passwords, roles."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from emporion.kernel.errors import InvalidArgument
from emporion.kernel.ids import UserId

_WORD: Final = re.compile(r"\w+")


class Role(StrEnum):
    """What somebody is to the shop."""

    CUSTOMER = "customer"
    OPERATOR = "operator"


_CUSTOMER: Final = ("profile", "orders:read", "orders:write")
SCOPES: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.CUSTOMER: _CUSTOMER,
    Role.OPERATOR: (
        *_CUSTOMER,
        "catalog:write",
        "inventory:read",
        "inventory:write",
        "payments:read",
        "payments:write",
        "mails:read",
        "analytics:read",
        "shipping:read",
        "shipping:write",
        "fraud:read",
        "fraud:write",
        "returns:read",
        "returns:write",
        "webhooks:read",
        "webhooks:write",
        "giftcards:read",
        "giftcards:write",
        "operations:read",
        "operations:write",
        "faults:write",
        "operators:write",
        "users:write",
    ),
}
"""What a token of each role grants. A changed role shows in the next token, not in the current."""

EMAIL_LENGTH_MAX: Final = 254
NAME_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An address as we write to it, and the key under which it exists once.

    `text` keeps the local part as given, for some servers tell its cases apart; `key` folds all
    of it, for people do not.
    """

    text: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Trim and normalise. Raises InvalidArgument for what is no address."""
        written = unicodedata.normalize("NFC", text.strip())
        local, at, domain = written.rpartition("@")
        if not (local and at and domain) or len(written) > EMAIL_LENGTH_MAX or _is_unsafe(written):
            raise InvalidArgument("this is not an e-mail address", field="email")
        text = f"{local}@{domain.casefold()}"
        return cls(text, text.casefold())


@dataclass(frozen=True, slots=True)
class Sought:
    """An address by which an account is looked for: its index, and how else it may be stored.

    Args:
        former: the address itself, as accounts from before were stored under it.
        other: its index with the other secret, while there are two; else the same as `index`.
    """

    index: str
    former: str
    other: str

    @property
    def hash(self) -> bytes:
        """What failed sign-ins are counted under, whether or not an account has the address."""
        return bytes.fromhex(self.index)


class AddressIndex:
    """Makes addresses findable, not readable: HMAC-SHA-256 with a secret of the shop's.

    Args:
        name: of the secret.
        key, other: made from it, and from the other secret while there are two.
    """

    def __init__(self, name: str, key: bytes, other: bytes | None = None) -> None:
        self.name = name
        self._key = key
        self._other = other or key

    @property
    def is_changing(self) -> bool:
        """Whether an account may be stored under either of two indices."""
        return self._other != self._key

    def of(self, email: EmailAddress) -> Sought:
        """How its account is found."""
        return self._sought(email.key)

    def of_stored(self, address: str) -> Sought:
        """The same, from what an account is stored under."""
        return self._sought(address) if "@" in address else Sought(address, address, address)

    def _sought(self, key: str) -> Sought:
        return Sought(_hmac(self._key, key), key, _hmac(self._other, key))


def _hmac(key: bytes, address: str) -> str:
    return hmac.new(key, address.encode(), hashlib.sha256).hexdigest()


def display_name(text: str) -> str:
    """A name fit for a page and a mail header. Raises InvalidArgument for any other."""
    name = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(name) <= NAME_LENGTH_MAX or any(map(_is_control, name)):
        raise InvalidArgument("a name is 1 to 200 printable characters", field="name")
    return name


def _is_unsafe(text: str) -> bool:
    return any(char.isspace() or _is_control(char) or char in ',;<>"' for char in text)


def _is_control(char: str) -> bool:
    """Control characters, separators of lines, and halves of surrogate pairs."""
    return unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}


PASSWORD_LENGTH_MIN: Final = 10
PASSWORD_LENGTH_MAX: Final = 200


def typed_password(text: str) -> str:
    """The same characters whichever keyboard typed them (NFKC, as NIST SP 800-63B advises)."""
    return unicodedata.normalize("NFKC", text)


def chosen_password(text: str) -> str:
    """A new password, normalised. Raises InvalidArgument when it is too short or too long."""
    if not PASSWORD_LENGTH_MIN <= len(text) <= PASSWORD_LENGTH_MAX:
        raise InvalidArgument("a password has 10 to 200 characters", field="password")
    return typed_password(text)


@dataclass(frozen=True, slots=True)
class Preferences:
    """How the shop talks to a person."""

    locale: str = "en"
    time_zone: str = "UTC"
    wants_news: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in, as stored.

    Args:
        address: the index of its e-mail address, or that itself in an account from before.
        indexed_by: the name of the secret of that index; empty: from before names were kept.
        email, name: sealed, or readable in an account from before.
    """

    user_id: UserId
    address: str
    email: str
    name: str
    role: Role
    password_hash: str = field(repr=False)
    preferences: Preferences
    created_at_ms: int
    indexed_by: str = ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What its tokens grant."""
        return SCOPES[self.role]


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and who that is."""

    account: Account
    email: str = field(repr=False)
    name: str = field(repr=False)


_TELLING_LENGTH_MIN: Final = 3


def names(person: Person, text: str) -> bool:
    """Whether a text has the person's address in it, or a longer word of their name."""
    said, name = text.casefold(), person.name.casefold()
    words = {word for word in _WORD.findall(name) if len(word) >= _TELLING_LENGTH_MIN}
    return person.email.casefold() in said or not words.isdisjoint(_WORD.findall(said))
