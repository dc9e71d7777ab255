"""Writes what happened to a payment: events, row, ledger and outbox in one transaction."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from emporion.chassis.data.database import Database, InStep, Tx
from emporion.contracts.contract import Event
from emporion.kernel.clock import Clock
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import OrderId
from emporion.services.payment import domain
from emporion.services.payment.domain import Payment, Status
from emporion.services.payment.ports import PaymentStore, StoredPayment

RECHECKS_PER_RUN = 50
PAUSE_MS, PAUSE_MS_MAX = 10_000, 600_000
Announce = Callable[[Payment, int], Sequence[Event]]
"""The integration events of the pending events of a payment, at an instant in ms."""


class Changed(NamedTuple):
    """A payment after a transaction, and its row."""

    row: StoredPayment
    payment: Payment

    @property
    def status(self) -> Status:
        """Where it stands."""
        return self.row.status


class Recorder:
    """Writes what happened to a payment: events, row, ledger and outbox in one transaction."""

    def __init__(
        self, database: Database, store: PaymentStore, *, clock: Clock, announce: Announce
    ) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._announce = announce

    async def find(self, order_id: OrderId) -> StoredPayment | None:
        """The payment's row as committed."""
        return await self._database.read(lambda tx: self._store.find(tx, order_id))

    def add(self, payment: Payment) -> Awaitable[StoredPayment]:
        """Record a payment of which nothing was stored. Raises Conflict when something is."""
        return self._database.transaction(InStep(lambda tx: self._save(tx, payment)))

    async def change(self, order_id: OrderId, decide: Callable[[Payment], None]) -> StoredPayment:
        """Load, decide, save; nothing is written when `decide` records nothing.

        Returns the row as it is then. Raises NotFound when there is none.
        """
        return (await self.decide(order_id, decide)).row

    async def decide(self, order_id: OrderId, decide: Callable[[Payment], None]) -> Changed:
        """Like `change`; also returns the payment that the row stands for."""

        async def work(tx: Tx) -> Changed:
            payment = await self._store.load(tx, order_id)
            decide(payment)
            if payment.pending:
                return Changed(await self._save(tx, payment), payment)
            stored = await self._store.find(tx, order_id)
            if stored is None:
                raise NotFound(f"{order_id} has no payment")
            return Changed(stored, payment)

        return await self._database.transaction(work)

    async def postpone(self, voided: StoredPayment) -> None:
        """Look at the provider again later, or never again."""
        at_ms = domain.next_recheck_ms(voided.updated_at_ms, self._clock.now_ms())
        await self._database.transaction(
            lambda tx: self._store.postpone(tx, voided.order_id, at_ms)
        )

    async def put_off(self, order_id: OrderId) -> None:
        """Look again after as long as it has been going on, within bounds: others come first."""

        async def work(tx: Tx) -> None:
            stored = await self._store.find(tx, order_id)
            if stored is not None and stored.recheck_at_ms is not None:
                now_ms = self._clock.now_ms()
                pause_ms = min(max(now_ms - stored.updated_at_ms, PAUSE_MS), PAUSE_MS_MAX)
                await self._store.postpone(tx, order_id, now_ms + pause_ms)

        await self._database.transaction(work)

    async def due_rechecks(self) -> list[OrderId]:
        """Payments to look at now."""
        now_ms = self._clock.now_ms()
        return await self._database.read(
            lambda tx: self._store.due_rechecks(tx, now_ms, limit=RECHECKS_PER_RUN)
        )

    async def next_recheck_ms(self) -> int | None:
        """When the next of them is due."""
        return await self._database.read(self._store.next_recheck_ms)

    async def _save(self, tx: Tx, payment: Payment) -> StoredPayment:
        at_ms = self._clock.now_ms()
        stored = await self._store.save(tx, payment, at_ms=at_ms)
        for event in self._announce(payment, at_ms):
            await tx.publish(event)
        return stored
