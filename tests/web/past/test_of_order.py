"""The past of an order: over order, payment and stock together, with who did what and why."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from emporion.contracts.refusals import DidNotExistYet
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import OrderId
from emporion.web.past.of_order import (
    Difference,
    changes_of,
    differences,
    facts_at,
    facts_before,
)
from emporion.web.past.why import why_order
from tests.defects.people import Person, slug_of
from tests.defects.whole_shop import WholeShop

SCOPES = frozenset(
    {"operations:read", "orders:read", "payments:read", "inventory:read", "fraud:read"}
)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[WholeShop]:
    whole = WholeShop(tmp_path / "shop")
    await whole.open()
    await whole.stock("croissant", 9)
    yield whole
    await whole.close()


@pytest.fixture
async def ada(shop: WholeShop) -> Person:
    return await shop.customer("Ada")


async def cancelled(shop: WholeShop, ada: Person) -> tuple[OrderId, int]:
    """An order that was paid, and called off a minute later; and an instant in between."""
    order_id = (await ada.order(("croissant", 2))).json()["order_id"]
    await shop.deliver()
    shop.clock.advance(30)
    between_ms = shop.clock.now_ms()
    shop.clock.advance(30)
    await ada.send("POST", f"/api/orders/{order_id}/cancel", {"reason": "changed"})
    return OrderId(order_id), between_ms


def clients(shop: WholeShop) -> Any:
    return shop.shop.directory.clients("platform", shop.binding, scopes=SCOPES)


async def test_every_change_of_an_order_names_its_actor_its_command_and_one_trace(shop, ada):
    order_id, _ = await cancelled(shop, ada)

    happened = await shop.live(changes_of(clients(shop), order_id))

    told = {
        (each.service, each.change.what, each.change.actor_kind, each.change.command)
        for each in happened
    }
    assert told >= {
        ("order", "created", "person", "order.place_order"),
        ("inventory", "reservation.held", "service", "inventory.reserve"),
        ("payment", "payment.captured", "service", "payment.charge"),
        ("order", "paid", "service", "create-order: confirm order"),
        ("inventory", "reservation.committed", "service", "on orders.created"),
        ("order", "cancelled", "person", "order.cancel_order"),
        ("inventory", "reservation.released", "service", "inventory.release"),
        ("payment", "payment.refunded", "service", "payment.refund"),
    }
    assert [each.change.at for each in happened] == sorted(each.change.at for each in happened)
    by = {each.change.what: each.change for each in happened}
    assert by["created"].actor == by["cancelled"].actor == ada.user_id
    assert by["paid"].actor == by["payment.captured"].actor == "order"
    bought, undone = by["created"].trace_id, by["cancelled"].trace_id
    assert bought
    assert undone
    assert bought != undone
    called_off = [each.change.what for each in happened].index("cancelled")
    assert {each.change.trace_id for each in happened[:called_off]} == {bought}
    assert {each.change.trace_id for each in happened[called_off:]} == {undone}


async def test_two_instants_differ_in_order_payment_and_stock_alike(shop, ada):
    order_id, between_ms = await cancelled(shop, ada)

    before = await shop.live(facts_at(clients(shop), order_id, to_datetime(between_ms)))
    after = await shop.live(facts_at(clients(shop), order_id, None))

    different = differences(before, after)
    assert Difference("order.status", "paid", "cancelled") in different
    assert Difference("payment.status", "captured", "refunded") in different
    assert Difference("stock.status", "committed", "released") in different
    assert differences(after, after) == []


async def test_before_an_order_there_is_nothing_of_it_and_a_word_about_when_it_began(shop, ada):
    order_id, _ = await cancelled(shop, ada)
    long_ago = to_datetime(0)

    with pytest.raises(DidNotExistYet) as refused:
        await shop.live(facts_at(clients(shop), order_id, long_ago))

    assert "1970-01-01T00:00:00.000Z" in refused.value.detail
    assert str(refused.value.fields["began_at"]) in refused.value.detail
    assert await shop.live(facts_before(clients(shop), order_id, long_ago)) == {}


async def test_an_order_that_nobody_placed_has_no_past(shop):
    with pytest.raises(NotFound):
        await shop.live(changes_of(clients(shop), OrderId("ord_" + "0" * 32)))


async def test_a_rejected_order_tells_what_was_undone(shop, ada):
    await ada.order(("croissant", 2), token="tok_declined")
    (listed,) = (await ada.get("/api/orders")).json()["orders"]

    happened = await shop.live(changes_of(clients(shop), OrderId(listed["order_id"])))

    commands = {each.change.what: each.change.command for each in happened}
    assert commands["rejected"] == "create-order: open order"
    assert commands["reservation.released"] == "inventory.release"


@pytest.mark.parametrize("path", ["orders/{}", "payments/{}"])
async def test_over_http_the_past_is_the_owners_and_no_one_elses(shop, ada, path):
    order_id, between_ms = await cancelled(shop, ada)
    instant = to_datetime(between_ms).isoformat().replace("+00:00", "Z")
    target = f"/api/{path.format(order_id)}"
    bob, operator = await shop.customer("Bob"), await shop.operator()

    own = await ada.get(f"{target}?as_of={instant}")
    assert own.json()["status"] in ("paid", "captured")
    assert (await operator.get(f"{target}?as_of={instant}")).json() == own.json()
    assert slug_of(await bob.get(f"{target}?as_of={instant}")) == "not-found"
    assert slug_of(await bob.get(f"{target}?as_of=1970-01-01T00:00:00Z")) == "not-found"
    assert slug_of(await ada.get(f"{target}?as_of=1970-01-01T00:00:00Z")) == "did-not-exist-yet"
    future = await ada.get(f"{target}?as_of=2999-01-01T00:00:00Z")
    assert (future.status, slug_of(future)) == (400, "in-the-future")
    nowhere = await ada.get(f"{target}?as_of=2026-01-01T00:00:00")
    assert (nowhere.status, slug_of(nowhere)) == (400, "invalid-parameter")
    assert (await ada.get(f"{target}/history")).status == 403
    assert (await operator.get(f"{target}/history")).json()["changes"]


async def test_why_an_order_was_rejected_is_said_by_every_service_that_knows(shop, ada):
    await ada.order(("croissant", 2), token="tok_declined")
    (listed,) = (await ada.get("/api/orders")).json()["orders"]

    said = await shop.live(why_order(clients(shop), OrderId(listed["order_id"])))

    told = {reason.service: reason.says for reason in said}
    assert "payment-declined" in told["order"]
    assert told["saga"] == "create-order is refused"
    assert told["payment"].startswith("declined")
    assert told["inventory"].startswith("released")


async def test_why_an_order_waits_is_said_with_its_step_and_its_next_attempt(shop, ada):
    shop.provider.is_charge_down = True
    order_id = (await ada.order(("croissant", 2))).json()["order_id"]

    said = await shop.live(why_order(clients(shop), OrderId(order_id)))

    told = {reason.service: reason.says for reason in said}
    assert "pending" in told["order"]
    assert "at 'charge payment' after 1 failed attempts" in told["saga"]
    assert "next attempt" in told["saga"]
    assert told["inventory"].startswith("held until")


async def test_nobody_knows_why_an_order_is_that_was_never_placed(shop):
    with pytest.raises(NotFound):
        await shop.live(why_order(clients(shop), OrderId("ord_" + "0" * 32)))
