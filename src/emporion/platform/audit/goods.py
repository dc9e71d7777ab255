"""Whether what was sent, came back and was refunded agrees between the services that say so."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from emporion.chassis.data.database import Database
from emporion.platform.audit.deliveries import Delivery
from emporion.platform.audit.facts import Finding, Violation
from emporion.platform.audit.traffic import OpenSaga
from emporion.services.giftcard import audit as giftcard
from emporion.services.inventory import audit as inventory
from emporion.services.inventory.domain import COMEBACK, DEPARTURE, movement_key
from emporion.services.order import audit as order
from emporion.services.payment import audit as payment
from emporion.services.shipping import audit as shipping

F = TypeVar("F")
DEPARTED = "shipped units = stock departures"
KNOWN = "orders know their shipments"
RESTOCKED = "returns restocked = movements"
REFUNDED = "refunds of returns = refunds <= captures"
_END = "\uffff"
"""Sorts after every key."""


class Told(NamedTuple):
    """So many units, or so much money, as one of two services tells it."""

    key: str
    order_id: str
    number: int


async def goods_findings(
    databases: Mapping[str, Database], open_: Sequence[OpenSaga], found: Sequence[Delivery]
) -> list[Finding]:
    """The four checks. What an open saga is about is on its way from one book to the other."""
    open_orders = {saga.order_id for saga in open_}
    stock = databases["inventory"]
    departed = _compared(_left(databases["shipping"]), _moved(stock, DEPARTURE))
    restocked = _compared(_restocked(databases["order"]), _moved(stock, COMEBACK))
    return [
        await _finding(DEPARTED, departed, open_orders),
        await _known(databases, is_told=_is_told(found)),
        await _finding(RESTOCKED, restocked, open_orders),
        await _refunds(databases, open_orders),
    ]


def _is_told(found: Sequence[Delivery]) -> bool:
    """Whether orders have heard of all shipments."""
    ways = [each for each in found if (each.source, each.subscriber) == ("shipping", "order")]
    return bool(ways) and not any(way.waiting or way.parked or way.dead for way in ways)


async def _known(databases: Mapping[str, Database], *, is_told: bool) -> Finding:
    """What left and arrived by shipping's rows, and by the events of its orders.

    Orders hear of it later: until they have, less is no violation, more always is.
    """
    finding = Finding(KNOWN, 0, [], 0)
    heard = _told(order.shipments(databases["order"]))
    sent = _told(shipping.sent(databases["shipping"]))
    async for key, _, known, told in _compared(heard, sent):
        finding.examined = (finding.examined or 0) + 1
        if known > told or (known < told and is_told):
            detail = f"{known} by its order's events, {told} by shipping"
            finding.add(Violation(KNOWN, key, detail))
    return finding


async def _told(
    sent: AsyncIterator[order.Shipped] | AsyncIterator[shipping.Sent],
) -> AsyncIterator[Told]:
    async for order_id, shipment_id, units, is_delivered in sent:
        about = f"{order_id} {shipment_id}"
        yield Told(f"{about} arrived", order_id, int(is_delivered))
        for sku, number in units:
            yield Told(f"{about} left {sku}", order_id, number)


async def _finding(
    check: str, compared: AsyncIterator[tuple[str, str, int, int]], open_orders: set[str]
) -> Finding:
    finding = Finding(check, 0, [], 0)
    async for key, order_id, told, moved in compared:
        finding.examined = (finding.examined or 0) + 1
        if told != moved and order_id not in open_orders:
            finding.add(Violation(check, key, f"{told} units by their service, {moved} moved"))
    return finding


async def _compared(
    left: AsyncIterator[Told], right: AsyncIterator[Told]
) -> AsyncIterator[tuple[str, str, int, int]]:
    """Both by rising key: each key with its order and both numbers, 0 where one has none."""
    end = Told(_END, "", 0)
    ours, theirs = await _next(left, end), await _next(right, end)
    while (key := min(ours.key, theirs.key)) != _END:
        order_id = ours.order_id if ours.key == key else theirs.order_id
        numbers = [each.number if each.key == key else 0 for each in (ours, theirs)]
        yield key, order_id, numbers[0], numbers[1]
        if ours.key == key:
            ours = await _next(left, end)
        if theirs.key == key:
            theirs = await _next(right, end)


async def _next(facts: AsyncIterator[F], end: F) -> F:
    """The next fact, or the end; `anext` itself cannot have a tuple for its default."""
    async for fact in facts:
        return fact
    return end


async def _left(database: Database) -> AsyncIterator[Told]:
    async for shipment_id, order_id, sku, units in shipping.left(database):
        yield Told(movement_key(DEPARTURE, shipment_id, sku), order_id, -units)  # type: ignore[arg-type]


async def _restocked(database: Database) -> AsyncIterator[Told]:
    async for return_id, order_id, sku, units in order.restocked(database):
        yield Told(movement_key(COMEBACK, return_id, sku), order_id, units)  # type: ignore[arg-type]


async def _moved(database: Database, kind: str) -> AsyncIterator[Told]:
    async for moved in inventory.moved(database, kind):
        yield Told(*moved)


class _Back(NamedTuple):
    """What went back of an order's money, by its returns, its payment and its gift cards."""

    order_id: str
    returned_minor: int = 0
    paid: payment.PaymentFact | None = None
    spent: giftcard.Spent | None = None

    @property
    def in_parts_minor(self) -> int:
        """What payment and gift cards gave back while the order stands."""
        parts_minor = self.paid.parts_minor if self.paid else 0
        return parts_minor + (self.spent.returned_minor if self.spent else 0)

    @property
    def went_back_minor(self) -> int:
        """All that payment and gift cards gave back."""
        refunded_minor = self.paid.refunded_minor if self.paid else 0
        spent = self.spent
        return refunded_minor + (spent.undone_minor + spent.returned_minor if spent else 0)

    @property
    def is_too_much(self) -> bool:
        """Whether one of the two gave back more than it took."""
        paid, spent = self.paid, self.spent
        if paid is not None and paid.refunded_minor > paid.captured_minor:
            return True
        return spent is not None and spent.undone_minor + spent.returned_minor > spent.spent_minor


async def _refunds(databases: Mapping[str, Database], open_orders: set[str]) -> Finding:
    """Each order's returns were paid out, and never more than was captured, or spent of cards."""
    finding = Finding(REFUNDED, 0, [], 0)
    async for back in _backs(databases):
        finding.examined = (finding.examined or 0) + int(back.went_back_minor > 0)
        is_settled = back.order_id not in open_orders
        if back.is_too_much or (back.returned_minor > back.in_parts_minor and is_settled):
            detail = f"{back.returned_minor} for returns; {back.went_back_minor} went back"
            finding.add(Violation(REFUNDED, back.order_id, detail))
    return finding


async def _backs(databases: Mapping[str, Database]) -> AsyncIterator[_Back]:
    """Every order of which money came or went, by rising id."""
    returns = order.refunds(databases["order"])
    payments = payment.payments(databases["payment"])
    spendings = giftcard.spendings(databases["giftcard"])
    told, paid = await _next(returns, None), await _next(payments, None)
    spent = await _next(spendings, None)
    while told or paid or spent:
        order_id = min(each[0] for each in (told, paid, spent) if each)
        back = _Back(order_id)
        if told and told[0] == order_id:
            back, told = back._replace(returned_minor=told[1]), await _next(returns, None)
        if paid and paid[0] == order_id:
            back, paid = back._replace(paid=paid), await _next(payments, None)
        if spent and spent[0] == order_id:
            back, spent = back._replace(spent=spent), await _next(spendings, None)
        yield back
