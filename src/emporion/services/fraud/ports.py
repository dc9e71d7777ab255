"""What fraud needs from outside: where trails, screenings, reviews and rules are kept."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from emporion.chassis.data.database import Tx
from emporion.services.fraud.domain.facts import Facts, Trail
from emporion.services.fraud.domain.judging import Fired
from emporion.services.fraud.domain.review import Status
from emporion.services.fraud.domain.rules import RuleSet


class StoredScreening(msgspec.Struct, frozen=True, gc=False):
    """A screening's row. Instants in ms since the epoch."""

    order_id: str
    user_id: str
    amount_minor: int
    currency: str
    is_held: bool
    score: int
    threshold: int
    rules_version: int
    fired: tuple[Fired, ...]
    facts: Facts
    screened_at_ms: int


class StoredReview(msgspec.Struct, frozen=True, gc=False):
    """A review's row. `decided_by`, and `reason`, sealed, are empty until it is decided."""

    order_id: str
    user_id: str
    amount_minor: int
    currency: str
    score: int
    status: Status
    opened_at_ms: int
    decided_at_ms: int | None = None
    decided_by: str = ""
    reason: str = ""


class StoredRules(msgspec.Struct, frozen=True, gc=False):
    """A version of the rules; version 0 is the shipped one and was stored by nobody."""

    version: int
    rule_set: RuleSet
    stored_at_ms: int | None = None
    stored_by: str = ""
    note: str = ""


class Replayed(msgspec.Struct, frozen=True, gc=False):
    """What a back-test needs of a past screening; `review` is None when it was never on hold."""

    order_id: str
    facts: Facts
    is_held: bool
    review: Status | None


class PageOfScreenings(msgspec.Struct, frozen=True, gc=False):
    """Which screenings: of an order below `before`, newest order first."""

    before: str
    limit: int
    is_held: bool | None = None
    user_id: str | None = None


class PageOfReviews(msgspec.Struct, frozen=True, gc=False):
    """Which reviews: after the instant and order id of `after`, the longest waiting first."""

    status: Status
    after: tuple[int, str]
    limit: int
    user_id: str | None = None


class ScreeningStore(Protocol):
    """Trails, screenings and reviews. Every method raises what the transaction raises."""

    async def screened(self, tx: Tx, order_ids: Sequence[str]) -> set[str]:
        """Which of these orders have a screening.

        Others that screen wait until this transaction ends: trails change in one place at a time.
        """
        ...

    async def trails(self, tx: Tx, subjects: Sequence[str]) -> dict[str, Trail]:
        """What is remembered of each; an empty trail where there is nothing."""
        ...

    async def save_trails(self, tx: Tx, trails: Mapping[str, Trail]) -> None:
        """Remember."""
        ...

    async def add(self, tx: Tx, screenings: Sequence[StoredScreening]) -> None:
        """Keep screenings; open a review for each that is held."""
        ...

    async def withdraw(self, tx: Tx, order_ids: Sequence[str], *, at_ms: int) -> None:
        """The reviews of these orders that are open are over: there is nothing to decide."""
        ...

    async def screening(self, tx: Tx, order_id: str) -> StoredScreening | None:
        """One screening, or None."""
        ...

    async def screenings(self, tx: Tx, wanted: PageOfScreenings) -> list[StoredScreening]:
        """A page of them."""
        ...

    async def review(self, tx: Tx, order_id: str) -> StoredReview | None:
        """One review, or None."""
        ...

    async def review_to_decide(self, tx: Tx, order_id: str) -> StoredReview | None:
        """One review, or None; nobody else changes it until the transaction ends."""
        ...

    async def reviews(self, tx: Tx, wanted: PageOfReviews) -> list[StoredReview]:
        """A page of them."""
        ...

    async def save_review(self, tx: Tx, review: StoredReview) -> None:
        """Write down what was decided."""
        ...

    async def replayed(self, tx: Tx, *, after: str, limit: int) -> list[Replayed]:
        """Past screenings above an order id, the oldest order first."""
        ...


class RuleBook(Protocol):
    """The versions of the rules. Every method raises what the transaction raises."""

    async def current(self, tx: Tx) -> StoredRules:
        """The newest version; the shipped one when none was stored."""
        ...

    async def version(self, tx: Tx, version: int) -> StoredRules | None:
        """That version, or None."""
        ...

    async def add(self, tx: Tx, rules: StoredRules) -> None:
        """Store a version; raises UniqueViolation when there is one of that number."""
        ...
