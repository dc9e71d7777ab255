"""Two people at what is on its way to one of them, or back: each sees only what is her own."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.api.shopfront import Person, Shopfront, must

Scenario = Callable[[Shopfront, Person, Person], Awaitable[None]]
WANTED = {"lines": [{"sku": "croissant", "quantity": 1}], "reason": "it was cold"}


async def shipped(front: Shopfront, who: Person, key: str) -> dict[str, Any]:
    """A shipment of everything that somebody ordered."""
    order = await front.order(who, key)
    await front.until_quiet()
    target = f"/api/shipping/fulfilments/{order['order_id']}"
    staff = front.operator
    must(await front.json(staff, "POST", f"{target}/release", {"reason": "a test"}))
    (there,) = must(await front.send(staff, "GET", target))["to_ship"]
    parcel = {
        "warehouse_id": there["warehouse_id"],
        "lines": [{"sku": there["sku"], "quantity": there["quantity"]}],
        "carrier": "Post",
        "tracking_number": "RR1",
    }
    answer = await front.json(staff, "POST", f"{target}/shipments", parcel, idempotency_key=key)
    return dict(must(answer))


async def delivered(front: Shopfront, who: Person, key: str) -> str:
    """The id of an order that has arrived."""
    shipment = await shipped(front, who, key)
    target = f"/api/shipping/shipments/{shipment['shipment_id']}/deliver"
    must(await front.send(front.operator, "POST", target))
    await front.until_quiet()
    return str(shipment["order_id"])


async def _get_shipment(front: Shopfront, ann: Person, bob: Person) -> None:
    shipment = await shipped(front, ann, "to-be-tracked")
    target = f"/api/shipping/shipments/{shipment['shipment_id']}"
    assert (await front.send(bob, "GET", target)).status == 404
    assert must(await front.send(ann, "GET", target)) == shipment


async def _shipments_of(front: Shopfront, ann: Person, bob: Person) -> None:
    shipment = await shipped(front, ann, "to-be-awaited")
    target = f"/api/shipping/orders/{shipment['order_id']}"
    assert (await front.send(bob, "GET", target)).status == 404
    assert must(await front.send(ann, "GET", target))["shipments"] == [shipment]


async def _ask_return(front: Shopfront, ann: Person, bob: Person) -> None:
    target = f"/api/orders/{await delivered(front, ann, 'to-be-kept-at-home')}/returns"
    answer = await front.json(bob, "POST", target, WANTED, idempotency_key="steal")
    assert answer.status == 404
    assert must(await front.send(ann, "GET", target))["returns"] == []


async def _returns_of(front: Shopfront, ann: Person, bob: Person) -> None:
    target = f"/api/orders/{await delivered(front, ann, 'to-go-back')}/returns"
    asked = must(await front.json(ann, "POST", target, WANTED, idempotency_key="back"))
    assert (await front.send(bob, "GET", target)).status == 404
    assert must(await front.send(ann, "GET", target))["returns"] == [asked]


async def _get_return(front: Shopfront, ann: Person, bob: Person) -> None:
    target = f"/api/orders/{await delivered(front, ann, 'to-go-back-too')}/returns"
    asked = must(await front.json(ann, "POST", target, WANTED, idempotency_key="back"))
    one = f"/api/returns/{asked['return_id']}"
    assert (await front.send(bob, "GET", one)).status == 404
    assert must(await front.send(ann, "GET", one)) == asked


OWNED: dict[str, Scenario] = {
    "shipping.get_shipment": _get_shipment,
    "shipping.shipments_of": _shipments_of,
    "order.ask_return": _ask_return,
    "order.returns_of": _returns_of,
    "order.get_return": _get_return,
}
