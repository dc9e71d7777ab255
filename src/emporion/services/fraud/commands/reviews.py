"""What staff decide about orders on hold."""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.fraud import AlreadyDecided, Decide, Decision, ReviewDecided
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import OrderId
from emporion.services.fraud.domain.review import Act, Status, after
from emporion.services.fraud.ports import ScreeningStore, StoredReview


class Reviews:
    """Decides reviews, each once; the first reason and name stand."""

    def __init__(self, database: Database, store: ScreeningStore, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    async def release(self, request: Decide, actor: str) -> None:
        """Let an order go. Raises NotFound or AlreadyDecided."""

        async def work(tx: Tx) -> None:
            await self.decide(tx, request, Act.RELEASE, actor=actor)

        await self._database.transaction(work)

    async def decide(self, tx: Tx, request: Decide, act: Act, *, actor: str) -> None:
        """Decide an open review and announce it; deciding the same again changes nothing.

        Raises NotFound or AlreadyDecided.
        """
        review = await self._store.review_to_decide(tx, request.order_id)
        if review is None:
            raise NotFound(f"the order {request.order_id} was never on hold")
        status = after(review.status, act)
        if status is None:
            raise AlreadyDecided(f"it was {review.status} before", status=review.status)
        if review.status is not Status.OPEN:
            return
        now_ms = self._clock.now_ms()
        await self._store.save_review(
            tx, _decided(review, status, now_ms, actor=actor, reason=request.reason)
        )
        await tx.publish(
            ReviewDecided(
                order_id=OrderId(review.order_id),
                decision=Decision(act.value),
                decided_at=to_datetime(now_ms),
            )
        )


def _decided(
    review: StoredReview, status: Status, now_ms: int, *, actor: str, reason: str
) -> StoredReview:
    return StoredReview(
        review.order_id,
        review.user_id,
        review.amount_minor,
        review.currency,
        review.score,
        status,
        review.opened_at_ms,
        now_ms,
        actor,
        reason,
    )
