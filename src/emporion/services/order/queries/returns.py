"""What can be asked about returns; every list comes in bounded pages."""

from emporion.chassis.auth.identity import Identity
from emporion.chassis.data.database import Database, Tx
from emporion.contracts import order_returns as contract
from emporion.contracts.inventory import Line
from emporion.contracts.order_returns import ListReturns, OrderReturns, ReturnedLine, ReturnPage
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import RETURN, OrderId, ReturnId, has_prefix
from emporion.kernel.money import Money
from emporion.services.order.domain import ReturnStatus, total_of_shares
from emporion.services.order.ports import Notes, OrderRow, OrderStore, ReturnStore, StoredReturn

STAFF_SCOPE = "returns:read"


class ReturnQueries:
    """Returns as their owners and staff see them."""

    def __init__(
        self, database: Database, orders: OrderStore, returns: ReturnStore, *, notes: Notes
    ) -> None:
        self._notes = notes
        self._database = database
        self._orders = orders
        self._returns = returns

    async def get(self, return_id: ReturnId) -> contract.Return:
        """A return. Raises NotFound."""
        found = await self._database.read(lambda tx: self._returns.find(tx, return_id))
        if found is None:
            raise NotFound(f"there is no return {return_id}")
        (opened,) = await self._notes.opened([found])
        return view(opened)

    async def get_for(self, return_id: ReturnId, caller: Identity) -> contract.Return:
        """A return that the caller may see. Raises NotFound, also for another customer's."""
        found = await self.get(return_id)
        caller.require_owner(found.user_id, staff_scope=STAFF_SCOPE)
        return found

    async def of_order(self, order_id: OrderId, caller: Identity) -> OrderReturns:
        """The returns of an order that the caller may see. Raises NotFound."""

        async def work(tx: Tx) -> tuple[OrderRow | None, list[StoredReturn]]:
            row = await self._orders.row(tx, order_id)
            return row, await self._returns.of_order(tx, order_id)

        row, found = await self._database.read(work)
        if row is None:
            raise NotFound
        caller.require_owner(row.user_id, staff_scope=STAFF_SCOPE)
        return OrderReturns(returns=[view(each) for each in await self._notes.opened(found)])

    async def page(self, request: ListReturns) -> ReturnPage:
        """Returns, newest first. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, RETURN):
            raise UnknownCursor
        status = ReturnStatus(request.status.value) if request.status else None
        found = await self._database.read(
            lambda tx: self._returns.page(
                tx, status=status, before=request.cursor, limit=request.limit + 1
            )
        )
        page = await self._notes.opened(found[: request.limit])
        return ReturnPage(
            returns=[view(each) for each in page],
            next_cursor=page[-1].told.return_id if len(found) > request.limit else "",
        )


def view(stored: StoredReturn) -> contract.Return:
    """A return in the words of the contract."""
    told, currency = stored.told, stored.currency
    return contract.Return(
        return_id=told.return_id,
        order_id=stored.order_id,
        user_id=stored.user_id,
        status=contract.ReturnStatus(told.status),
        lines=[Line(sku=sku, quantity=quantity) for sku, quantity in told.units],
        reason=told.reason,
        counted=[
            ReturnedLine(
                sku=each.sku,
                quantity=each.quantity,
                is_restocked=each.is_restocked,
                refund=Money(each.refund_minor, currency),
            )
            for each in told.counted
        ],
        refund=Money(told.refund_minor, currency),
        warehouse_id=told.warehouse_id,
        note=told.note,
        requested_at=to_datetime(told.requested_at_ms),
        updated_at=to_datetime(stored.updated_at_ms),
        to_gift_cards=Money(total_of_shares(told.to_cards), currency) if told.to_cards else None,
    )
