"""A fault does what its plan says to calls, reactions and alarms, and nothing once it is over."""

import asyncio

import pytest

from emporion.chassis.resilience.faults import Fault, FaultKind, FaultPlan
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle
from emporion.kernel.errors import ResourceExhausted, Unavailable


async def answer(request: int) -> int:
    return request + 1


async def work() -> str:
    return "done"


def fault(kind: FaultKind, clock: ManualClock | None = None, **plan: object) -> Fault:
    return Fault(FaultPlan(kind=kind, **plan), "email", manual_runtime(clock))  # type: ignore[arg-type]


async def test_a_late_answer_is_late_by_the_latency_and_up_to_the_jitter():
    clock = ManualClock()
    late = fault(FaultKind.LATENCY, clock, latency_s=2.0, jitter_s=1.0)
    taken = []
    for _ in range(20):
        began_s = clock.monotonic_s()
        asked = asyncio.ensure_future(late.call(answer)(1))
        await settle()
        due_s = clock.next_due_s()
        assert due_s is not None
        taken.append(due_s - began_s)
        await clock.run(3)
        assert await asked == 2

    assert min(taken) >= 2.0
    assert max(taken) <= 3.0
    assert len(set(taken)) > 1


async def test_failing_calls_fail_with_the_error_wanted_before_anything_is_done():
    failing = fault(FaultKind.ERRORS, error=ResourceExhausted)
    asked: list[int] = []

    async def count(request: int) -> None:
        asked.append(request)

    with pytest.raises(ResourceExhausted, match="email fails: a fault is switched on"):
        await failing.call(count)(1)
    assert asked == []
    assert failing.failure is not None
    with pytest.raises(ResourceExhausted):
        failing.failure()


async def test_the_share_is_kept():
    half = fault(FaultKind.ERRORS, share=0.5)
    calls = [half.call(answer)(1) for _ in range(1_000)]

    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert 400 < outcomes.count(2) < 600


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.CRASH])
async def test_work_and_reactions_of_one_that_stands_still_go_on_when_it_is_over(kind):
    still = fault(kind)
    waiting = [asyncio.ensure_future(link(work)()) for link in (still.work, still.reaction)]
    await settle()
    assert not any(each.done() for each in waiting)

    still.end()

    assert await asyncio.gather(*waiting) == ["done", "done"]
    assert still.failure is None


async def test_whoever_waits_for_one_that_is_late_goes_on_when_that_is_over():
    late = fault(FaultKind.LATENCY, latency_s=60.0)
    called = asyncio.ensure_future(late.call(answer)(1))
    reacting = asyncio.ensure_future(late.reaction(work)())
    await settle()
    assert not called.done()
    assert not reacting.done()

    late.end()
    await settle()

    assert (called.result(), reacting.result()) == (2, "done")


async def test_one_that_is_not_there_says_so_at_once():
    with pytest.raises(Unavailable, match="email is not there"):
        await fault(FaultKind.CRASH).call(answer)(1)


@pytest.mark.parametrize("kind", [FaultKind.LATENCY, FaultKind.ERRORS])
async def test_work_of_its_own_is_not_touched_by_what_meets_calls(kind):
    assert await fault(kind, latency_s=9.0).work(work)() == "done"
