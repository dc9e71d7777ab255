"""The caller's side: one retry layer, a budget, a breaker, and never past the deadline."""

import asyncio
from typing import ClassVar, Protocol

import pytest

from emporion.chassis.auth.identity import Kind
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call, Trace, current_call, enter, leave
from emporion.chassis.calls.directory import Binding, Directory
from emporion.chassis.calls.outbound import OutboundMethod
from emporion.chassis.calls.wire import is_retried
from emporion.chassis.resilience.breaker import BreakerLimits, CircuitOpen
from emporion.chassis.resilience.budget import MEMORY_S, RETRIES_PER_S, RETRY_SHARE
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.sample_service import Done, Echo, Put, SampleService, SampleShop
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle
from emporion.contracts.contract import Service, anyone, command, query
from emporion.kernel.errors import DeadlineExceeded, Unavailable


class MiddleService(Service, Protocol):
    """Stands between a caller and the sample."""

    NAME: ClassVar[str] = "middle"

    @command(access=anyone("a sample"), key="put_key")
    async def put(self, request: Put) -> Done:
        """Hands it on."""

    @query(access=anyone("a sample"), timeout_s=0.5)
    async def hang(self, request: Echo) -> Done:
        """Asks somebody who hangs."""


class Middle(MiddleService):
    """Hands everything on to the sample."""

    def __init__(self, sample: SampleService) -> None:
        self._sample = sample
        self.puts = 0
        self.deadlines_s: list[float] = []

    async def put(self, request: Put) -> Done:
        self.puts += 1
        return await self._sample.put(request)

    async def hang(self, request: Echo) -> Done:
        self.deadlines_s.append(current_call().deadline_s)
        await self._sample.hang(request)
        return Done(attempts=0)


