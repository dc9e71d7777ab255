"""Calls orders off: what is decided by the saga that undoes it, what is not by telling its saga."""

from emporion.chassis.auth.identity import Identity
from emporion.chassis.data.database import Tx
from emporion.contracts.order import CalledOff, CancelOrder
from emporion.contracts.order import Order as OrderView
from emporion.contracts.order_desk import OrderStatus
from emporion.kernel.errors import Conflict
from emporion.kernel.ids import OrderId
from emporion.services.order.commands.orders import OrderCommands
from emporion.services.order.commands.returns import ReturnBooks
from emporion.services.order.commands.steps import OrderSteps
from emporion.services.order.domain import Status
from emporion.services.order.queries.orders import OrderQueries

ATTEMPTS_MAX = 5
"""An order can be decided at the very moment in which it is called off."""


class Cancellations:
    """For owners, and for the shop itself."""

    def __init__(
        self,
        books: ReturnBooks,
        orders: OrderCommands,
        *,
        steps: OrderSteps,
        queries: OrderQueries,
    ) -> None:
        self._notes = books.notes
        self._database = books.database
        self._store = books.orders
        self._orders = orders
        self._steps = steps
        self._queries = queries

    async def cancel(self, request: CancelOrder, caller: Identity) -> OrderView:
        """See OrderService.cancel_order."""
        await self._queries.require_owner(request.order_id, caller)
        reason = await self._notes.sealed(caller.user_id, request.reason)
        return await self.call_off(request.order_id, reason)

    async def call_off(self, order_id: OrderId, reason: str) -> OrderView:
        """See OrderService.call_off."""
        for _ in range(ATTEMPTS_MAX):
            order = await self._queries.get(order_id)
            refusal = order.refusal
            if order.status is OrderStatus.CANCELLING:
                return order
            if refusal is not None and refusal.slug == CalledOff.slug:
                return order
            if order.status is not OrderStatus.PENDING:
                return await self._orders.call_off(order_id, reason)
            if await self._ask(order_id, reason, self._queries.now_ms()):
                return await self._queries.get(order_id)
        raise Conflict(f"{order_id} changes whenever it is called off")

    async def _ask(self, order_id: OrderId, reason: str, now_ms: int) -> bool:
        """Whether the order was still to be decided, and was told to be undone."""

        async def work(tx: Tx) -> bool:
            order = (await self._store.load(tx, order_id)).order
            if order.status is not Status.PENDING:
                return False
            order.ask_call_off(reason)
            await self._store.save(tx, order, at_ms=now_ms)
            return True

        try:
            is_asked = await self._database.transaction(work)
        except Conflict:
            return False
        if is_asked:
            self._steps.call_off(order_id, reason)
        return is_asked
