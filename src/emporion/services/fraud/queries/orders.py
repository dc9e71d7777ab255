"""Screenings and their reasons, and the queue of reviews."""

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.sealing.notes import SealedNotes
from emporion.contracts import fraud as contract
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ORDER, OrderId, UserId, has_prefix
from emporion.kernel.money import Money
from emporion.services.fraud.domain.judging import Fired
from emporion.services.fraud.domain.review import Status
from emporion.services.fraud.ports import (
    PageOfReviews,
    PageOfScreenings,
    ScreeningStore,
    StoredReview,
    StoredScreening,
)

_AFTER_ALL_IDS = "~"
_DIGITS_MAX = 18


class Queries:
    """Reads of what is committed."""

    def __init__(self, database: Database, store: ScreeningStore, notes: SealedNotes) -> None:
        self._database = database
        self._store = store
        self._notes = notes

    async def screening(self, order_id: OrderId) -> contract.Screening:
        """How an order was judged, and why. Raises NotFound."""

        async def work(tx: Tx) -> StoredScreening | None:
            return await self._store.screening(tx, order_id)

        stored = await self._database.read(work)
        if stored is None:
            raise NotFound(f"the order {order_id} was not screened")
        return _screening(stored)

    async def screenings(self, request: contract.ListScreenings) -> contract.ScreeningPage:
        """A page, newest order first. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, ORDER):
            raise UnknownCursor
        wanted = PageOfScreenings(
            request.cursor or _AFTER_ALL_IDS,
            request.limit + 1,
            None if request.verdict is None else request.verdict is contract.Verdict.HOLD,
            request.user_id,
        )

        async def work(tx: Tx) -> list[StoredScreening]:
            return await self._store.screenings(tx, wanted)

        found = await self._database.read(work)
        page = found[: request.limit]
        return contract.ScreeningPage(
            screenings=[_screening(each) for each in page],
            next_cursor=page[-1].order_id if len(found) > request.limit else "",
        )

    async def review(self, order_id: OrderId) -> contract.Review:
        """An order on hold, or that was, with the reasons.

        Raises NotFound, and what asking for keys raises.
        """

        async def work(tx: Tx) -> tuple[StoredReview | None, StoredScreening | None]:
            review = await self._store.review(tx, order_id)
            return review, await self._store.screening(tx, order_id)

        review, screening = await self._database.read(work)
        if review is None or screening is None:
            raise NotFound(f"the order {order_id} was never on hold")
        reason = await self._notes.opened(UserId(review.user_id), review.reason)
        return _review(review, screening, reason)

    async def reviews(self, request: contract.ListReviews) -> contract.ReviewPage:
        """A page, the longest waiting first. Raises UnknownCursor."""
        wanted = PageOfReviews(
            Status(request.status.value),
            _after(request.cursor),
            request.limit + 1,
            request.user_id,
        )

        async def work(tx: Tx) -> list[StoredReview]:
            return await self._store.reviews(tx, wanted)

        found = await self._database.read(work)
        page = found[: request.limit]
        return contract.ReviewPage(
            reviews=[_waiting(each) for each in page],
            next_cursor=_cursor(page[-1]) if len(found) > request.limit else "",
        )


def _cursor(review: StoredReview) -> str:
    return f"{review.opened_at_ms}.{review.order_id}"


def _after(cursor: str) -> tuple[int, str]:
    """The instant and order behind which a page begins. Raises UnknownCursor."""
    if not cursor:
        return 0, ""
    digits, _, order_id = cursor.partition(".")
    is_instant = digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS_MAX
    if not is_instant or not has_prefix(order_id, ORDER):
        raise UnknownCursor
    return int(digits), order_id


def _verdict(stored: StoredScreening) -> contract.Verdict:
    return contract.Verdict.HOLD if stored.is_held else contract.Verdict.CLEAR


def _screening(stored: StoredScreening) -> contract.Screening:
    return contract.Screening(
        order_id=OrderId(stored.order_id),
        user_id=UserId(stored.user_id),
        amount=Money(stored.amount_minor, stored.currency),
        verdict=_verdict(stored),
        score=stored.score,
        threshold=stored.threshold,
        rules_version=stored.rules_version,
        fired=[_fired(each) for each in stored.fired],
        screened_at=to_datetime(stored.screened_at_ms),
    )


def _fired(each: Fired) -> contract.FiredRule:
    return contract.FiredRule(
        name=each.name,
        kind=contract.RuleKind(each.kind.value),
        weight=each.weight,
        observed=each.observed,
        limit=each.limit,
        says=each.says,
    )


def _waiting(stored: StoredReview) -> contract.ReviewSummary:
    return contract.ReviewSummary(
        order_id=OrderId(stored.order_id),
        user_id=UserId(stored.user_id),
        amount=Money(stored.amount_minor, stored.currency),
        score=stored.score,
        status=contract.ReviewStatus(stored.status.value),
        opened_at=to_datetime(stored.opened_at_ms),
    )


def _review(stored: StoredReview, screening: StoredScreening, reason: str) -> contract.Review:
    decided_at_ms = stored.decided_at_ms
    return contract.Review(
        screening=_screening(screening),
        status=contract.ReviewStatus(stored.status.value),
        opened_at=to_datetime(stored.opened_at_ms),
        decided_at=None if decided_at_ms is None else to_datetime(decided_at_ms),
        decided_by=stored.decided_by,
        reason=reason,
    )