class Town:
    """A caller, a middle and a sample in one process, in manual time."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        runtime = manual_runtime(self.clock)
        self.telemetry = Telemetry(runtime)
        self.directory = Directory(Chain.of(runtime, self.telemetry))
        self.shop = SampleShop(runtime)
        self.clients = self.directory.clients("tester")
        self.sample = self.clients.get(SampleService)
        self.middle = Middle(self.directory.clients("middle").get(SampleService))
        self.directory.add(SampleService, self.shop)
        self.directory.add(MiddleService, self.middle)

    async def outcome(self, call: asyncio.Future[Done]) -> Done:
        """What a call ends with, while time goes on."""
        for _ in range(200):
            if call.done():
                break
            await self.clock.run(0.1)
        return await call


@pytest.fixture
def town() -> Town:
    return Town()


async def test_pitfall_6_there_is_one_retry_layer_however_deep_the_calls_go(town: Town) -> None:
    middle = town.clients.get(MiddleService)

    with pytest.raises(Unavailable) as error:
        await town.outcome(asyncio.ensure_future(middle.put(Put(put_key="k", failures=1_000))))

    assert town.shop.attempts["k"] == 4, "one attempt and three retries"
    assert town.middle.puts == 1, "whoever is nearest retries, the others do not add to it"
    assert is_retried(error.value)


async def test_pitfall_6_a_storm_of_failures_is_bounded_by_the_budget(town: Town) -> None:
    calls = 500
    outbound: OutboundMethod = town.sample.put.__self__  # type: ignore[attr-defined] # a bound method
    outbound.breaker.limits = BreakerLimits(failures_min=10**9)  # the budget alone
    storm = [
        asyncio.ensure_future(town.sample.put(Put(put_key=f"k{number}", failures=1_000)))
        for number in range(calls)
    ]
    await town.clock.run(4)
    assert all(isinstance(call.exception(), Unavailable) for call in storm)

    attempts = sum(town.shop.attempts.values())
    elapsed_s = town.clock.monotonic_s()
    budget = RETRIES_PER_S * (elapsed_s + MEMORY_S) + RETRY_SHARE * calls
    assert 0.5 * budget <= attempts - calls <= budget


async def test_retries_wait_with_jitter_and_stop_before_the_deadline(town: Town) -> None:
    token = enter(Call(deadline_s=town.clock.monotonic_s() + 0.003))
    call = asyncio.ensure_future(town.sample.put(Put(put_key="k", failures=1_000)))
    leave(token)

    with pytest.raises(Unavailable):
        await town.outcome(call)

    assert town.shop.attempts["k"] <= 2


async def test_a_callee_that_never_answers_opens_the_circuit(town: Town) -> None:
    for number in range(20):
        call = asyncio.ensure_future(town.sample.put_unkeyed(Put(put_key=f"k{number}", failures=9)))
        with pytest.raises(Unavailable):
            await town.outcome(call)
    attempts = sum(town.shop.attempts.values())

    with pytest.raises(CircuitOpen):
        await town.sample.put_unkeyed(Put(put_key="again"))
    assert sum(town.shop.attempts.values()) == attempts, "it was not asked"
    assert (await town.sample.put(Put(put_key="other method"))).attempts == 1

    town.clock.advance(5)
    reply = await town.sample.put_unkeyed(Put(put_key="probe"))
    assert reply.attempts == 1
    assert (await town.sample.put_unkeyed(Put(put_key="probe"))).attempts == 2
    assert b'emporion_circuit_open{caller="tester",method="put_unkeyed",service="sample"} 0.0' in (
        town.telemetry.metrics.exposition()
    )


async def test_refusals_never_open_the_circuit(town: Town) -> None:
    for _ in range(50):
        with pytest.raises(Exception, match="dB"):
            await town.sample.refuse(Echo(text="x"))


async def test_one_call_that_fails_again_and_again_does_not_stop_the_others(town: Town) -> None:
    """One order whose payment hangs is tried at every pause of its saga."""
    for _ in range(5):
        call = asyncio.ensure_future(town.sample.put(Put(put_key="stuck", failures=99)))
        with pytest.raises(Unavailable):
            await town.outcome(call)
        town.clock.advance(1)

    assert (await town.sample.put(Put(put_key="other"))).attempts == 1


async def test_hanging_callees_open_the_circuit_but_impatient_callers_do_not(town: Town) -> None:
    town.sample.hang.__self__.breaker.limits = BreakerLimits(failures_min=5)  # type: ignore[attr-defined]
    for _ in range(10):
        token = enter(Call(deadline_s=town.clock.monotonic_s() + 0.01))
        call = asyncio.ensure_future(town.sample.hang(Echo(text="x")))
        leave(token)
        await town.clock.run(0.05)
        assert isinstance(call.exception(), DeadlineExceeded)
    for _ in range(5):
        call = asyncio.ensure_future(town.sample.hang(Echo(text="x")))
        await town.clock.run(0.5)
        assert isinstance(call.exception(), DeadlineExceeded)
        assert not isinstance(call.exception(), CircuitOpen)

    with pytest.raises(CircuitOpen):
        await town.sample.hang(Echo(text="x"))


async def test_a_deadline_reaches_through_every_call_below(town: Town) -> None:
    middle = town.clients.get(MiddleService)
    started_s = town.clock.monotonic_s()

    call = asyncio.ensure_future(middle.hang(Echo(text="x")))
    await town.clock.run(1)

    assert isinstance(call.exception(), DeadlineExceeded)
    assert town.middle.deadlines_s == [pytest.approx(started_s + 0.5)]
    assert town.shop.hung == 0


async def test_a_call_without_a_service_to_answer_it_is_unavailable_until_there_is_one() -> None:
    clock = ManualClock()
    directory = Directory(Chain.of(manual_runtime(clock), Telemetry(manual_runtime(clock))))
    sample = directory.clients("tester").get(SampleService)
    send = sample.put_unkeyed

    with pytest.raises(Unavailable, match="sample"):
        await send(Put(put_key="k"))
    directory.add(SampleService, SampleShop(manual_runtime(clock)))

    assert (await send(Put(put_key="k"))).attempts == 1


async def test_a_client_is_of_the_contracts_type_and_made_once(town: Town) -> None:
    assert SampleService in type(town.sample).__mro__
    assert town.clients.get(SampleService) is town.sample


async def test_each_attempt_is_a_span_of_one_trace(town: Town) -> None:
    token = enter(Call(trace=Trace("a" * 32, "b" * 16)))
    call = asyncio.ensure_future(town.sample.put(Put(put_key="k", failures=2)))
    leave(token)
    await town.outcome(call)

    spans = town.telemetry.spans.of_trace("a" * 32)
    assert [span.outcome for span in spans] == ["Unavailable", "Unavailable", "ok"]
    assert {span.parent_id for span in spans} == {"b" * 16}
    assert len({span.span_id for span in spans}) == 3
    assert {span.caller for span in spans} == {"tester"}


async def test_after_a_call_the_callers_own_context_is_back(town: Town) -> None:
    before = Call(trace=Trace("a" * 32, "b" * 16))
    token = enter(before)
    await town.sample.echo(Echo(text="x"))
    with pytest.raises(Exception, match="dB"):
        await town.sample.refuse(Echo(text="x"))

    assert current_call() is before
    leave(token)


async def test_clients_may_hold_scopes_beyond_their_own(town: Town) -> None:
    platform = town.directory.clients("platform", scopes=frozenset({"sample:read"}))

    reply = await platform.get(SampleService).staff_echo(Echo(text="x"))

    assert reply.caller == f"{Kind.SERVICE}:platform"


async def test_a_cancelled_probe_does_not_block_the_next(town: Town) -> None:
    for number in range(5):
        with pytest.raises(Unavailable):
            await town.sample.put_unkeyed(Put(put_key=f"k{number}", failures=9))
    for _ in range(5):
        call = asyncio.ensure_future(town.sample.hang(Echo(text="x")))
        await town.clock.run(0.5)
        assert isinstance(call.exception(), DeadlineExceeded)
    town.clock.advance(5)

    probe = asyncio.ensure_future(town.sample.hang(Echo(text="x")))
    await settle()
    probe.cancel()
    await settle()

    second = asyncio.ensure_future(town.sample.hang(Echo(text="x")))
    await settle()
    assert town.shop.hung == 1, "the next one probes"
    second.cancel()
    await settle()


def test_bindings_are_words_of_the_topology() -> None:
    assert [str(binding) for binding in Binding] == ["local-fast", "local-strict"]
