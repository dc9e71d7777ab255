"""What can be done with returns: ask for one, approve or refuse it, receive it."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from emporion.chassis.auth.identity import Identity
from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.port import KeyConflict, Sagas, SagaState, Start
from emporion.contracts import order_returns as contract
from emporion.contracts.giftcard import GiftCardShare
from emporion.contracts.inventory import InventoryService, WarehouseOf
from emporion.contracts.order_returns import AskReturn, ReceiveReturn, RefuseReturn, ReturnedLine
from emporion.contracts.refusals import KeyReused
from emporion.kernel.errors import Conflict, EmporionError, NotFound
from emporion.kernel.ids import RETURN, ReturnId
from emporion.kernel.money import Money
from emporion.services.order.commands.return_steps import ReturnSagas, SettleReturn, cards_back
from emporion.services.order.domain import (
    Counted,
    DifferentReturn,
    NotExpected,
    NotReturnable,
    Order,
    Piece,
    ReturnRequested,
    Share,
    TooManyReturns,
    Units,
)
from emporion.services.order.ports import Notes, OrderStore, ReturnStore, StoredReturn

WAIT_S = 10.0
"""How long a repeated request waits for the first one before it answers `received`."""
ATTEMPTS_MAX = 5
"""When others change the same order at the same moment."""
REFUND = "rfd"
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_IN_THE_CONTRACT: dict[type[EmporionError], type[EmporionError]] = {
    NotReturnable: contract.NotReturnable,
    NotExpected: contract.NotExpected,
    TooManyReturns: contract.TooManyReturns,
    DifferentReturn: KeyReused,
}


@dataclass(frozen=True, slots=True)
class ReturnBooks:
    """The stores that returns are kept in, and their database."""

    database: Database
    orders: OrderStore
    returns: ReturnStore
    notes: Notes


class ReturnCommands:
    """Returns, for their owners and for staff."""

    def __init__(
        self,
        books: ReturnBooks,
        runtime: Runtime,
        sagas: Sagas,
        *,
        settles: ReturnSagas,
        inventory: InventoryService,
    ) -> None:
        self._notes = books.notes
        self._books = books
        self._runtime = runtime
        self._sagas = sagas
        self._settles = settles
        self._inventory = inventory

    async def ask(self, request: AskReturn, caller: Identity) -> ReturnId:
        """See OrderService.ask_return; the id of the return."""
        units: dict[str, Units] = {}
        for line in request.lines:
            before = units.get(line.sku, Units(line.sku, 0)).quantity
            units[line.sku] = Units(line.sku, before + line.quantity)
        now_ms = self._runtime.clock.now_ms()
        reason = await self._notes.sealed(caller.user_id, request.reason)
        asked = ReturnRequested(
            ReturnId(self._runtime.ids.new(RETURN)),
            request.idempotency_key,
            tuple(units[sku] for sku in sorted(units)),
            reason,
            now_ms,
        )

        async def work(tx: Tx) -> ReturnId:
            await self._books.returns.lock(tx, request.order_id)
            order = (await self._books.orders.load(tx, request.order_id)).order
            caller.require_owner(order.user_id)
            return_id = order.ask_return(asked)
            await self._save(tx, order, return_id, now_ms=now_ms)
            return return_id

        return await _again(lambda: self._books.database.transaction(work))

    async def approve(self, return_id: ReturnId) -> None:
        """See OrderService.approve_return."""
        await self._change(return_id, lambda order: order.approve_return(return_id))

    async def refuse(self, request: RefuseReturn) -> None:
        """See OrderService.refuse_return."""
        id_ = request.return_id
        stored = await self._books.database.read(lambda tx: self._find(tx, id_))
        reason = await self._notes.sealed(stored.user_id, request.reason)
        await self._change(id_, lambda order: order.refuse_return(id_, reason))

    async def receive(self, request: ReceiveReturn) -> None:
        """See OrderService.receive_return."""
        key = f"receive:{request.return_id}:{request.idempotency_key}"
        fingerprint = hashlib.sha256(_encode(request)).digest()

        async def start() -> None:
            outcome = await self._sagas.join(key, fingerprint, wait_s=WAIT_S)
            if outcome is None:
                settling = await self._settling(request)
                begun = Start(settling.refund_id, settling, key, fingerprint)
                saga = self._settles.saga(settling)
                outcome = await self._sagas.run(saga, begun, wait_s=WAIT_S)
            if outcome.state is SagaState.REFUSED and outcome.refusal is not None:
                raise outcome.refusal

        try:
            await _again(start)
        except KeyConflict as error:
            raise KeyReused from error

    async def _settling(self, request: ReceiveReturn) -> SettleReturn:
        """All of what is to happen, decided before it begins. Raises what `receive` does."""
        await self._inventory.warehouse(WarehouseOf(warehouse_id=request.warehouse_id))
        pieces = [Piece(line.sku, line.quantity, line.is_restocked) for line in request.lines]

        async def work(tx: Tx) -> tuple[StoredReturn, tuple[Counted, ...], tuple[Share, ...]]:
            stored = await self._find(tx, request.return_id)
            order = (await self._books.orders.load(tx, stored.order_id)).order
            counted = order.priced(request.return_id, pieces)
            return stored, counted, cards_back(order, counted)

        stored, counted, to_cards = await self._books.database.read(work)
        currency = stored.currency
        return SettleReturn(
            return_id=request.return_id,
            order_id=stored.order_id,
            user_id=stored.user_id,
            refund_id=self._runtime.ids.new(REFUND),
            warehouse_id=request.warehouse_id,
            counted=[
                ReturnedLine(
                    sku=each.sku,
                    quantity=each.quantity,
                    is_restocked=each.is_restocked,
                    refund=Money(each.refund_minor, currency),
                )
                for each in counted
            ],
            refund=Money(sum(each.refund_minor for each in counted), currency),
            reason=f"return {request.return_id}",
            to_cards=[
                GiftCardShare(card_id=card_id, amount=Money(minor, currency))
                for card_id, minor in to_cards
            ],
        )

    async def _change(self, return_id: ReturnId, decide: Callable[[Order], None]) -> None:
        now_ms = self._runtime.clock.now_ms()

        async def work(tx: Tx) -> None:
            stored = await self._find(tx, return_id)
            await self._books.returns.lock(tx, stored.order_id)
            order = (await self._books.orders.load(tx, stored.order_id)).order
            decide(order)
            await self._save(tx, order, return_id, now_ms=now_ms)

        await _again(lambda: self._books.database.transaction(work))

    async def _find(self, tx: Tx, return_id: ReturnId) -> StoredReturn:
        stored = await self._books.returns.find(tx, return_id)
        if stored is None:
            raise NotFound(f"there is no return {return_id}")
        return stored

    async def _save(self, tx: Tx, order: Order, return_id: ReturnId, *, now_ms: int) -> None:
        if order.pending:
            await self._books.orders.save(tx, order, at_ms=now_ms)
            await self._books.returns.save(tx, order, return_id, at_ms=now_ms)


async def _again(work: Callable[[], Awaitable[T]]) -> T:
    """Decide again when the order was changed meanwhile; refusals in the contract's words."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return await work()
        except Conflict:
            if attempt == ATTEMPTS_MAX:
                raise
        except tuple(_IN_THE_CONTRACT) as error:
            raise _IN_THE_CONTRACT[type(error)](error.detail) from error
    raise Conflict
