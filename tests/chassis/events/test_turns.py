"""Turns: one batch at a time, a rest after each, and whoever hangs holds up nobody."""

import asyncio

import pytest

from emporion.chassis.events import turns as module
from emporion.chassis.events.turns import REST_S_MAX, Turns
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def turns(clock: ManualClock) -> Turns:
    return Turns(manual_runtime(clock))


class Batch:
    """Has a turn until it is told to end."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.started, self.may_end = asyncio.Event(), asyncio.Event()
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        async with self._turns.turn():
            self.started.set()
            await self.may_end.wait()

    async def end(self) -> None:
        self.may_end.set()
        await self.task


async def test_batches_run_one_after_another_in_the_order_of_asking(turns, clock):
    batches = [Batch(turns) for _ in range(3)]
    for number, batch in enumerate(batches):
        await settle()
        assert [each.started.is_set() for each in batches] == [at <= number for at in range(3)]
        await batch.end()


@pytest.mark.parametrize(("took_s", "rest_s"), [(0.01, 0.01), (0.3, REST_S_MAX)])
async def test_after_a_batch_requests_have_as_long_as_it_took_but_not_for_ever(
    turns, clock, took_s, rest_s
):
    first, second = Batch(turns), Batch(turns)
    await settle()
    clock.advance(took_s)
    await first.end()

    await clock.run(rest_s * 0.99)
    assert not second.started.is_set()
    await clock.run(rest_s * 0.02)
    assert second.started.is_set()
    await second.end()


async def test_a_batch_that_hangs_passes_its_turn_on(turns, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(module, "HOLD_S", 0.0)
        hanging = Batch(turns)
        await settle()
    next_one = Batch(turns)
    await asyncio.wait_for(next_one.started.wait(), 10)
    assert not hanging.task.done()
    await hanging.end()
    third = Batch(turns)
    await settle()
    assert not third.started.is_set(), "the turn was given back once, not twice"
    await next_one.end()
    await third.end()


async def test_who_is_cancelled_while_it_waits_or_runs_leaves_the_turn_to_the_next(turns):
    running, waiting, last = (Batch(turns) for _ in range(3))
    await settle()
    waiting.task.cancel()
    running.task.cancel()
    await asyncio.gather(waiting.task, running.task, return_exceptions=True)
    await settle()
    assert last.started.is_set()
    await last.end()
