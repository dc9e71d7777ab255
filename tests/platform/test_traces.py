"""What became of an order can be followed from the request to the subscribers by its trace."""

import asyncio

import pytest

from emporion.chassis.calls.context import Trace
from emporion.chassis.telemetry.spans import NO_PARENT, Kind, Span
from emporion.contracts.order import OrderCreated
from emporion.contracts.webhook import CreateHook, WebhookService
from emporion.platform.audit.subscribers import REACTS_TO
from tests.defects.whole_shop import WholeShop

TOLD = [name for name, events in REACTS_TO.items() if OrderCreated.SPEC.name in events]
CALLS = {
    ("", "edge POST /api/orders"),
    ("edge POST /api/orders", "order place_order"),
    ("order place_order", "catalog quote_basket"),
    ("catalog quote_basket", "catalog read"),
    ("order place_order", "order transaction"),
    ("order place_order", "order create-order: reserve inventory"),
    ("order create-order: reserve inventory", "inventory reserve"),
    ("inventory reserve", "inventory transaction"),
    ("order place_order", "order create-order: charge payment"),
    ("order create-order: charge payment", "payment charge"),
    ("payment charge", "payment rehearsal: charge"),
    ("payment charge", "payment transaction"),
    ("order place_order", "order create-order: confirm order"),
    ("order create-order: confirm order", "order transaction"),
}
EVENTS = {("order create-order: confirm order", f"{name} react to orders.created") for name in TOLD}


@pytest.fixture
async def shop(tmp_path):
    shop = WholeShop(tmp_path / "shop")
    await shop.open()
    yield shop
    await shop.close()


def named(span: Span) -> str:
    return f"{span.service} {span.name}"


def edges(spans: list[Span]) -> set[tuple[str, str]]:
    """What caused what, by name."""
    by_id = {span.span_id: span for span in spans}
    assert {s.parent_id for s in spans} <= {*by_id, NO_PARENT}, "a span was caused by nobody"
    return {
        (named(by_id[span.parent_id]) if span.parent_id in by_id else "", named(span))
        for span in spans
    }


def of_last_order(shop: WholeShop) -> list[Span]:
    spans = shop.telemetry.spans
    (*_, request) = (span for span in spans.ring if span.name == "POST /api/orders")
    return spans.of_trace(request.trace_id)


async def test_one_order_is_one_trace_from_the_edge_to_the_subscribers(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 9)

    assert (await ada.order(("croissant", 1))).status == 201
    assert edges(of_last_order(shop)) == CALLS

    await shop.deliver()
    await shop.send_mails()
    spans = of_last_order(shop)
    assert edges(spans) >= CALLS | EVENTS
    assert ("payment charge", "webhook react to payments.captured") in edges(spans)
    assert ("order create-order: confirm order", "email send mail") in edges(spans)
    assert {span.outcome for span in spans} == {"ok"}
    assert {span.kind for span in spans} == set(Kind) - {Kind.ASKED, Kind.WORK}


async def test_what_was_held_up_for_an_hour_is_still_in_the_trace_of_its_order(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 9)
    assert (await ada.order(("croissant", 1))).status == 201

    await shop.pass_time(3_600)
    await shop.restart()
    await shop.deliver()
    await shop.pass_time(3_600)
    await shop.send_mails()

    ring = shop.telemetry.spans.ring
    (reaction,) = (s for s in ring if named(s) == "email react to orders.created")
    (mail,) = (s for s in ring if named(s) == "email send mail")
    assert mail.trace_id == reaction.trace_id
    assert mail.parent_id == reaction.parent_id
    assert reaction.fields["waited_ms"] >= 3_600_000


