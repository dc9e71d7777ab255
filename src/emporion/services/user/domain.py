"""The rules of accounts: addresses, passwords, roles, sessions and throttling."""

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

from emporion.kernel.errors import InvalidArgument
from emporion.kernel.ids import UserId

SECOND_MS: Final = 1_000
DAY_MS: Final = 24 * 3_600 * SECOND_MS

# --- who -----------------------------------------------------------------------------------------


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
    """An address by which an account is looked for: its index, and how it was stored before."""

    index: str
    former: str

    @property
    def hash(self) -> bytes:
        """What failed sign-ins are counted under, whether or not an account has the address."""
        return bytes.fromhex(self.index)


class AddressIndex:
    """Makes addresses findable, not readable: HMAC-SHA-256 with a secret of the shop's."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, email: EmailAddress) -> Sought:
        """How its account is found."""
        return self._sought(email.key)

    def of_stored(self, address: str) -> Sought:
        """The same, from what an account is stored under."""
        return self._sought(address) if "@" in address else Sought(address, address)

    def _sought(self, key: str) -> Sought:
        return Sought(hmac.new(self._key, key.encode(), hashlib.sha256).hexdigest(), key)


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


# --- sessions ------------------------------------------------------------------------------------

SESSION_IDLE_MS: Final = 30 * DAY_MS
"""A session that is not refreshed for this long is over."""
SESSION_AGE_MS_MAX: Final = 180 * DAY_MS
"""However busy, it is over then: sign in again."""
SESSIONS_PER_ACCOUNT_MAX: Final = 50
SESSION_ID_BYTES: Final = 16
SECRET_BYTES: Final = 32
REFRESH_TOKEN_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class RefreshSecret:
    """A refresh token taken apart: the session it names, and the secret that proves it.

    The text is `<session id>.<secret>`, both unguessable; of the secret only a hash is stored.
    """

    session_id: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The parts of a refresh token, or None when it cannot be one of ours."""
        session_id, dot, secret = text.partition(".")
        if not (session_id and dot and secret) or len(text) > REFRESH_TOKEN_LENGTH_MAX:
            return None
        return cls(session_id, secret) if text.isascii() else None

    @property
    def text(self) -> str:
        """What the client keeps."""
        return f"{self.session_id}.{self.secret}"

    @property
    def hash(self) -> bytes:
        """What we keep: SHA-256. Unsalted is enough for 256 random bits."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Session:
    """A family of refresh tokens, of which exactly one is good: the last one issued.

    There is no grace for a spent token. Answering it with the same successor would let a quick
    thief share the session for ever; refusing it without ending the session would hide the
    theft. So two clients that refresh one token at once lose the session: a client refreshes
    from one place at a time.
    """

    session_id: str
    user_id: UserId
    token_hash: bytes = field(repr=False)
    started_at_ms: int
    expires_at_ms: int

    @classmethod
    def start(cls, user_id: UserId, token: RefreshSecret, now_ms: int) -> Self:
        """A new session whose one good token is `token`."""
        return cls(token.session_id, user_id, token.hash, now_ms, now_ms + SESSION_IDLE_MS)

    def accepts(self, token: RefreshSecret, now_ms: int) -> bool:
        """Whether it is the one good token, in time. If it is not, the session must end."""
        is_same = hmac.compare_digest(self.token_hash, token.hash)
        return is_same and now_ms < self.expires_at_ms

    def rotate(self, successor: RefreshSecret, now_ms: int) -> "Session":
        """The session with `successor` as its one good token."""
        end_ms = min(now_ms + SESSION_IDLE_MS, self.started_at_ms + SESSION_AGE_MS_MAX)
        return replace(self, token_hash=successor.hash, expires_at_ms=end_ms)


# --- throttling ----------------------------------------------------------------------------------

FREE_FAILURES: Final = 5
DELAY_S_MAX: Final = 900
FORGET_FAILURES_MS: Final = DAY_MS
_DOUBLINGS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Attempts:
    """Sign-ins with one address that have not succeeded (yet).

    An attempt counts as failed before its password is looked at, and is forgiven when it turns
    out right: so guesses sent all at once are throttled like guesses in a row. The price is that
    anybody can delay an owner's next sign-in, by at most DELAY_S_MAX.
    """

    failures: int = 0
    blocked_until_ms: int = 0
    forgotten_at_ms: int = 0

    def wait_s(self, now_ms: int) -> int:
        """Whole seconds until the next attempt is looked at; 0: now."""
        return max(0, -(-(self.blocked_until_ms - now_ms) // SECOND_MS))

    def another(self, now_ms: int) -> "Attempts":
        """One more attempt, now."""
        failures = 1 + (self.failures if now_ms < self.forgotten_at_ms else 0)
        until_ms = now_ms + delay_s(failures) * SECOND_MS
        return Attempts(failures, until_ms, now_ms + FORGET_FAILURES_MS)


def delay_s(failures: int) -> int:
    """The pause after that many failures: none for the first few, then doubling from 1 s."""
    if failures < FREE_FAILURES:
        return 0
    return min(DELAY_S_MAX, 1 << min(failures - FREE_FAILURES, _DOUBLINGS_MAX))
