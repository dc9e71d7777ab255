"""The callee's side: load is shed by importance, and what failed is counted and hidden."""

import asyncio
import logging

import pytest

from emporion.chassis.auth.identity import ANONYMOUS, Identity, Kind, service_identity
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call, Trace
from emporion.chassis.calls.directory import Directory
from emporion.chassis.calls.inbound import Inbound
from emporion.chassis.resilience.limiter import AdaptiveLimiter, LimiterLimits
from emporion.chassis.runtime.lag import LoopLag
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.sample_service import SECRET, Echo, SampleService, SampleShop
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle
from emporion.kernel.errors import (
    Internal,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)

REQUEST = Echo(text="x")


class Town:
    """A sample behind its door."""

    def __init__(self, *, shed_first: bool = False, calls_start: int = 40) -> None:
        self.clock = ManualClock()
        runtime = manual_runtime(self.clock)
        self.telemetry = Telemetry(runtime)
        self.limiter = AdaptiveLimiter(LimiterLimits(calls_start=calls_start))
        chain = Chain.of(runtime, self.telemetry, limiter=self.limiter)
        self.directory = Directory(chain)
        self.shop = SampleShop(runtime)
        self.inbound: Inbound = self.directory.add(SampleService, self.shop, shed_first=shed_first)
        self.methods = {name: self.inbound.method(rpc) for name, rpc in self.inbound.rpcs.items()}

    def exposition(self) -> str:
        return self.telemetry.metrics.exposition().decode()


async def test_pitfall_7_calls_above_the_limit_are_shed_at_once() -> None:
    town = Town()
    hanging = [asyncio.ensure_future(town.methods["hang"](REQUEST, Call())) for _ in range(40)]
    await settle()

    with pytest.raises(ResourceExhausted):
        await town.methods["echo"](REQUEST, Call())

    await town.clock.run(1)
    await asyncio.gather(*hanging, return_exceptions=True)
    assert town.limiter.in_flight == 0
    await town.methods["echo"](REQUEST, Call())
    assert 'outcome="ResourceExhausted"' in town.exposition()


async def test_an_optional_service_is_shed_first_also_for_callers_inside() -> None:
    town = Town(shed_first=True)
    client = town.directory.clients("order").get(SampleService)
    await client.echo(REQUEST)

    for _ in range(3):
        town.limiter.adjust(0.2)

    with pytest.raises(ResourceExhausted):
        await client.echo(REQUEST)
    with pytest.raises(ResourceExhausted):
        await town.methods["echo"](REQUEST, Call())


async def test_pitfall_7_the_lag_of_the_loop_steers_the_limit_and_is_shown() -> None:
    town = Town(calls_start=100)
    runtime = town.directory.chain.runtime
    lag = LoopLag(runtime)
    town.directory.chain.follow(lag)
    measuring = runtime.tasks.spawn("loop lag", lag.serve())
    await settle()

    town.clock.advance(1.1)
    await settle()

    assert town.limiter.limit == 90
    assert "emporion_loop_lag_max_seconds 1.0" in town.exposition()
    measuring.cancel()


async def test_work_that_was_let_in_is_finished() -> None:
    town = Town()
    client = town.directory.clients("order").get(SampleService)
    for _ in range(40):
        town.limiter.enter(is_optional=False)

    reply = await client.echo(REQUEST)

    assert reply.text == "x"


async def test_the_stack_of_an_unexpected_error_is_logged_under_its_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    town = Town()

    with caplog.at_level(logging.ERROR), pytest.raises(Internal) as error:
        await town.methods["crash"](REQUEST, Call(trace=Trace("a" * 32, "b" * 16)))

    assert SECRET in caplog.text
    assert "in crash" in caplog.text
    assert SECRET not in str(error.value)
    assert error.value.fields == {"trace_id": "a" * 32}


async def test_calls_are_counted_by_service_method_caller_and_outcome() -> None:
    town = Town()
    client = town.directory.clients("order").get(SampleService)
    await client.echo(REQUEST)
    await town.methods["echo"](REQUEST, Call())
    with pytest.raises(Internal):
        await town.methods["crash"](REQUEST, Call())

    shown = town.exposition()

    for caller in ("order", "edge"):
        labels = f'caller="{caller}",method="echo",service="sample"'
        assert f"emporion_call_seconds_count{{{labels}}} 1.0" in shown
    labels = 'caller="edge",method="crash",outcome="Internal",service="sample"'
    assert f"emporion_call_failures_total{{{labels}}} 1.0" in shown


def test_an_edge_can_ask_for_access_before_it_decodes() -> None:
    inbound = Town().inbound
    rpcs = inbound.rpcs
    clerk = Identity(Kind.PERSON, "usr_1", frozenset({"sample:read"}))

    inbound.authorise(rpcs["echo"], ANONYMOUS)
    inbound.authorise(rpcs["staff_echo"], clerk)
    inbound.authorise(rpcs["internal_echo"], service_identity("order"))
    with pytest.raises(Unauthenticated):
        inbound.authorise(rpcs["staff_echo"], ANONYMOUS)
    with pytest.raises(PermissionDenied):
        inbound.authorise(rpcs["internal_echo"], clerk)


async def test_being_admitted_once_admits_nobody_else() -> None:
    town = Town()
    clerk = Identity(Kind.PERSON, "usr_1", frozenset({"sample:read"}))
    for _ in range(2):
        await town.methods["staff_echo"](REQUEST, Call(clerk))

    with pytest.raises(Unauthenticated):
        await town.methods["staff_echo"](REQUEST, Call(ANONYMOUS))
    with pytest.raises(PermissionDenied):
        await town.methods["staff_echo"](REQUEST, Call(Identity(Kind.PERSON, "usr_2", frozenset())))


def test_a_service_has_one_door() -> None:
    town = Town()

    with pytest.raises(ValueError, match="sample"):
        town.directory.add(SampleService, town.shop)
    assert town.directory.inbounds == (town.inbound,)
