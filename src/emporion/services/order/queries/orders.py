"""What can be asked about orders and carts."""

from collections.abc import Sequence
from datetime import datetime

from emporion.chassis.auth.identity import Identity
from emporion.chassis.data.database import Database, Tx
from emporion.chassis.eventstore.past import changes_of, past_ms, until
from emporion.chassis.eventstore.store import Stored
from emporion.contracts.inventory import Line
from emporion.contracts.order import (
    HoldNeeded,
    ListOrders,
    OrderHistory,
    OrderOf,
    OrderPage,
    OrderSummary,
    PricedLine,
    Refusal,
)
from emporion.contracts.order import Order as OrderView
from emporion.contracts.order_carts import Cart
from emporion.contracts.order_desk import (
    SCANNED_MAX,
    FindOrders,
    FoundOrder,
    FoundOrders,
    OrderStatus,
)
from emporion.contracts.pricing import DetailKind, PriceDetail
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import Clock, to_datetime, to_instant_ms
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ORDER, OrderId, Sku, UserId, first_id_at, has_prefix
from emporion.kernel.money import Money
from emporion.services.order.domain import SOLD, Order, OrderEvent, OrderLine, Status
from emporion.services.order.ports import (
    CartStore,
    LoadedOrder,
    Notes,
    OrderRow,
    OrderStore,
    PageOfOrders,
    Search,
)

STAFF_SCOPE = "operations:read"


class OrderQueries:
    """Orders and carts as their owner sees them."""

    def __init__(
        self,
        database: Database,
        orders: OrderStore,
        carts: CartStore,
        *,
        clock: Clock,
        notes: Notes,
    ) -> None:
        self._notes = notes
        self._database = database
        self._clock = clock
        self._orders = orders
        self._carts = carts

    async def get(self, order_id: OrderId) -> OrderView:
        """An order. Raises NotFound."""

        async def work(tx: Tx) -> LoadedOrder:
            return await self._orders.load(tx, order_id)

        return view(await self._database.read(work))

    def now_ms(self) -> int:
        """The instant by which changes are dated."""
        return self._clock.now_ms()

    async def get_for(self, order_id: OrderId, caller: Identity) -> OrderView:
        """An order that the caller may see. Raises NotFound, also for another customer's."""
        order = await self.get(order_id)
        caller.require_owner(order.user_id, staff_scope=STAFF_SCOPE)
        return order

    async def get_past(self, order_id: OrderId, as_of: datetime, caller: Identity) -> OrderView:
        """An order that the caller may see, as it was at an instant.

        Raises NotFound, InTheFuture, DidNotExistYet.
        """
        history = await self._history(order_id)
        now = Order.from_history(order_id, (each.event for each in history))
        caller.require_owner(now.user_id, staff_scope=STAFF_SCOPE)
        instant_ms = past_ms(as_of, self._clock)
        events = until(history, instant_ms, what=f"the order {order_id}")
        then = Order.from_history(order_id, (each.event for each in events))
        return view(LoadedOrder(then, events[0].at_ms, events[-1].at_ms))

    async def history(self, request: OrderOf) -> OrderHistory:
        """What happened to an order until then, and through whom. Raises NotFound."""
        stored = await self._history(request.order_id)
        owner = Order.from_history(request.order_id, (each.event for each in stored)).user_id
        changes = changes_of(await self._notes.history(owner, stored), until=request.as_of)
        return OrderHistory(order_id=request.order_id, changes=changes)

    async def _history(self, order_id: OrderId) -> Sequence[Stored[OrderEvent]]:
        async def work(tx: Tx) -> Sequence[Stored[OrderEvent]]:
            return await self._orders.history(tx, order_id)

        return await self._database.read(work)

    async def list(self, request: ListOrders, user_id: UserId) -> OrderPage:
        """A page of a person's orders, newest first. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, ORDER):
            raise UnknownCursor
        wanted = PageOfOrders(
            user_id,
            Status(request.status) if request.status else None,
            request.cursor,
            request.limit + 1,
        )

        async def work(tx: Tx) -> list[OrderRow]:
            return await self._orders.page(tx, wanted)

        rows = await self._database.read(work)
        has_more = len(rows) > request.limit
        rows = rows[: request.limit]
        return OrderPage(
            orders=[_summary(row) for row in rows],
            next_cursor=rows[-1].order_id if has_more else "",
        )

    async def find(self, request: FindOrders) -> FoundOrders:
        """A page of everybody's orders, newest first. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, ORDER):
            raise UnknownCursor
        ends = [request.cursor, _begun(request.until)]
        wanted = Search(
            user_id=request.user_id or "",
            status=request.status or "",
            first=_begun(request.since),
            before=min(filter(None, ends), default=""),
            limit=request.limit,
            scanned_max=SCANNED_MAX,
        )
        rows, cursor = await self._database.read(lambda tx: self._orders.found(tx, wanted))
        return FoundOrders(orders=[_found(row) for row in rows], next_cursor=cursor)

    async def cart(self, user_id: UserId) -> Cart:
        """A person's cart."""

        async def work(tx: Tx) -> Cart:
            return cart_view(await self._carts.lines(tx, user_id))

        return await self._database.read(work)

    async def is_hold_needed(self, order_id: OrderId) -> HoldNeeded:
        """Whether an order still needs its stock; not, when there is no such order."""

        async def work(tx: Tx) -> OrderRow | None:
            return await self._orders.row(tx, order_id)

        row = await self._database.read(work)
        status = row.status if row else None
        return HoldNeeded(
            is_needed=status is Status.PENDING or status in SOLD, is_paid=status in SOLD
        )

    async def require_owner(self, order_id: OrderId, caller: Identity) -> None:
        """Raises NotFound unless the order exists and is the caller's."""

        async def work(tx: Tx) -> OrderRow | None:
            return await self._orders.row(tx, order_id)

        row = await self._database.read(work)
        if row is None:
            raise NotFound
        caller.require_owner(row.user_id)


