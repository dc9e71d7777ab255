"""What staff decide about orders on hold."""

from dataclasses import dataclass

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.definition import Saga
from emporion.chassis.saga.port import Sagas, SagaState, Start
from emporion.chassis.sealing.notes import SealedNotes
from emporion.contracts.contract import Message
from emporion.contracts.fraud import AlreadyDecided, Decide, Decision, ReviewDecided
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import EmporionError, NotFound
from emporion.kernel.ids import OrderId, UserId
from emporion.services.fraud.domain.review import Act, Status, after
from emporion.services.fraud.ports import ScreeningStore, StoredReview

WAIT_S = 8.0
"""How long a rejection waits until the order is called off."""
REJECTION = "sgr"


class Rejection(Message, frozen=True, kw_only=True):
    """What rejecting an order needs, in every step. `reason` is sealed."""

    order_id: OrderId
    actor: str
    reason: str


class ReviewSteps:
    """What happens to a review in the service's own database; each part may run twice."""

    def __init__(self, store: ScreeningStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find(self, tx: Tx, order_id: OrderId) -> StoredReview | None:
        """A review as it stands, or None."""
        return await self._store.review(tx, order_id)

    async def decide(self, tx: Tx, order_id: OrderId, act: Act, *, actor: str, reason: str) -> None:
        """Decide an open review and announce it; deciding the same again changes nothing.

        `reason` is sealed. Raises NotFound or AlreadyDecided.
        """
        review = await self._store.review_to_decide(tx, order_id)
        if review is None:
            raise NotFound(f"the order {order_id} was never on hold")
        status = after(review.status, act)
        if status is None:
            raise AlreadyDecided(f"it was {review.status} before", status=review.status)
        if review.status is not Status.OPEN:
            return
        now_ms = self._clock.now_ms()
        decided = _decided(review, status, now_ms, actor=actor, reason=reason)
        await self._store.save_review(tx, decided)
        await tx.publish(
            ReviewDecided(
                order_id=order_id, decision=Decision(act.value), decided_at=to_datetime(now_ms)
            )
        )

    async def reject(self, tx: Tx, rejection: Rejection) -> None:
        """Decide that the order is called off. Raises NotFound or AlreadyDecided."""
        await self.decide(
            tx, rejection.order_id, Act.REJECT, actor=rejection.actor, reason=rejection.reason
        )

    async def reopen(self, tx: Tx, rejection: Rejection, refusal: EmporionError) -> None:
        """It could not be called off any more: the review is open again, and says so."""
        review = await self._store.review_to_decide(tx, rejection.order_id)
        if review is None or after(review.status, Act.REOPEN) is None:
            return
        if review.status is not Status.OPEN:
            reason = f"could not be called off: {refusal.detail}"
            await self._store.save_review(tx, _reopened(review, self._clock.now_ms(), reason))


@dataclass(frozen=True, slots=True)
class ReviewBooks:
    """The reviews, their database, and what seals why they were decided."""

    database: Database
    steps: ReviewSteps
    notes: SealedNotes


class Reviews:
    """Decides reviews, each once; the first reason and name stand.

    Reasons are sealed with the key of whose order it is: deciding also raises what asking for
    keys raises.
    """

    def __init__(
        self,
        books: ReviewBooks,
        *,
        sagas: Sagas,
        runtime: Runtime,
        reject_order: Saga[Rejection],
    ) -> None:
        self._database = books.database
        self._steps = books.steps
        self._notes = books.notes
        self._sagas = sagas
        self._runtime = runtime
        self._reject_order = reject_order

    async def release(self, request: Decide, actor: str) -> None:
        """Let an order go. Raises NotFound or AlreadyDecided."""
        reason = await self._sealed(await self._review(request.order_id), request.reason)

        async def work(tx: Tx) -> None:
            await self._steps.decide(tx, request.order_id, Act.RELEASE, actor=actor, reason=reason)

        await self._database.transaction(work)

    async def reject(self, request: Decide, actor: str) -> None:
        """Call an order off. Raises NotFound, AlreadyDecided or FailedPrecondition.

        Each time that a review is open is a chance of its own: after a refusal it can be tried
        again.
        """
        order_id = request.order_id
        review = await self._review(order_id)
        reason = await self._sealed(review, request.reason)
        start = Start(
            saga_id=self._runtime.ids.new(REJECTION),
            input_=Rejection(order_id=order_id, actor=actor, reason=reason),
            key=f"reject:{order_id}:{review.opened_at_ms}",
            fingerprint=b"",
        )
        outcome = await self._sagas.run(self._reject_order, start, wait_s=WAIT_S)
        if outcome.state is SagaState.REFUSED and outcome.refusal is not None:
            raise outcome.refusal

    async def _review(self, order_id: OrderId) -> StoredReview:
        async def look(tx: Tx) -> StoredReview | None:
            return await self._steps.find(tx, order_id)

        review = await self._database.read(look)
        if review is None:
            raise NotFound(f"the order {order_id} was never on hold")
        return review

    async def _sealed(self, review: StoredReview, reason: str) -> str:
        return await self._notes.sealed(UserId(review.user_id), reason)


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


def _reopened(review: StoredReview, now_ms: int, reason: str) -> StoredReview:
    return StoredReview(
        review.order_id,
        review.user_id,
        review.amount_minor,
        review.currency,
        review.score,
        Status.OPEN,
        now_ms,
        reason=reason,
    )
