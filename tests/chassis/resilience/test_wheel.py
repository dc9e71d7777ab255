"""Deadlines are kept by one wheel, with the manners of asyncio.timeout."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.chassis.resilience.wheel import TICK_S, TURN_S_MAX, DeadlineWheel
from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle


class Late(Exception):
    """The deadline was this call's own."""


async def within(
    wheel: DeadlineWheel, deadline_s: float, work: Callable[[], Awaitable[str]]
) -> str:
    flight = wheel.enter(deadline_s)
    try:
        return await work()
    except asyncio.CancelledError:
        if wheel.has_expired(flight):
            raise Late(deadline_s) from None
        raise
    finally:
        wheel.leave(flight)


async def hang() -> str:
    await asyncio.Event().wait()
    return "never"


async def test_a_call_that_hangs_ends_at_its_deadline() -> None:
    clock = ManualClock()
    wheel = DeadlineWheel(manual_runtime(clock))
    call = asyncio.create_task(within(wheel, 1.0, hang))

    await clock.run(0.99)
    assert not call.done()
    await clock.run(0.01 + TICK_S)

    with pytest.raises(Late):
        await call
    assert call.cancelling() == 0
    assert not wheel.flights


async def test_an_inner_deadline_ends_the_inner_call_only() -> None:
    clock = ManualClock()
    wheel = DeadlineWheel(manual_runtime(clock))

    async def outer() -> str:
        with pytest.raises(Late):
            await within(wheel, 1.0, hang)
        await asyncio.sleep(0)
        return "went on"

    call = asyncio.create_task(within(wheel, 5.0, outer))
    await clock.run(1.1)

    assert await call == "went on"


async def test_when_several_deadlines_pass_at_once_the_outermost_is_the_error() -> None:
    clock = ManualClock()
    wheel = DeadlineWheel(manual_runtime(clock))

    call = asyncio.create_task(within(wheel, 1.0, lambda: within(wheel, 1.0, hang)))
    await settle()
    clock.advance(2)
    await settle()

    with pytest.raises(Late) as late:
        await call
    assert late.value.args == (1.0,)
    assert call.cancelling() == 0


async def test_a_cancellation_by_somebody_else_stays_a_cancellation() -> None:
    clock = ManualClock()
    wheel = DeadlineWheel(manual_runtime(clock))
    call = asyncio.create_task(within(wheel, 1.0, hang))
    await settle()

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert not wheel.flights


async def test_a_cancellation_that_meets_the_deadline_stays_a_cancellation() -> None:
    clock = ManualClock()
    wheel = DeadlineWheel(manual_runtime(clock))
    call = asyncio.create_task(within(wheel, 1.0, hang))
    await settle()

    clock.advance(1.5)
    wheel.expire()
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_call_that_swallows_its_cancellation_leaves_the_task_usable() -> None:
    clock = ManualClock()
    wheel = DeadlineWheel(manual_runtime(clock))

    async def stubborn() -> str:
        try:
            return await hang()
        except asyncio.CancelledError:
            return "finished all the same"

    async def work() -> str:
        answer = await within(wheel, 1.0, stubborn)
        await asyncio.sleep(0)
        return answer

    call = asyncio.create_task(work())
    await clock.run(1.1)

    assert await call == "finished all the same"
    assert call.cancelling() == 0


async def test_the_wheel_stands_still_while_nothing_is_under_way() -> None:
    clock = ManualClock()
    wheel = DeadlineWheel(manual_runtime(clock))
    await asyncio.create_task(within(wheel, 5.0, lambda: asyncio.sleep(0, "done")))
    turned = [wheel.is_turning]

    await clock.run(2)

    assert [*turned, wheel.is_turning] == [True, False]
    assert clock.next_due_s() is None


async def test_deadlines_before_the_next_turn_are_noticed_in_time() -> None:
    clock = ManualClock()
    wheel = DeadlineWheel(manual_runtime(clock))
    long = asyncio.create_task(within(wheel, 5.0, hang))
    await clock.run(TICK_S)  # it rests now until TURN_S_MAX has passed

    soonest = asyncio.create_task(within(wheel, 0.05, hang))
    later = asyncio.create_task(within(wheel, 0.08, hang))
    await clock.run(0.05 - TICK_S + TICK_S)
    assert [soonest.done(), later.done()] == [True, False]
    await clock.run(0.02 + TICK_S)
    assert [later.done(), long.done()] == [True, False]
    await asyncio.gather(soonest, later, return_exceptions=True)
    long.cancel()


async def test_calls_with_much_time_left_are_looked_at_rarely() -> None:
    clock = ManualClock()
    wheel = CountingWheel(manual_runtime(clock))
    call = asyncio.create_task(within(wheel, 5.0, hang))

    await clock.run(2.0)

    assert wheel.looks <= 2.0 / TURN_S_MAX + 1
    call.cancel()


async def test_the_wheel_turns_again_after_a_drain_cancelled_it() -> None:
    clock = ManualClock()
    runtime = manual_runtime(clock)
    wheel = DeadlineWheel(runtime)
    await asyncio.create_task(within(wheel, 5.0, lambda: asyncio.sleep(0, "done")))
    assert isinstance(runtime.tasks, SystemTasks)
    await runtime.tasks.cancel_all()
    assert not wheel.is_turning

    call = asyncio.create_task(within(wheel, clock.monotonic_s() + 1, hang))
    await clock.run(1.1)

    with pytest.raises(Late):
        await call


class CountingWheel(DeadlineWheel):
    """Counts how often it looks."""

    looks = 0

    def expire(self) -> None:
        """See DeadlineWheel."""
        self.looks += 1
        super().expire()


async def test_real_time_works_as_well() -> None:
    runtime = system_runtime()
    wheel = DeadlineWheel(runtime)

    with pytest.raises(Late):
        await asyncio.create_task(within(wheel, runtime.clock.monotonic_s() + 0.02, hang))


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=20))
def test_each_call_ends_by_its_work_or_its_deadline_whichever_is_first(
    calls: list[tuple[int, int]],
) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        runtime = manual_runtime(clock)
        wheel = DeadlineWheel(runtime)
        ended: dict[int, str] = {}

        async def one(number: int, work_s: int, deadline_s: int) -> None:
            async def work() -> str:
                await runtime.tasks.sleep(work_s)
                return "done"

            try:
                ended[number] = await within(wheel, deadline_s + 0.5, work)
            except Late:
                ended[number] = "late"

        tasks = [asyncio.create_task(one(number, *times)) for number, times in enumerate(calls)]
        await settle()
        for _ in range(32):
            clock.advance(1)
            await settle(8)
        assert all(task.done() for task in tasks)
        for number, (work_s, deadline_s) in enumerate(calls):
            assert ended[number] == ("done" if work_s <= deadline_s else "late")

    asyncio.run(scenario())
