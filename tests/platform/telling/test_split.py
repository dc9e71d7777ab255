"""A shop in a process a service shows one order as one story: every hop, from every process."""

import asyncio
import json
import subprocess
import time

import pytest

from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import (
    SearchTraces,
    ServiceMapOf,
    SpanOfTrace,
    TraceDetails,
    TraceOf,
)
from emporion.platform.operating import Target, operate
from emporion.platform.settings import Settings
from tests.reliability.split_shop import ASKED_EVERY_S, SplitShop
from tests.system.running import COMMAND, environment

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]
CALLS = {
    ("edge POST /api/orders", "http POST /api/orders"),
    ("http POST /api/orders", "order place_order"),
    ("order place_order", "order catalog.quote_basket"),
    ("order catalog.quote_basket", "catalog quote_basket"),
    ("catalog quote_basket", "catalog read"),
    ("order place_order", "order transaction"),
    ("order create-order: reserve inventory", "order inventory.reserve"),
    ("order inventory.reserve", "inventory reserve"),
    ("inventory reserve", "inventory transaction"),
    ("order create-order: charge payment", "order payment.charge"),
    ("order payment.charge", "payment charge"),
    ("payment charge", "payment rehearsal: charge"),
    ("payment charge", "payment transaction"),
    ("order create-order: confirm order", "order transaction"),
    ("order create-order: confirm order", "email react to orders.created"),
    ("order create-order: confirm order", "inventory react to orders.created"),
    ("order create-order: confirm order", "shipping react to orders.created"),
    ("order create-order: confirm order", "email send mail"),
}
WHOLE_WITHIN_S = 30.0
"""Events take their time, and each process tells its last second when it is asked."""
HOPS = ("edge", "http", "order", "catalog", "inventory", "payment", "email", "fraud", "shipping")


def edges(spans: list[SpanOfTrace]) -> set[tuple[str, str]]:
    names = {span.span_id: f"{span.service} {span.name}" for span in spans}
    return {(names.get(span.parent_id, ""), names[span.span_id]) for span in spans}


async def test_one_order_of_a_split_shop_is_one_story_with_every_hop(tmp_path):
    async with SplitShop(tmp_path / "shop") as shop:
        run("load", "--orders", "2", "--url", shop.url)
        settings = Settings()
        target = Target(
            folder=shop.data,
            url=shop.url,
            email=settings.operator_email,
            password=settings.operator_password,
        )

        async def look(desk: OperationsService) -> TraceDetails:
            page = await desk.search_traces(SearchTraces(contains="POST /api/orders"))
            assert not page.missing
            return await desk.get_trace(TraceOf(trace_id=page.traces[0].trace_id))

        until_s = time.monotonic() + WHOLE_WITHIN_S
        trace = await operate(target, look)
        while not edges(trace.spans) >= CALLS and time.monotonic() < until_s:
            await asyncio.sleep(ASKED_EVERY_S)
            trace = await operate(target, look)
        assert CALLS - edges(trace.spans) == set()
        assert len({span.process for span in trace.spans}) >= 8
        assert len([span for span in trace.spans if span.parent_id == "0" * 16]) == 1

        printed = run("trace", trace.trace_id, "--url", shop.url, COLUMNS="80")
        assert max(map(len, printed.splitlines())) <= 80
        for hop in HOPS:
            assert f" {hop} " in printed, printed
        story = json.loads(run("trace", trace.trace_id, "--json", "--url", shop.url))
        assert {entry["service"] for entry in story["entries"]} >= set(HOPS)

        async def mapped(desk: OperationsService) -> dict[tuple[str, str, str], int]:
            told = await desk.service_map(ServiceMapOf(window_s=600))
            return {(edge.kind, edge.caller, edge.service): edge.calls for edge in told.edges}

        calls = await operate(target, mapped)
        assert calls["local", "edge", "order"] >= 2
        assert calls["remote", "order", "payment"] == 2
        assert calls["event", "order", "email"] >= 1
        assert not [key for key in calls if "remote" in key[1:]]


def run(*words: str, **environ: str) -> str:
    done = subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, check=False,
        env={**environment(), **environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
