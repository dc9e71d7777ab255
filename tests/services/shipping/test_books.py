"""Fulfilments follow from their shipments, and what was edited in either is found."""

import pytest

from emporion.chassis.data.database import Tx
from emporion.kernel.aggregate import NotInThisState
from emporion.services.shipping import audit


async def found(dock) -> set[tuple[str, str]]:
    return {(each.check, each.subject) async for each in audit.violations(dock.database)}


async def test_fulfilments_in_every_state_follow_from_their_shipments(dock):
    await dock.paid(is_clear=False)
    await dock.paid()
    partly = await dock.paid(("bread", "main", 2))
    await dock.ship(partly, bread=1)
    whole = await dock.paid(("bread", "main", 2), ("bread", "annex", 1))
    first = await dock.ship(whole, "main", bread=2)
    assert await found(dock) == set()
    last = await dock.ship(whole, "annex", bread=1)
    await dock.deliver(first.shipment_id)
    assert await found(dock) == set()
    await dock.deliver(last.shipment_id)
    assert await found(dock) == set()


async def test_a_shipment_that_was_stopped_counts_for_nothing(dock):
    order_id = await dock.paid(("bread", "main", 2))
    dock.orders.cancelled.add(order_id)
    with pytest.raises(NotInThisState):
        await dock.ship(order_id)
    assert await found(dock) == set()
    dock.orders.cancelled.clear()
    await dock.ship(order_id)
    assert await found(dock) == set()


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        ("UPDATE fulfilment SET status = 'shipped' WHERE status = 'delivered'", audit.FOLLOWS),
        ("UPDATE fulfilment SET status = 'ready' WHERE status = 'delivered'", audit.FOLLOWS),
        ("UPDATE fulfilment SET allocations = '[]' WHERE status = 'delivered'", audit.FOLLOWS),
        ("UPDATE fulfilment SET order_id = 'ord_x' WHERE status = 'delivered'", audit.FOLLOWS),
        ("DELETE FROM fulfilment WHERE status = 'delivered'", audit.FOLLOWS),
        ("UPDATE shipment SET status = 'shipped', delivered_at_ms = NULL", audit.FOLLOWS),
        ("UPDATE shipment SET warehouse_id = 'annex'", audit.FOLLOWS),
        ("UPDATE shipment SET lines = '[[\"bread\",1]]'", audit.FOLLOWS),
        ("UPDATE shipment SET user_id = 'usr_x'", audit.FOLLOWS),
        ("DELETE FROM shipment", audit.FOLLOWS),
        ("UPDATE shipment SET delivered_at_ms = NULL", audit.DATED),
        ("UPDATE shipment SET shipped_at_ms = NULL", audit.DATED),
    ],
)
async def test_what_was_edited_is_found(dock, edit: str, check: str):
    order_id = await dock.paid(("bread", "main", 2))
    shipment = await dock.ship(order_id)
    await dock.deliver(shipment.shipment_id)
    assert await found(dock) == set()

    async def work(tx: Tx) -> None:
        assert await tx.execute(edit) == 1

    await dock.database.transaction(work)
    subject = shipment.shipment_id if check == audit.DATED else order_id
    assert (check, subject) in await found(dock)
