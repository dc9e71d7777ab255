"""What comes after the sale: some of the paid orders are shipped, delivered and sent back."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from emporion.contracts.inventory import Line
from emporion.contracts.order import OrderOf, OrderService
from emporion.contracts.order_returns import (
    AskReturn,
    CountedLine,
    NotReturnable,
    ReceiveReturn,
    Return,
    ReturnOf,
    ReturnStatus,
)
from emporion.contracts.shipping import (
    Fulfilment,
    FulfilmentOf,
    FulfilmentStatus,
    ReleaseFulfilment,
    Ship,
    ShipmentOf,
    ShipmentStatus,
    ShippingService,
    StockNotSettled,
)
from emporion.kernel.errors import EmporionError, NotFound, Unavailable
from emporion.kernel.ids import OrderId, WarehouseId
from emporion.platform.client.rest import RestClients
from emporion.platform.load.catalogue import Price
from emporion.platform.load.options import RunId
from emporion.platform.load.tally import Totals

AT_ONCE: Final = 8
PAUSE_S: Final = 0.1
PAUSE_S_MAX: Final = 1.0
CARRIER: Final = "Load"
_NOT_YET = (NotFound, StockNotSettled, NotReturnable)
"""What is said of an order whose events are still on their way to who is asked."""
_WAITING = frozenset({FulfilmentStatus.SCREENING})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sale:
    """A paid order, the number of its basket, and the connection of whoever placed it."""

    number: int
    order_id: OrderId
    buyer: RestClients


@dataclass(frozen=True, slots=True)
class Returned:
    """What the shop answered about returns, and what the prices say they are worth."""

    counted: Totals
    expected: Totals


class Returns:
    """Sends back a share of the sales of a run, each whole or one unit of it.

    Which orders, how many units, and whether they are put on sale again or written off follows
    from the run id, so that a run that was broken off can be repeated.

    Args:
        staff: signed in as somebody who ships and who takes returns.
        prices: of one unit, by SKU.
        patience_s: how long to wait for each thing that events must bring about first.
    """

    def __init__(
        self, staff: RestClients, run_id: RunId, prices: Mapping[str, Price], *, patience_s: float
    ) -> None:
        self.errors: Counter[str] = Counter()
        self._staff = staff
        self._run_id = run_id
        self._prices = prices
        self._patience_s = patience_s
        self._done: list[Return] = []

    def chosen(self, sales: Sequence[Sale], percent: float) -> list[Sale]:
        """The nearest whole number of orders to that share of them, drawn by the run id."""
        ordered = sorted(sales, key=lambda sale: sale.number)
        return self._chance("which").sample(ordered, round(len(ordered) * percent / 100))

    async def run(self, sales: Sequence[Sale], watch: Callable[[int, int], None]) -> Returned:
        """Ship, deliver and return these orders. What fails is counted in `errors`."""
        waiting = iter(sales)

        async def work() -> None:
            for sale in waiting:
                try:
                    self._done.append(await self._return(sale))
                except EmporionError as error:
                    self.errors[f"return: {error.slug}"] += 1
                watch(len(self._done) + self.errors.total(), len(sales))

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return Returned(self._counted(), self._expected())

    async def _return(self, sale: Sale) -> Return:
        await self._deliver(sale)
        chance = self._chance(f"{sale.number}")
        buyer, staff = sale.buyer.get(OrderService), self._staff.get(OrderService)
        key = f"return-{self._run_id}-{sale.number}"
        order = await buyer.get_order(OrderOf(order_id=sale.order_id))
        lines = [Line(sku=line.sku, quantity=line.quantity) for line in order.lines]
        if chance.random() < 0.5:  # noqa: PLR2004 - half of them
            lines = [Line(sku=lines[0].sku, quantity=1)]
        ask = AskReturn(idempotency_key=key, order_id=sale.order_id, lines=lines, reason="load")
        asked = await self._soon(lambda: buyer.ask_return(ask))
        which = ReturnOf(return_id=asked.return_id)
        if asked.status is ReturnStatus.REQUESTED:
            await staff.approve_return(which)
        is_restocked = chance.random() < 0.5  # noqa: PLR2004 - half of them
        count = ReceiveReturn(
            idempotency_key=key,
            return_id=asked.return_id,
            warehouse_id=await self._warehouse(sale.order_id),
            lines=[
                CountedLine(sku=line.sku, quantity=line.quantity, is_restocked=is_restocked)
                for line in lines
            ],
        )
        received = await staff.receive_return(count)
        return await self._until(
            lambda: _as_it_is(received) if not received.is_pending else staff.get_return(which),
            lambda found: not found.is_pending,
        )

    async def _deliver(self, sale: Sale) -> None:
        shipping = self._staff.get(ShippingService)
        found = await self._cleared(sale.order_id)
        by_warehouse: dict[WarehouseId, list[Line]] = {}
        for each in found.to_ship:
            lines = by_warehouse.setdefault(each.warehouse_id, [])
            lines.append(Line(sku=each.sku, quantity=each.quantity))
        for warehouse_id, lines in by_warehouse.items():
            parcel = Ship(
                idempotency_key=f"ship-{self._run_id}-{sale.number}-{warehouse_id}",
                order_id=sale.order_id,
                warehouse_id=warehouse_id,
                lines=lines,
                carrier=CARRIER,
            )
            await self._soon(partial(shipping.ship, parcel))
        left = await self._until(
            lambda: shipping.get_fulfilment(FulfilmentOf(order_id=sale.order_id)),
            lambda now: all(each.status is not ShipmentStatus.LEAVING for each in now.shipments),
        )
        for shipment in left.shipments:
            await shipping.deliver(ShipmentOf(shipment_id=shipment.shipment_id))

    async def _cleared(self, order_id: OrderId) -> Fulfilment:
        """Once it has been screened; what is held is released."""
        shipping = self._staff.get(ShippingService)
        which = FulfilmentOf(order_id=order_id)
        found = await self._until(
            lambda: self._soon(lambda: shipping.get_fulfilment(which)),
            lambda now: now.status not in _WAITING,
        )
        if found.status is not FulfilmentStatus.HELD:
            return found
        return await shipping.release(ReleaseFulfilment(order_id=order_id, reason="load"))

    async def _warehouse(self, order_id: OrderId) -> WarehouseId:
        """Where the first of its parcels came from."""
        which = FulfilmentOf(order_id=order_id)
        found = await self._staff.get(ShippingService).get_fulfilment(which)
        return found.shipments[0].warehouse_id

    async def _soon(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again while the answer is that events have not arrived. Raises that in the end."""
        until_s, pause_s = time.perf_counter() + self._patience_s, PAUSE_S
        while True:
            try:
                return await ask()
            except _NOT_YET:
                if time.perf_counter() > until_s:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)

    async def _until(self, ask: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> T:
        """Ask again until it is so. Raises Unavailable in the end."""
        until_s, pause_s = time.perf_counter() + self._patience_s, PAUSE_S
        while not is_so(found := await ask()):
            if time.perf_counter() > until_s:
                raise Unavailable(f"not done after {self._patience_s:.0f} s")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)
        return found

    def _chance(self, about: str) -> random.Random:
        return random.Random(f"{self._run_id}:return:{about}")  # noqa: S311 - a repeatable draw

    def _counted(self) -> Totals:
        money: Counter[str] = Counter()
        for each in self._done:
            money[each.refund.currency] += each.refund.amount_minor
        return Totals(len(self._done), _units(self._done), money)

    def _expected(self) -> Totals:
        money: Counter[str] = Counter()
        for each in self._done:
            for line in each.lines:
                price = self._prices[line.sku]
                money[price.currency] += price.amount_minor * line.quantity
        return Totals(len(self._done), _units(self._done), money)


def _units(done: Sequence[Return]) -> int:
    return sum(line.quantity for each in done for line in each.lines)


async def _as_it_is(found: T) -> T:
    return found
