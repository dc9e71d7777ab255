"""The process dies at every await of a delivery, and at random: nothing is lost or repeated."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emporion.chassis.data.database import Database, Row, Tx, Value
from emporion.chassis.events.pump import Pump
from emporion.chassis.events.reactions import Item
from emporion.chassis.events.retry import BusConfig, RetryPolicy
from emporion.chassis.testing.bus_rig import CONFIG, BusRig, StepDone
from emporion.contracts.contract import Event
from emporion.kernel.errors import Unavailable

T = TypeVar("T")
KEYS = ("good", "bad", "other")


class Crash(Exception):
    """The process is dead: from here on nothing reaches a database."""


class CrashPlan:
    """Dies at the n-th step after `arm(n)`, and stays dead until `revive`.

    With `is_passing` the step fails and the process lives on.
    """

    def __init__(self, *, is_passing: bool = False) -> None:
        self._is_passing = is_passing
        self._steps_left = -1
        self.is_dead = False

    def arm(self, steps: int) -> None:
        self._steps_left = steps

    def revive(self) -> None:
        self._steps_left = -1
        self.is_dead = False

    def step(self) -> None:
        if self._steps_left > 0:
            self._steps_left -= 1
            self.is_dead = self._steps_left == 0
            if self.is_dead and self._is_passing:
                raise Unavailable("planted")
        if self.is_dead and not self._is_passing:
            raise Crash


class CrashingTx:
    """A step before and after each statement."""

    def __init__(self, tx: Tx, plan: CrashPlan) -> None:
        self._tx = tx
        self._plan = plan

    async def execute(self, sql: str, *args: Value) -> int:
        return await self._around(self._tx.execute(sql, *args))

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        await self._around(self._tx.execute_many(sql, rows))

    async def execute_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[int]:
        return await self._around(self._tx.execute_each(sql, rows))

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        return await self._around(self._tx.fetch(sql, *args))

    async def fetch_one(self, sql: str, *args: Value) -> Row | None:
        return await self._around(self._tx.fetch_one(sql, *args))

    async def lock(self, name: str) -> None:
        await self._around(self._tx.lock(name))

    async def publish(self, event: Event) -> None:
        await self._around(self._tx.publish(event))

    async def publish_many(self, events: Sequence[Event]) -> None:
        await self._around(self._tx.publish_many(events))

    async def _around(self, statement: Awaitable[T]) -> T:
        try:
            self._plan.step()
        except (Crash, Unavailable):
            statement.close()  # type: ignore[attr-defined]
            raise
        result = await statement
        self._plan.step()
        return result


class CrashingDatabase:
    """A step before each transaction, around its statements, and after its commit."""

    def __init__(self, database: Database, plan: CrashPlan) -> None:
        self._database = database
        self._plan = plan

    @property
    def engine(self) -> str:
        return self._database.engine

    @property
    def revision(self) -> int:
        return self._database.revision

    async def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._run(self._database.transaction, work)

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._run(self._database.read, work)

    async def _run(self, run: Any, work: Callable[[Tx], Awaitable[T]]) -> T:
        async def between(tx: Tx) -> T:
            return await work(CrashingTx(tx, self._plan))

        self._plan.step()
        result: T = await run(between)
        self._plan.step()
        return result


def crashing_rig(folder: Path, plan: CrashPlan, config: BusConfig = CONFIG) -> BusRig:
    return BusRig(folder, config, through=lambda database: CrashingDatabase(database, plan))


async def fail_everywhere(folder: Path, plan: CrashPlan, *, restarts: bool) -> int:
    """Deliver the same kind of batch again and again, failing one step later each time."""
    async with crashing_rig(folder, plan) as rig:
        mail = await rig.subscribe("mail")
        at = 0
        while True:
            at += 1
            await rig.publish(*[StepDone(thing=key, step=at) for key in KEYS])
            mail.failing = {"bad"} if at % 3 else set()
            plan.arm(at)
            with suppress(Crash, Unavailable):
                await rig.pass_time(20)
            if not plan.is_dead:
                break
            plan.revive()
            if restarts:
                rig.restart()
        plan.revive()
        mail.failing = set()
        await rig.pass_time(7200)
        for key in KEYS:
            assert await mail.steps(key) == [*range(1, at + 1)], key
    return at


async def test_defect_15_a_crash_at_any_await_loses_nothing_and_repeats_no_effect(tmp_path):
    assert await fail_everywhere(tmp_path, CrashPlan(), restarts=True) > 40


async def test_a_passing_fault_at_any_await_loses_nothing_and_repeats_no_effect(tmp_path):
    assert await fail_everywhere(tmp_path, CrashPlan(is_passing=True), restarts=False) > 40


async def test_a_cursor_that_moves_before_the_reaction_is_found_by_the_crashes(
    tmp_path, monkeypatch
):
    """The suite can fail: with the defect planted, it does."""
    right = Pump._commit_news

    async def cursor_first(pump: Pump, batch: Sequence[Item], error: Exception | None) -> int:
        await pump._move_to(batch[-1].position)
        return await right(pump, batch, error)

    monkeypatch.setattr(Pump, "_commit_news", cursor_first)

    with pytest.raises(AssertionError):
        await fail_everywhere(tmp_path, CrashPlan(), restarts=True)


keys = st.sampled_from("abc")
deeds = st.one_of(
    st.tuples(st.just("publish"), keys),
    st.tuples(st.just("fail"), keys),
    st.tuples(st.just("heal"), keys),
    st.tuples(st.just("pass"), st.sampled_from([0, 2, 60, 3600])),
    st.tuples(st.just("crash"), st.integers(1, 60)),
    st.tuples(st.just("redrive"), st.none()),
    st.tuples(st.just("pause"), st.booleans()),
)


async def do(deed: str, about: Any, *, rig: BusRig, plan: CrashPlan) -> None:
    """One deed of a story that concerns the bus."""
    match deed:
        case "pass":
            await rig.pass_time(about)
        case "redrive":
            await rig.bus.redrive("mail")
        case "pause" if about:
            await rig.bus.pause("mail")
        case "pause":
            await rig.bus.resume("mail")
        case "crash":
            plan.arm(about)
            with suppress(Crash):
                await rig.pass_time(5)
            plan.revive()
            rig.restart()
        case _:
            pytest.fail(f"no deed: {deed}")


async def live_through(folder: Path, story: Sequence[tuple[str, Any]]) -> None:
    plan = CrashPlan()
    published = dict.fromkeys("abc", 0)
    async with crashing_rig(folder, plan, replace(CONFIG, retry=RetryPolicy())) as rig:
        subscribers = [await rig.subscribe("mail"), await rig.subscribe("stock")]
        mail = subscribers[0]
        for deed, about in story:
            match deed:
                case "publish":
                    published[about] += 1
                    await rig.publish_steps(about, [published[about]])
                case "fail":
                    mail.failing.add(about)
                case "heal":
                    mail.failing.discard(about)
                case _:
                    await do(deed, about, rig=rig, plan=plan)
        mail.failing.clear()
        await rig.bus.resume("mail")
        await rig.pass_time(7200)
        for each in subscribers:
            for key, steps in published.items():
                assert await each.steps(key) == [*range(1, steps + 1)]


@settings(max_examples=30)
@given(story=st.lists(deeds, max_size=25))
def test_whatever_happens_each_event_takes_effect_once_and_in_order(story):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(Path(folder), story))
