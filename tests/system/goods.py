"""What left and came back, and the money for it: the files against what was answered."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tests.system.aftersales import Aftersale, prices_minor
from tests.system.files import rows

MOVED = (
    "SELECT note, reason, sku, sum(abs(quantity)) FROM movement"
    " WHERE reason IN ('shipped', 'returned') GROUP BY note, reason, sku"
)
LEVELS = (
    "SELECT level.sku, level.warehouse_id, on_hand, coalesce(sum(movement.quantity), 0) FROM level"
    " LEFT JOIN movement ON movement.sku = level.sku"
    " AND movement.warehouse_id = level.warehouse_id GROUP BY level.sku, level.warehouse_id"
)
TOLD = ("order-shipped", "order-delivered", "order-refunded")
Units = Mapping[str, int]


class Goods:
    """Shipments and returns of a shop, compared with what its staff and customers were told.

    Args:
        folder: the shop's data.
        sales: what was to be done after the sale, of orders that were paid.
        refunded: the orders of which money went back, by the provider or to gift cards.
    """

    def __init__(self, folder: Path, sales: Sequence[Aftersale], refunded: Collection[str]) -> None:
        self._sales = {sale.order_id: sale for sale in sales if sale.order_id}
        self._refunded = refunded
        self._prices = prices_minor()
        self._shipments = _by_order(folder, "shipping", "shipment", "shipment_id")
        self._returns = _by_order(folder, "order", "order_return", "return_id")
        self._moved = defaultdict[tuple[str, str], dict[str, int]](dict)
        for order_id, reason, sku, units in rows(folder, "inventory", MOVED):
            self._moved[order_id, reason][sku] = units
        self._levels = rows(folder, "inventory", LEVELS)
        sql = "SELECT template, order_id FROM mail WHERE status = 'sent'"
        found = rows(folder, "email", sql)
        self._mails = Counter((name.partition("/")[0], order_id) for name, order_id in found)

    def due_back_minor(self, order_id: str) -> int:
        """What has to have gone back of a sold order: the price of the units that came."""
        sale = self._sales.get(order_id)
        if sale is None or sale.refund_minor is None:
            return 0
        return sum(self._prices[sku] * units for sku, units in sale.returned.items())

    def lost(self) -> Iterator[str]:
        """What was answered and is not there."""
        for order_id, sale in self._sales.items():
            if sale.shipment_id and sale.shipment_id not in self._shipments[order_id]:
                yield f"{order_id}: the shipment {sale.shipment_id} is not there"
            if sale.refund_minor is None:
                continue
            if self._returns[order_id].get(sale.return_id) != "refunded":
                yield f"{order_id}: the return {sale.return_id} was answered and is not refunded"
            if order_id not in self._refunded:
                yield f"{order_id}: the refund of {sale.return_id} never left"
            for mail in TOLD:
                if not self._mails[mail, order_id]:
                    yield f"{order_id}: no mail {mail}"

    def twice(self) -> Iterator[str]:
        """What happened more often than it was asked for."""
        for what, found in (("shipments", self._shipments), ("returns", self._returns)):
            for order_id, ids in found.items():
                if len(ids) > 1:
                    yield f"{order_id} has the {what} {sorted(ids)}"
        for (mail, order_id), times in self._mails.items():
            if mail in TOLD and times > 1:
                yield f"{order_id}: {times} mails {mail}"
        for (order_id, reason), units in self._moved.items():
            if _exceeds(units, self._expected(order_id, reason)):
                yield f"{order_id}: {units} {reason}, more than was asked for"

    def wrong(self) -> Iterator[str]:
        """Anything else that does not add up."""
        for order_id, sale in self._sales.items():
            due_minor = self.due_back_minor(order_id)
            if sale.refund_minor is not None and sale.refund_minor != due_minor:
                yield f"{order_id}: told a refund of {sale.refund_minor}, {due_minor} are due"
            for reason in ("shipped", "returned"):
                expected, moved = self._expected(order_id, reason), self._moved[order_id, reason]
                if moved != expected:
                    yield f"{order_id}: {moved} {reason}, expected {expected}"
        for order_id in {*self._shipments, *self._returns} - {*self._sales}:
            yield f"{order_id} was shipped or sent back, and nobody asked for it"
        for sku, warehouse_id, on_hand, moved in self._levels:
            if on_hand != moved:
                yield f"{on_hand} of {sku} are in {warehouse_id}, the movements say {moved}"

    def _expected(self, order_id: str, reason: str) -> Units:
        """The units of the order that a reason must have moved."""
        sale = self._sales.get(order_id)
        if sale is None:
            return {}
        if reason == "shipped":
            return sale.units if sale.shipment_id else {}
        return sale.returned if sale.refund_minor is not None and sale.is_restocked else {}


def _by_order(folder: Path, service: str, table: str, id_: str) -> dict[str, dict[str, str]]:
    """The status of everything in a table, by order and id."""
    found = defaultdict[str, dict[str, str]](dict)
    for order_id, key, status in rows(
        folder, service, f"SELECT order_id, {id_}, status FROM {table}"
    ):
        found[order_id][key] = status
    return found


def _exceeds(units: Units, expected: Units) -> bool:
    return any(number > expected.get(sku, 0) for sku, number in units.items())
