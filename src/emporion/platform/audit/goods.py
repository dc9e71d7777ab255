"""Whether what was sent, came back and was refunded agrees between the services that say so."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from emporion.chassis.data.database import Database
from emporion.platform.audit.facts import Finding, Violation
from emporion.platform.audit.traffic import OpenSaga
from emporion.services.inventory import audit as inventory
from emporion.services.inventory.domain import COMEBACK, DEPARTURE, movement_key
from emporion.services.order import audit as order
from emporion.services.payment import audit as payment
from emporion.services.shipping import audit as shipping

F = TypeVar("F")
DEPARTED = "shipped units = stock departures"
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
    databases: Mapping[str, Database], open_: Sequence[OpenSaga]
) -> list[Finding]:
    """The three checks. What an open saga is about is on its way from one book to the other."""
    open_orders = {saga.order_id for saga in open_}
    stock = databases["inventory"]
    departed = _compared(_left(databases["shipping"]), _moved(stock, DEPARTURE))
    restocked = _compared(_restocked(databases["order"]), _moved(stock, COMEBACK))
    return [
        await _finding(DEPARTED, departed, open_orders),
        await _finding(RESTOCKED, restocked, open_orders),
        await _refunds(databases, open_orders),
    ]


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


async def _refunds(databases: Mapping[str, Database], open_orders: set[str]) -> Finding:
    """Each order's returns were paid out, and never more than was captured."""
    finding = Finding(REFUNDED, 0, [], 0)
    returned = order.refunds(databases["order"])
    next_id, refund_minor = await _next(returned, (_END, 0))
    async for fact in payment.payments(databases["payment"]):
        while next_id < fact.order_id:
            finding.add(Violation(REFUNDED, next_id, f"{refund_minor} refunded, no payment"))
            next_id, refund_minor = await _next(returned, (_END, 0))
        told = 0
        if next_id == fact.order_id:
            told = refund_minor
            next_id, refund_minor = await _next(returned, (_END, 0))
        finding.examined = (finding.examined or 0) + int(fact.refunded_minor > 0)
        is_too_much = fact.refunded_minor > fact.captured_minor
        if is_too_much or (told > fact.parts_minor and fact.order_id not in open_orders):
            detail = f"{told} for returns; {fact.refunded_minor} of {fact.captured_minor} went back"
            finding.add(Violation(REFUNDED, fact.order_id, detail))
    return finding
