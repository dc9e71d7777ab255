"""A shop in a process a service shows each order as one story: every hop, from every process."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest
import pytest_asyncio

from emporion.chassis.calls.clients import Clients
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_faults import (
    ClearFault,
    FaultKind,
    FaultList,
    FaultStanding,
    ListFaults,
    SwitchFaultOn,
)
from emporion.contracts.operations_telemetry import (
    SearchTraces,
    ServiceMapOf,
    SpanOfTrace,
    TraceDetails,
    TraceOf,
)
from emporion.contracts.webhook import CreateHook, WebhookService
from emporion.platform.operating import Target, consult
from emporion.platform.settings import Settings
from tests.reliability.split_shop import ASKED_EVERY_S, SplitShop
from tests.system.running import COMMAND, environment
from tests.system.wire import Wire

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]
T = TypeVar("T")
CALLS = {
    ("edge POST /api/orders", "http POST /api/orders"),
    ("http POST /api/orders", "order place_order"),
    ("order place_order", "order catalog.quote_basket"),
    ("order catalog.quote_basket", "catalog quote_basket"),
    ("catalog quote_basket", "catalog read"),
    ("order place_order", "order transaction"),
    ("order place_order", "order create-order: reserve inventory"),
    ("order create-order: reserve inventory", "order inventory.reserve"),
    ("order inventory.reserve", "inventory reserve"),
    ("inventory reserve", "inventory transaction"),
    ("order place_order", "order create-order: charge payment"),
    ("order create-order: charge payment", "order payment.charge"),
    ("order payment.charge", "payment charge"),
    ("payment charge", "payment rehearsal: charge"),
    ("payment charge", "payment transaction"),
    ("order place_order", "order create-order: confirm order"),
    ("order create-order: confirm order", "order transaction"),
}
EVENTS = {
    ("order create-order: confirm order", "email react to orders.created"),
    ("order create-order: confirm order", "inventory react to orders.created"),
    ("order create-order: confirm order", "shipping react to orders.created"),
    ("order create-order: confirm order", "fraud react to orders.created"),
    ("order create-order: confirm order", "analytics react to orders.created"),
    ("order create-order: confirm order", "recommendation react to orders.created"),
    ("order create-order: confirm order", "webhook react to orders.created"),
    ("order create-order: confirm order", "webhook post"),
    ("order create-order: confirm order", "email send mail"),
    ("payment charge", "webhook react to payments.captured"),
}
SIGN_UP = {
    ("edge POST /api/users", "http POST /api/users"),
    ("http POST /api/users", "user sign_up"),
    ("user sign_up", "user read"),
    ("user sign_up", "user vault.make_key"),
    ("user vault.make_key", "vault make_key"),
    ("vault make_key", "vault transaction"),
    ("user sign_up", "user transaction"),
    ("user sign_up", "analytics react to users.registered"),
}
MAIL = ("order create-order: confirm order", "email react to orders.created")
WHOLE_WITHIN_S = 45.0
"""Events take their time, and each process tells its last second when it is asked."""
HOPS = ("edge", "http", "order", "catalog", "inventory", "payment", "email", "fraud", "shipping")
SEEN_WITHIN_S = 5.0
NOBODY_LISTENS = "http://127.0.0.1:9/"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SplitShop]:
    """A split shop in which faults are allowed, with a webhook; its books add up at the end."""
    opened = SplitShop(
        tmp_path_factory.mktemp("split") / "shop",
        environ=environment(EMPORION_ALLOW_FAULTS="true"),
    )
    async with opened:
        await told(
            opened,
            lambda clients: clients.get(WebhookService).create_hook(
                CreateHook(url=NOBODY_LISTENS, events=["orders.created"])
            ),
        )
        yield opened
        books = await opened.settled_books()
        assert [each for each in books["findings"] if each["violations"]] == []


async def told(shop: SplitShop, work: Callable[[Clients], Awaitable[T]]) -> T:
    """What `work` answers, as the operator."""
    settings = Settings()
    target = Target(
        folder=shop.data,
        url=shop.url,
        email=settings.operator_email,
        password=settings.operator_password,
    )
    return await consult(target, work)


def edges(spans: list[SpanOfTrace]) -> set[tuple[str, str]]:
    names = {span.span_id: f"{span.service} {span.name}" for span in spans}
    return {(names.get(span.parent_id, ""), names[span.span_id]) for span in spans}


async def newest(
    shop: SplitShop, name: str, is_whole: Callable[[TraceDetails], bool]
) -> TraceDetails:
    """The newest trace that began with a request, as soon as it is whole, or WHOLE_WITHIN_S on."""

    async def look(clients: Clients) -> TraceDetails:
        desk = clients.get(OperationsService)
        page = await desk.search_traces(SearchTraces(contains=name))
        assert not page.missing
        trace_id = next(each.trace_id for each in page.traces if each.name.endswith(name))
        until_s = time.monotonic() + WHOLE_WITHIN_S
        trace = await desk.get_trace(TraceOf(trace_id=trace_id))
        while not is_whole(trace) and time.monotonic() < until_s:
            await asyncio.sleep(ASKED_EVERY_S)
            trace = await desk.get_trace(TraceOf(trace_id=trace_id))
        return trace

    return await told(shop, look)


def run(*words: str, **environ: str) -> str:
    done = subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, check=False,
        env={**environment(), **environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_one_order_of_a_split_shop_is_one_story_with_every_hop(shop):
    run("load", "--orders", "2", "--url", shop.url)

    trace = await newest(
        shop, "POST /api/orders", lambda trace: edges(trace.spans) >= CALLS | EVENTS
    )

    assert (CALLS | EVENTS) - edges(trace.spans) == set()
    assert len({span.process for span in trace.spans}) >= 9
    assert len([span for span in trace.spans if span.parent_id == "0" * 16]) == 1
    printed = run("trace", trace.trace_id, "--url", shop.url, COLUMNS="80")
    assert max(map(len, printed.splitlines())) <= 80
    for hop in HOPS:
        assert f" {hop} " in printed, printed
    story = json.loads(run("trace", trace.trace_id, "--json", "--url", shop.url))
    assert {entry["service"] for entry in story["entries"]} >= set(HOPS)


async def test_the_map_of_a_split_shop_tells_each_call_once(shop):
    run("load", "--orders", "2", "--url", shop.url)

    async def mapped(clients: Clients) -> dict[tuple[str, str, str], int]:
        told = await clients.get(OperationsService).service_map(ServiceMapOf(window_s=600))
        return {(edge.kind, edge.caller, edge.service): edge.calls for edge in told.edges}

    calls = await told(shop, mapped)
    assert calls["local", "edge", "order"] >= 2
    assert calls["remote", "order", "payment"] >= 2
    assert not [key for key in calls if "remote" in key[1:]]


async def test_signing_up_is_one_story_over_user_vault_and_their_databases(shop):
    run("load", "--orders", "1", "--url", shop.url)

    trace = await newest(shop, "POST /api/users", lambda trace: edges(trace.spans) >= SIGN_UP)

    assert SIGN_UP - edges(trace.spans) == set()


async def test_a_mail_that_is_made_at_a_later_attempt_is_in_the_story_with_the_one_that_failed(
    shop,
):
    await switch_on(shop, "email", FaultKind.ERRORS, duration_s=600)
    run("load", "--orders", "1", "--url", shop.url)

    def of_mail(trace: TraceDetails) -> list[str]:
        named = {span.span_id: f"{span.service} {span.name}" for span in trace.spans}
        return [
            span.outcome
            for span in sorted(trace.spans, key=lambda span: span.started_us)
            if (named.get(span.parent_id, ""), named[span.span_id]) == MAIL
        ]

    await newest(shop, "POST /api/orders", lambda trace: bool(of_mail(trace)))
    clear = ClearFault(service="email", reason="seen")
    await told(shop, lambda clients: clients.get(OperationsService).clear_fault(clear))
    trace = await newest(shop, "POST /api/orders", lambda trace: "ok" in of_mail(trace))

    assert of_mail(trace)[-1] == "ok"
    assert set(of_mail(trace)[:-1]) == {"Unavailable"}


async def listed_faults(clients: Clients) -> FaultList:
    return await clients.get(OperationsService).list_faults(ListFaults())


async def test_a_fault_is_in_the_process_of_its_service_and_on_the_map_within_seconds(shop):
    fault = await switch_on(shop, "recommendation", FaultKind.ERRORS, duration_s=30)
    assert fault.processes == ["recommendation-1"]
    wire = Wire(shop.url)
    asked = await wire.ask("GET", "/api/recommendations")
    await wire.close()
    began_s = time.monotonic()
    assert asked.status == 503

    async def until_seen(clients: Clients) -> float:
        desk = clients.get(OperationsService)
        while True:
            shown = await desk.service_map(ServiceMapOf(window_s=10))
            if any(edge.faults for edge in shown.edges if edge.service == "recommendation"):
                return time.monotonic() - began_s
            assert time.monotonic() - began_s < SEEN_WITHIN_S

    assert await told(shop, until_seen) < SEEN_WITHIN_S
    listed = await told(
        shop, lambda clients: clients.get(OperationsService).list_faults(ListFaults())
    )
    assert [(each.service, each.kind) for each in listed.faults] == [
        ("recommendation", FaultKind.ERRORS)
    ]
    assert "fraud" in listed.services


async def test_a_crash_kills_the_process_which_is_started_again_and_orders_go_on(shop):
    before = shop.pid("fraud-1")

    fault = await switch_on(shop, "fraud", FaultKind.CRASH, duration_s=5)
    run("load", "--orders", "3", "--url", shop.url)

    assert fault.effect == "its process is killed now, once; whoever keeps it starts it again"
    await shop.until_back("fraud-1", before)
    assert "fraud-1 ended (signal 9)" in shop.said
    await shop.until_quiet()


async def switch_on(
    shop: SplitShop, service: str, kind: FaultKind, *, duration_s: int
) -> FaultStanding:
    request = SwitchFaultOn(service=service, kind=kind, duration_s=duration_s, reason="a drill")
    return await told(shop, lambda clients: clients.get(OperationsService).switch_fault_on(request))