async def test_attempts_at_a_reaction_that_fail_are_in_the_trace_too(shop):
    broken = "CREATE TRIGGER broken BEFORE INSERT ON mail BEGIN SELECT RAISE(ABORT, 'broken'); END"
    await shop.write("email", broken)
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 9)
    assert (await ada.order(("croissant", 1))).status == 201
    await shop.deliver()
    await shop.write("email", "DROP TRIGGER broken")
    await shop.pass_time(3_600)
    await shop.deliver()

    told = [s for s in of_last_order(shop) if named(s) == "email react to orders.created"]
    assert told[-1].outcome == "ok"
    assert len(told) > 1
    assert "ok" not in {span.outcome for span in told[:-1]}
    assert len({span.parent_id for span in told}) == 1


async def test_a_saga_that_is_taken_up_again_goes_on_in_the_trace_of_its_order(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 9)
    shop.provider.is_charge_down = True
    assert (await ada.order(("croissant", 1))).status == 202
    trace_id = of_last_order(shop)[0].trace_id

    await shop.restart()
    await shop.take_up_sagas()

    again = [named(s) for s in shop.telemetry.spans.of_trace(trace_id) if s.kind is Kind.STEP]
    assert again == [
        "order create-order: charge payment",
        "order create-order: confirm order",
    ]


async def test_the_tries_of_a_webhook_are_in_the_trace_of_the_order_they_tell_of(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 9)
    hooks = shop.client(WebhookService)
    url = "http://127.0.0.1:9/?pass=swordfish"
    await shop.live(hooks.create_hook(CreateHook(url=url, events=["orders.created"])))
    await shop.start()

    assert (await ada.order(("croissant", 1))).status == 201
    await shop.pass_time(1)

    posted: list[Span] = []
    while not posted:  # the network is real: nobody is there, which is said soon
        await asyncio.sleep(0)
        await shop.pass_time(1)
        posted = [span for span in of_last_order(shop) if named(span) == "webhook post"]
    assert (posted[0].outcome, posted[0].fields) == ("HTTP 0", {"host": "127.0.0.1"})


async def test_of_an_order_that_is_not_recorded_only_what_failed_is(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 1)
    await shop.deliver()
    unsampled = Trace("a" * 32, "b" * 16, is_sampled=False).header()
    content = {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_ok"}

    shop.telemetry.spans.take()
    bought = await ada.send("POST", "/api/orders", content, key="k1", traceparent=unsampled)
    await shop.deliver()
    assert (bought.status, list(shop.telemetry.spans.ring)) == (201, [])

    late = await ada.send("POST", "/api/orders", content, key="k2", traceparent=unsampled)
    assert late.status == 409
    failed = {(named(s), s.outcome) for s in shop.telemetry.spans.of_trace("a" * 32)}
    assert ("inventory reserve", "FailedPrecondition") in failed


async def test_who_only_looks_how_the_shop_does_is_not_recorded(shop):
    operator = await shop.operator()
    wanted = f"00-{'a' * 32}-{'b' * 16}-01"
    shop.telemetry.spans.take()
    for target in ("/readyz", "/livez/order", "/metrics", "/api/operations/service-map"):
        answer = await operator.send("GET", target, traceparent=wanted)
        assert answer.status == 200
        assert answer.headers["x-trace-id"] not in {"a" * 32, "0" * 32}
    assert not shop.telemetry.spans.ring

    await operator.send("GET", "/api/products")
    assert shop.telemetry.spans.ring


async def test_reactions_to_several_orders_together_are_in_the_trace_of_each_order(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 9)
    for _ in range(3):
        assert (await ada.order(("croissant", 1))).status == 201
    await shop.deliver()

    spans = shop.telemetry.spans
    ordered = [span for span in spans.ring if span.name.endswith("place_order")]
    assert len({span.trace_id for span in ordered}) == 3
    for order in ordered:
        told = "react to orders.created"
        reactions = [s for s in spans.of_trace(order.trace_id) if s.name == told]
        assert sorted(s.service for s in reactions) == sorted(TOLD)
        assert {s.caller for s in reactions} == {"order"}
        assert {s.fields["events"] for s in reactions} == {3}
