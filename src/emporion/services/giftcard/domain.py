"""The rules of gift cards: codes, what a card can bear, and how guesses are slowed down."""

import hashlib
import hmac
from enum import StrEnum
from typing import Final, NamedTuple

from emporion.kernel.ids import GiftCardId, OrderId

SECOND_MS: Final = 1_000
DAY_MS: Final = 24 * 3_600 * SECOND_MS
FOREVER_MS: Final = 2**62
"""The expiry of a card that has none."""
GRACE_MS: Final = 90 * DAY_MS
"""How long an expired card is good once more when money comes back to it."""
BALANCE_MINOR_MAX: Final = 10**11

# --- codes ---------------------------------------------------------------------------------------

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that looks like a digit."""
_ALIKE: Final = str.maketrans("OIL", "011", " -")
_LENGTH: Final = 20
_GROUP: Final = 4
_NAME_LENGTH: Final = 16


def new_code(secret: str) -> str:
    """A code of 100 bits, made from a secret that holds at least as many."""
    digest = hashlib.blake2b(secret.encode(), digest_size=16).digest()
    number = int.from_bytes(digest, "big")
    return "".join(_ALPHABET[number >> (5 * place) & 31] for place in range(_LENGTH))


def shown(code: str) -> str:
    """A code in groups, as people read it."""
    return "-".join(code[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def normal_code(text: str) -> str:
    """A code as typed by somebody: cases, gaps, and letters that look like digits are alike."""
    return text.upper().translate(_ALIKE)


def ending(code: str) -> str:
    """What of a code is kept in clear, so that people can tell cards apart."""
    return code[-_GROUP:]


class CodeKey:
    """Hashes codes, so that whoever reads the database has none. Without a key it is no key."""

    def __init__(self, key: str) -> None:
        self.is_set = bool(key)
        self._key = hashlib.sha256(key.encode()).digest()

    def hash(self, code: str) -> str:
        """64 hex digits, the same for the same code."""
        return hashlib.blake2b(code.encode(), key=self._key, digest_size=32).hexdigest()


def name_of(code_hash: str) -> str:
    """The part of a hash that a card is looked up by."""
    return code_hash[:_NAME_LENGTH]


def is_same(code_hash: str, other: str) -> bool:
    """Whether two hashes are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(code_hash, other)


# --- cards ---------------------------------------------------------------------------------------


class Status(StrEnum):
    """Whether a card can be spent."""

    ACTIVE = "active"
    EXPIRED = "expired"
    VOID = "void"


class Kind(StrEnum):
    """Why a balance changed."""

    ISSUED = "issued"
    SPENT = "spent"
    UNDONE = "undone"
    RETURNED = "returned"
    EXPIRED = "expired"
    VOIDED = "voided"
    ADJUSTED = "adjusted"


class Obstacle(StrEnum):
    """Why a card cannot be spent."""

    EXPIRED = "expired"
    VOID = "void"
    NOT_ENOUGH = "not enough"


class Card(NamedTuple):
    """A card. `version` counts the entries of its ledger."""

    card_id: GiftCardId
    code_hash: str
    ending: str
    currency: str
    balance_minor: int
    status: Status
    expires_at_ms: int
    version: int
    note: str
    issued_at_ms: int
    issued_by: str

    def standing(self, now_ms: int) -> Status:
        """Its status, also when its time is over and nobody has written that down yet."""
        return Status.EXPIRED if self.is_overdue(now_ms) else self.status

    def is_overdue(self, now_ms: int) -> bool:
        """Whether its time is over, and what is on it still has to be written off."""
        return self.status is Status.ACTIVE and self.expires_at_ms <= now_ms

    def obstacle(self, amount_minor: int, now_ms: int) -> Obstacle | None:
        """What keeps so much from being taken off it."""
        match self.standing(now_ms):
            case Status.VOID:
                return Obstacle.VOID
            case Status.EXPIRED:
                return Obstacle.EXPIRED
            case Status.ACTIVE:
                return Obstacle.NOT_ENOUGH if amount_minor > self.balance_minor else None

    def revived(self, now_ms: int) -> "Card":
        """What it is when money comes back to it: an expired one is good for a while.

        An overdue one is written off before that: or else it would keep what it held.
        """
        if self.status is not Status.EXPIRED:
            return self
        return self._replace(status=Status.ACTIVE, expires_at_ms=now_ms + GRACE_MS)


class Why(NamedTuple):
    """What an entry of a card's ledger says beside its amount."""

    kind: Kind
    at_ms: int
    order_id: OrderId | str = ""
    reason: str = ""
    actor: str = ""


class Entry(NamedTuple):
    """A change of a card's balance: the `version`-th, to `balance_minor`."""

    version: int
    amount_minor: int
    balance_minor: int
    why: Why


# --- what orders took ----------------------------------------------------------------------------


class Share(NamedTuple):
    """So much of a card."""

    card_id: GiftCardId
    amount_minor: int


class Spending(NamedTuple):
    """What an order took from a card, and what of it came back."""

    card_id: GiftCardId
    amount_minor: int
    undone_minor: int = 0
    returned_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What has not come back."""
        return self.amount_minor - self.undone_minor - self.returned_minor

    def undone(self) -> "Spending":
        """All that was left of it came back."""
        return self._replace(undone_minor=self.undone_minor + self.left_minor)

    def returned(self, amount_minor: int) -> "Spending":
        """So much more of it came back by a return."""
        return self._replace(returned_minor=self.returned_minor + amount_minor)


# --- guesses -------------------------------------------------------------------------------------

FREE_GUESSES: Final = 5
PAUSE_S_MAX: Final = 900
FORGET_GUESSES_MS: Final = DAY_MS
_DOUBLINGS_MAX: Final = 10


class Guesses(NamedTuple):
    """Codes that somebody tried and that do not exist."""

    number: int = 0
    blocked_until_ms: int = 0
    forgotten_at_ms: int = 0

    def wait_s(self, now_ms: int) -> int:
        """Whole seconds until the next code is looked at; 0: now."""
        return max(0, -(-(self.blocked_until_ms - now_ms) // SECOND_MS))

    def another(self, now_ms: int) -> "Guesses":
        """One more, now: no pause after the first few, then one that doubles from 1 s."""
        number = 1 + (self.number if now_ms < self.forgotten_at_ms else 0)
        doublings = min(number - FREE_GUESSES, _DOUBLINGS_MAX)
        pause_s = min(PAUSE_S_MAX, 1 << doublings) if doublings >= 0 else 0
        return Guesses(number, now_ms + pause_s * SECOND_MS, now_ms + FORGET_GUESSES_MS)
