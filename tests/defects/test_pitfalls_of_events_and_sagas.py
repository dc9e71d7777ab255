"""Pitfalls 1 to 4: words about delivery, cursors, sagas that forget, local calls unlike others."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import emporion
from emporion.chassis.calls.directory import Binding
from emporion.chassis.data.database import Tx
from emporion.chassis.saga.definition import Saga, local
from emporion.contracts.inventory import (
    InventoryService,
    Line,
    OutOfStock,
    ReservationReleased,
    Reserve,
)
from emporion.contracts.payment import Charge, PaymentService, PaymentVoided
from emporion.kernel.errors import EmporionError, InvalidArgument
from emporion.kernel.ids import OrderId, Sku
from emporion.kernel.money import Money
from tests.architecture.rules.honesty import TALL_CLAIM
from tests.architecture.tree import ROOT
from tests.defects.books import Mail
from tests.defects.whole_shop import CROISSANT, WholeShop

INBOX_AND_MAILS = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM mail)"
POSITIONS = "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM outbox"
ORDER_ID = OrderId(f"ord_{'f' * 32}")


# --- 1: words, and the row behind them -----------------------------------------------------------


def test_pitfall_01_nothing_promises_more_than_effects_once():
    source = Path(emporion.__file__).parent
    texts = [*source.rglob("*.py"), *source.rglob("*.txt"), *ROOT.glob("*.md")]
    guides = [path for path in ROOT.glob("docs/**/*.md") if path.name not in QUOTING]

    claims = [path.name for path in (*texts, *guides) if TALL_CLAIM.search(path.read_text())]

    assert claims == []


QUOTING = {"glossary.md", "style.md", "defects.md"}
"""The documents that say which words are not used."""


async def test_pitfall_01_the_inbox_row_and_the_effect_are_committed_together(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 50)
    seen = shop.watch_commits("email", INBOX_AND_MAILS)
    await shop.break_mails()
    await ada.order(("croissant", 1))
    retry_at_ms = await shop.deliver()

    await shop.mend_mails()
    await shop.pass_time((retry_at_ms - shop.clock.now_ms()) / 1000)
    await shop.all(ada.order(("croissant", 1)) for _ in range(10))
    await shop.deliver()

    assert seen[-1] == (11, 11)
    assert [claimed for claimed, _ in seen] == [mails for _, mails in seen]


# --- 2: positions in a log -----------------------------------------------------------------------


def lost_by_a_cursor(visible: list[list[int]]) -> set[int]:
    """What a reader of "everything after my position" misses, given what each look could see."""
    position, read = 0, set[int]()
    for positions in visible:
        read |= {each for each in positions if each > position}
        position = max([position, *positions])
    return set(visible[-1]) - read


def test_where_writers_commit_side_by_side_a_naive_cursor_loses_events():
    # Two writers took positions 1 and 2; the second was the first to commit.
    assert lost_by_a_cursor([[2], [1, 2], [1, 2, 3]]) == {1}


async def test_pitfall_02_our_positions_appear_in_the_order_of_the_commits_without_a_gap(shop):
    buyers = [await shop.customer(f"buyer-{n}") for n in range(40)]
    await shop.stock("croissant", 25)
    seen = shop.watch_commits("order", POSITIONS)

    await shop.all(buyer.order(("croissant", 1)) for buyer in buyers)

    assert seen[-1] == (40, 1, 40)
    assert all(last == first + number - 1 for number, first, last in seen)
    visible = [list(range(first, last + 1)) for _, first, last in seen]
    assert lost_by_a_cursor(visible) == set()
    assert all(set(before) <= set(after) for before, after in pairwise(visible))


async def test_pitfall_02_what_is_published_during_a_delivery_is_delivered_too(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 50)
    database, answers = shop.shop.databases["email"], [await ada.order(("croissant", 1))]
    commit = database.transaction

    async def another_order_meanwhile(work):
        done = await commit(work)
        if len(answers) < 5:
            answers.append(await ada.order(("croissant", 1)))
        return done

    database.transaction = another_order_meanwhile
    await shop.deliver()
    del database.transaction
    await shop.deliver()

    assert len(answers) > 2
    assert await shop.mails() == [
        Mail("order-confirmation", answer.json()["order_id"], "queued") for answer in answers
    ]
    assert await shop.audit() == []


# --- 3: sagas ------------------------------------------------------------------------------------


async def test_pitfall_03_a_saga_goes_on_after_a_restart(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    shop.provider.is_charge_down = True
    answer = await ada.order(("croissant", 1), key="mine")
    assert answer.status == 202

    await shop.restart()
    await shop.start()
    await shop.pass_time(1)

    order_id = answer.json()["order_id"]
    assert await shop.orders() == {order_id: "paid"}
    repeated = await ada.order(("croissant", 1), key="mine")
    assert (repeated.status, repeated.json()["order_id"]) == (201, order_id)
    assert await shop.audit() == []


async def test_pitfall_03_what_was_undone_before_it_was_done_is_never_done(shop):
    await shop.stock("croissant", 5)
    inventory = shop.client(InventoryService, caller="order")
    payment = shop.client(PaymentService, caller="order")
    reserve = Reserve(order_id=ORDER_ID, lines=[Line(sku=CROISSANT, quantity=2)])
    charge = Charge(
        order_id=ORDER_ID,
        user_id=(await shop.customer("Ada")).user_id,
        amount=Money(500, "EUR"),
        payment_token="tok_ok",
    )

    await shop.live(inventory.release(reserve))
    await shop.live(payment.refund(charge))
    with pytest.raises(ReservationReleased):
        await shop.live(inventory.reserve(reserve))
    with pytest.raises(PaymentVoided):
        await shop.live(payment.charge(charge))

    assert await shop.levels() == {("croissant", "main"): (5, 0)}
    assert shop.provider_book() == []


async def test_pitfall_03_a_saga_in_flight_ends_by_the_definition_it_began_with(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    shop.provider.is_charge_down = True
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]
    await shop.restart()
    run = []

    async def gift_wrap(_: Tx, taking: object) -> None:
        run.append(taking)

    old = next(saga for saga in shop.shop.assembly("order").sagas if saga.name == "create-order")
    steps = (*old.steps[:-1], local("wrap as a gift", do=gift_wrap), old.steps[-1])
    new = Saga(old.name, version=2, input=old.input, steps=steps, refusals=old.refusals)
    shop.shop.engines["order"].register([new])
    await shop.take_up_sagas()

    assert run == []
    assert await shop.orders() == {order_id: "paid"}
    assert await shop.audit() == []


async def test_pitfall_03_a_saga_whose_definition_is_gone_waits_for_it(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    shop.provider.is_charge_down = True
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]
    shop.provider.is_charge_down = False
    engine = shop.shop.engines["order"]
    known = dict(engine._sagas)

    old = engine._sagas.pop(("create-order", 1))
    steps = (*old.steps[:2], old.steps[-1])  # the next release charges elsewhere
    engine.register([Saga(old.name, version=2, input=old.input, steps=steps)])
    await shop.take_up_sagas()
    assert await shop.orders() == {order_id: "pending"}

    engine._sagas = known
    await shop.take_up_sagas()
    assert await shop.orders() == {order_id: "paid"}
    assert await shop.audit() == []


# --- 4: bindings ---------------------------------------------------------------------------------


async def a_day(folder: Path, binding: Binding) -> list[Any]:
    """Everything that can be seen of a shop on a day, under one binding of its calls."""
    whole = WholeShop(folder, binding)
    await whole.open()
    try:
        return [*await _requests(whole), *await _wrong_calls(whole), await _events(whole)]
    finally:
        await whole.close()


async def _requests(shop: WholeShop) -> list[Any]:
    ada, bob = await shop.customer("Ada"), await shop.customer("Bob")
    await shop.stock("croissant", 4)
    await ada.add("croissant", 2)
    answers = [
        await ada.checkout(key="one"),
        await ada.checkout(key="one"),
        await bob.order(("croissant", 9)),
        await bob.order(("tea", 1)),
        await bob.order(("croissant", 1), token="tok_declined"),
        await bob.order(("croissant", 1), token="tok_timeout"),
        await bob.order(("croissant", 1), token="tok_never"),
        await bob.order(("croissant", 0)),
        await bob.get("/api/orders?limit=1"),
    ]
    order_id = answers[0].json()["order_id"]
    answers += [
        await bob.get(f"/api/orders/{order_id}"),
        await ada.send("POST", f"/api/orders/{order_id}/cancel", {}),
        await ada.get(f"/api/payments/{order_id}"),
    ]
    without_trace = re.compile(rb'"trace_id":"[0-9a-f]*"')
    return [(answer.status, without_trace.sub(b"", answer.body)) for answer in answers]


async def _wrong_calls(shop: WholeShop) -> list[Any]:
    """Calls between services that do not keep to their contract, and the errors that come back."""
    inventory = shop.client(InventoryService, caller="order")
    lines = [Line(sku=CROISSANT, quantity=1)]
    told: list[Any] = []
    for request in (
        Reserve(order_id=ORDER_ID, lines=[]),
        Reserve(order_id=ORDER_ID, lines=lines, expires_in_s=0),
        Reserve(order_id=OrderId("no order"), lines=lines),
        Reserve(order_id=ORDER_ID, lines=lines * 300),
        Reserve(order_id=ORDER_ID, lines=[Line(sku=Sku("tea"), quantity=1)]),
    ):
        try:
            told.append(await shop.live(inventory.reserve(request)))
        except EmporionError as error:
            told.append((type(error), error.slug, error.detail, dict(error.fields)))
    return told


async def _events(shop: WholeShop) -> object:
    await shop.deliver()
    sql = "SELECT position, name, key FROM outbox ORDER BY position"
    published = {service: await shop.rows(service, sql) for service in shop.shop.databases}
    return published, await shop.mails(), await shop.levels()


def timeless(day: list[Any]) -> str:
    """A day without the milliseconds that ids and instants are made of."""
    return re.sub(r"[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+Z|\b17\d{11}\b", "*", repr(day))


async def test_pitfall_04_both_local_bindings_behave_alike_to_the_last_event(tmp_path):
    fast = await a_day(tmp_path / "fast", Binding.LOCAL_FAST)
    strict = await a_day(tmp_path / "strict", Binding.LOCAL_STRICT)

    assert timeless(fast) == timeless(strict)
    assert [status for status, _ in fast[:9]] == [201, 201, 409, 404, 402, 201, 202, 422, 200]
    assert [kind for kind, *_ in fast[12:17]] == [*[InvalidArgument] * 4, OutOfStock]


@pytest.mark.parametrize("binding", list(Binding))
async def test_pitfall_04_events_of_one_order_are_told_in_their_order(tmp_path, binding):
    whole = WholeShop(tmp_path / "shop", binding)
    await whole.open()
    ada = await whole.customer("Ada")
    await whole.stock("croissant", 5)
    answers = [await ada.order(("croissant", 1)) for _ in range(3)]
    ids = [answer.json()["order_id"] for answer in answers]

    for order_id in ids:
        await ada.send("POST", f"/api/orders/{order_id}/cancel", {})
    await whole.deliver()

    mails = await whole.mails()
    await whole.close()
    for order_id in ids:
        told = [mail.template for mail in mails if mail.order_id == order_id]
        assert told == ["order-confirmation", "order-cancellation"]
