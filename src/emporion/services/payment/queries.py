"""What can be asked about payments and the ledger."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from emporion.chassis.auth.identity import Identity
from emporion.chassis.data.database import Database
from emporion.chassis.eventstore.past import changes_of, past_ms, until
from emporion.chassis.eventstore.store import Stored
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.sealing.notes import SealedNotes
from emporion.contracts.payment import (
    AccountBalance,
    LedgerBalances,
    ListPayments,
    PaymentHistory,
    PaymentOf,
)
from emporion.contracts.payment_books import (
    Healing,
    IrregularityKind,
    ListMovements,
    Movement,
    MovementKind,
    MovementPage,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ORDER, OrderId, UserId, has_prefix
from emporion.services.payment.domain import (
    Captured,
    PartRefunded,
    PaymentEvent,
    Refunded,
    Returned,
    Status,
    TakenLate,
)
from emporion.services.payment.ports import PaymentStore, StoredHealing, StoredPayment

TRANSFERS_PER_READ = 2_000
HEALINGS_MAX = 100
STAFF_SCOPE = "payments:read"


class Queries:
    """Reads of what is committed."""

    def __init__(
        self, database: Database, store: PaymentStore, runtime: Runtime, *, notes: SealedNotes
    ) -> None:
        self._database = database
        self._store = store
        self._notes = notes
        self._clock = runtime.clock
        self._tasks = runtime.tasks
        self._sums: dict[tuple[str, str], tuple[int, int]] = {}
        self._summed_seq = 0
        self._summing = asyncio.Lock()

    async def get(self, order_id: OrderId) -> StoredPayment:
        """The payment of an order. Raises NotFound."""
        stored = await self._database.read(lambda tx: self._store.find(tx, order_id))
        if stored is None:
            raise NotFound
        return stored

    async def get_past(self, order_id: OrderId, as_of: datetime, caller: Identity) -> StoredPayment:
        """The payment of an order that the caller may see, as it was at an instant.

        Raises NotFound, InTheFuture, DidNotExistYet.
        """
        history = await self._history(order_id)
        owner = self._store.row_of(order_id, history).user_id
        caller.require_owner(owner, staff_scope=STAFF_SCOPE)
        instant_ms = past_ms(as_of, self._clock)
        then = until(history, instant_ms, what=f"the payment of {order_id}")
        return self._store.row_of(order_id, then)

    async def history(self, request: PaymentOf) -> PaymentHistory:
        """What happened to the payment of an order until then.

        Raises NotFound, and what asking for keys raises where something was healed.
        """
        order_id, until = request.order_id, request.as_of
        history = await self._history(order_id)
        owner = self._store.row_of(order_id, history).user_id
        found = await self._database.read(
            lambda tx: self._store.healings(tx, order_id, limit=HEALINGS_MAX)
        )
        healings = [await self._told(owner, each) for each in found]
        return PaymentHistory(
            order_id=order_id,
            changes=changes_of(history, until=until),
            healings=[each for each in healings if until is None or each.at <= until],
        )

    async def _told(self, owner: UserId, stored: StoredHealing) -> Healing:
        return Healing(
            at=to_datetime(stored.at_ms),
            actor=stored.actor,
            kind=IrregularityKind(stored.kind),
            reason=await self._notes.opened(owner, stored.reason),
        )

    async def _history(self, order_id: OrderId) -> list[Stored[PaymentEvent]]:
        history = await self._database.read(lambda tx: self._store.history(tx, order_id))
        if not history:
            raise NotFound
        return history

    async def page(self, request: ListPayments) -> tuple[list[StoredPayment], str]:
        """A page and the cursor of the next one (empty: there is none). Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, ORDER):
            raise UnknownCursor
        status = Status(request.status) if request.status else None
        rows = await self._database.read(
            lambda tx: self._store.page(
                tx, status=status, before=request.cursor, limit=request.limit + 1
            )
        )
        page = rows[: request.limit]
        return page, page[-1].order_id if len(rows) > request.limit else ""

    async def movements(self, request: ListMovements) -> MovementPage:
        """The money that moved at the provider, by rising order. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, ORDER):
            raise UnknownCursor
        histories, last = await self._database.read(
            lambda tx: self._store.movements(tx, request.cursor, limit=request.limit)
        )
        moved = [each for order_id, told in histories for each in _moved(order_id, told)]
        return MovementPage(movements=moved, next_cursor=last)

    async def ledger(self) -> LedgerBalances:
        """Every account's sums.

        With one writer the ledger grows at its end only, so a sum once made holds: this process
        remembers how far it has summed and adds what came since, in bounded reads. With several,
        a smaller number can become visible later, and it sums all of it each time.
        """
        async with self._summing:
            if self._database.engine != "sqlite":
                self._sums, self._summed_seq = {}, 0
            is_behind = True
            while is_behind:
                is_behind = await self._add_next()
                await self._tasks.sleep(0)
            return LedgerBalances(accounts=[_balance(*item) for item in sorted(self._sums.items())])

    async def _add_next(self) -> bool:
        """Sum one more stretch; whether there was one."""
        seq = self._summed_seq
        posted = await self._database.read(
            lambda tx: self._store.posted_after(tx, seq, limit=TRANSFERS_PER_READ)
        )
        for key, (debit, credit) in posted.sums.items():
            debited, credited = self._sums.get(key, (0, 0))
            self._sums[key] = (debited + debit, credited + credit)
        self._summed_seq = posted.last_seq
        return posted.last_seq > seq


def _moved(order_id: OrderId, history: Sequence[Stored[PaymentEvent]]) -> list[Movement]:
    """What an order's events moved at the provider."""
    found = []
    for stored in history:
        match stored.event:
            case Captured(amount=amount, reference=at) | TakenLate(amount=amount, reference=at):
                moves = [(MovementKind.CHARGE, at, amount)]
            case Refunded(amount=amount, reference=at) | PartRefunded(amount=amount, reference=at):
                moves = [(MovementKind.REFUND, at, amount)]
            case Returned(amount=amount, charge_reference=taken, refund_reference=back):
                moves = [(MovementKind.CHARGE, taken, amount), (MovementKind.REFUND, back, amount)]
            case _:
                moves = []
        found += [
            Movement(
                order_id=order_id,
                kind=kind,
                reference=at,
                amount=amount,
                at=to_datetime(stored.at_ms),
            )
            for kind, at, amount in moves
        ]
    return found


def _balance(key: tuple[str, str], sums: tuple[int, int]) -> AccountBalance:
    return AccountBalance(
        account=key[0],
        currency=key[1],
        debit_minor=sums[0],
        credit_minor=sums[1],
        balance_minor=sums[0] - sums[1],
    )
