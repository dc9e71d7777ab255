"""The real runtime, and the manual one that stands in for it."""

import asyncio
import logging

import pytest

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.calls.context import NEVER_S, Call, Trace, current_call, enter, leave
from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.kernel.ids import has_prefix


def test_ids_of_one_process_sort_in_the_order_of_creation() -> None:
    ids = system_runtime().ids

    made = [ids.new("ord") for _ in range(20_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(has_prefix(one, "ord") for one in made[:100])


def test_tokens_are_long_enough_and_differ() -> None:
    random = system_runtime().random

    assert len(random.token(32)) >= 43
    assert random.token(32) != random.token(32)
    assert 1.0 <= random.uniform(1.0, 2.0) < 2.0


async def test_a_crashed_task_is_logged_with_its_name_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = SystemTasks()

    async def crash() -> None:
        raise RuntimeError("boom")

    with caplog.at_level(logging.ERROR):
        task = tasks.spawn("mail sender", crash())
        await asyncio.wait([task])
        await asyncio.sleep(0)

    assert tasks.crashed == 1
    assert "mail sender" in caplog.text
    assert "boom" in caplog.text
    assert not tasks.running


async def test_draining_cancels_every_task_and_names_those_that_ignore_it() -> None:
    tasks = SystemTasks()
    is_free = asyncio.Event()

    async def obedient() -> None:
        await asyncio.Event().wait()

    async def stubborn() -> None:
        while not is_free.is_set():
            try:
                await is_free.wait()
            except asyncio.CancelledError:
                continue

    first = tasks.spawn("obedient", obedient())
    last = tasks.spawn("stubborn", stubborn())
    await asyncio.sleep(0)

    assert await tasks.cancel_all(grace_s=0.01) == ["stubborn"]

    assert first.cancelled()
    is_free.set()
    await last
    assert await tasks.cancel_all() == []


async def test_a_manual_sleeper_wakes_when_the_clock_reaches_its_instant() -> None:
    clock = ManualClock()
    runtime = manual_runtime(clock)
    woken: list[float] = []

    async def sleeper(duration_s: float) -> None:
        await runtime.tasks.sleep(duration_s)
        woken.append(clock.monotonic_s())

    tasks = [runtime.tasks.spawn("sleeper", sleeper(due_s)) for due_s in (3.0, 1.0, 2.0)]

    await clock.run(2.5)

    assert woken == [1.0, 2.0]
    assert clock.monotonic_s() == 2.5
    clock.advance(1.0)
    await clock.run(0)
    assert woken == [1.0, 2.0, 3.5]
    assert all(task.done() for task in tasks)


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    runtime = manual_runtime(clock)
    task = runtime.tasks.spawn("sleeper", runtime.tasks.sleep(5))
    await clock.run(0)

    task.cancel()
    await clock.run(0)

    assert clock.next_due_s() is None


def test_the_same_seed_gives_the_same_ids_and_chances() -> None:
    one, same, other = manual_runtime(seed=1), manual_runtime(seed=1), manual_runtime(seed=2)

    assert one.ids.new("ord") == same.ids.new("ord") != other.ids.new("ord")
    assert one.random.uniform(0, 1) == same.random.uniform(0, 1)
    assert one.random.token(8) == same.random.token(8) != other.random.token(8)
    assert has_prefix(one.ids.new("ord"), "ord")


async def test_spawned_work_keeps_trace_and_identity_but_not_the_deadline() -> None:
    tasks = SystemTasks()
    seen: list[Call] = []

    async def look() -> None:
        seen.append(current_call())

    call = Call(service_identity("order"), Trace("a" * 32, "b" * 16), deadline_s=5.0)
    token = enter(call)
    await tasks.spawn("work that outlives its call", look())
    assert current_call() is call
    leave(token)

    assert seen == [Call(call.identity, call.trace, NEVER_S)]