def view(loaded: LoadedOrder) -> OrderView:
    """An order as its owner sees it."""
    order = loaded.order
    return OrderView(
        order_id=order.order_id,
        user_id=order.user_id,
        status=OrderStatus(order.status),
        lines=priced_lines(order),
        total=order.total,
        created_at=to_datetime(loaded.created_at_ms),
        updated_at=to_datetime(loaded.updated_at_ms),
        refusal=Refusal(slug=order.refusal.slug, detail=order.refusal.detail)
        if order.refusal
        else None,
        details=[
            PriceDetail(
                kind=DetailKind(detail.kind),
                name=detail.name,
                ref=detail.ref,
                amount=detail.amount,
                is_included=detail.is_included,
            )
            for detail in order.details
        ],
    )


def priced_lines(order: Order) -> list[PricedLine]:
    """The lines of an order as the contract has them."""
    return [_priced(line) for line in order.lines]


def _priced(line: OrderLine) -> PricedLine:
    return PricedLine(
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.total,
        off=_money(line.off_minor, line),
        tax=_money(line.tax_minor, line),
    )


def _money(amount_minor: int, line: OrderLine) -> Money | None:
    return Money(amount_minor, line.unit_price.currency) if amount_minor else None


def cart_view(units_per_sku: dict[Sku, int]) -> Cart:
    """A cart as the contract has it."""
    return Cart(lines=[Line(sku=sku, quantity=units) for sku, units in units_per_sku.items()])


def _begun(instant: datetime | None) -> str:
    """What the id of every order begun from that instant on is greater than; empty for none."""
    return first_id_at(ORDER, to_instant_ms(instant)) if instant else ""


def _found(row: OrderRow) -> FoundOrder:
    return FoundOrder(
        order_id=row.order_id,
        user_id=row.user_id,
        status=OrderStatus(row.status),
        total=Money(row.total_minor, row.currency),
        units=row.units,
        created_at=to_datetime(row.created_at_ms),
        updated_at=to_datetime(row.updated_at_ms),
    )


def _summary(row: OrderRow) -> OrderSummary:
    return OrderSummary(
        order_id=row.order_id,
        status=OrderStatus(row.status),
        total=Money(row.total_minor, row.currency),
        units=row.units,
        created_at=to_datetime(row.created_at_ms),
    )
