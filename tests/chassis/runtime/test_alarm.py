"""Alarms: work that is due is done, without polling, whatever fails."""

import asyncio
import logging

import pytest

from emporion.chassis.runtime.alarm import NAP_S_MAX, Alarm
from emporion.chassis.runtime.alarms import AlarmRunner
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.time import START_MS, ManualClock, manual_runtime
from emporion.kernel.errors import Unavailable


class Work:
    """Counts its runs; answers what the test put down."""

    def __init__(self, clock: ManualClock) -> None:
        self.runs: list[float] = []
        self.answers: list[int | Exception | None] = []
        self._clock = clock

    async def run_due(self) -> int | None:
        self.runs.append(round(self._clock.monotonic_s(), 3))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def runtime(clock: ManualClock) -> Runtime:
    return manual_runtime(clock)


@pytest.fixture
def work(clock: ManualClock) -> Work:
    return Work(clock)


@pytest.fixture
def alarm(runtime: Runtime, work: Work) -> Alarm:
    return Alarm("mail sender", runtime, work.run_due)


def serve(runtime: Runtime, alarm: Alarm) -> asyncio.Task[None]:
    return runtime.tasks.spawn(alarm.name, alarm.serve())


async def test_it_runs_at_the_start_and_then_sleeps_until_poked(
    clock: ManualClock, runtime: Runtime, alarm: Alarm, work: Work
) -> None:
    _serving = serve(runtime, alarm)
    await clock.run(3600)
    assert work.runs == [0.0]
    assert clock.next_due_s() is None, "nothing polls"

    alarm.poke()
    await clock.run(10)

    assert work.runs == [0.0, 3600.0]


async def test_it_runs_at_the_instant_its_last_run_named(
    clock: ManualClock, runtime: Runtime, alarm: Alarm, work: Work
) -> None:
    work.answers = [START_MS + 200_000]
    _serving = serve(runtime, alarm)

    await clock.run(199.9)
    assert work.runs == [0.0]
    await clock.run(0.2)

    assert work.runs == [0.0, 200.0]


async def test_an_instant_that_has_passed_means_again_at_once(
    clock: ManualClock, runtime: Runtime, alarm: Alarm, work: Work
) -> None:
    work.answers = [START_MS, START_MS - 5, None]
    _serving = serve(runtime, alarm)

    await clock.run(0)

    assert work.runs == [0.0, 0.0, 0.0]


async def test_a_poke_during_a_run_brings_another_run(clock: ManualClock, runtime: Runtime) -> None:
    runs = 0
    is_free = asyncio.Event()

    async def run_due() -> None:
        nonlocal runs
        runs += 1
        await is_free.wait()

    alarm = Alarm("relay", runtime, run_due)
    _serving = serve(runtime, alarm)
    await clock.run(0)

    alarm.poke()
    alarm.poke()
    await clock.run(0)
    assert runs == 1, "runs never overlap"
    is_free.set()
    await clock.run(0)

    assert runs == 2


async def test_an_engine_that_is_away_is_asked_for_every_two_seconds_and_told_of_once(
    clock: ManualClock,
    runtime: Runtime,
    alarm: Alarm,
    work: Work,
    caplog: pytest.LogCaptureFixture,
) -> None:
    work.answers = [*[Unavailable("PostgreSQL is away") for _ in range(4)], None]
    _serving = serve(runtime, alarm)

    await clock.run(100)

    assert work.runs == [0.0, 1.0, 3.0, 5.0, 7.0]
    assert caplog.messages == ["mail sender: what it needs is away: PostgreSQL is away"]
    assert alarm.failures == 4


async def test_a_poke_wakes_it_before_its_instant(
    clock: ManualClock, runtime: Runtime, alarm: Alarm, work: Work
) -> None:
    work.answers = [START_MS + 50_000]
    _serving = serve(runtime, alarm)
    await clock.run(10)

    alarm.poke()
    await clock.run(0)

    assert work.runs == [0.0, 10.0]


async def test_a_failing_run_is_logged_and_tried_again_with_growing_pauses(
    clock: ManualClock,
    runtime: Runtime,
    alarm: Alarm,
    work: Work,
    caplog: pytest.LogCaptureFixture,
) -> None:
    work.answers = [OSError("no network"), OSError("still none"), None]
    with caplog.at_level(logging.ERROR):
        _serving = serve(runtime, alarm)
        await clock.run(0.5)
        alarm.poke()
        await clock.run(10)

    assert work.runs == [0.0, 1.0, 3.0], "a poke does not hurry a failing run"
    assert alarm.failures == 2
    assert "mail sender failed" in caplog.text


async def test_after_the_machine_slept_it_notices_within_a_minute(
    clock: ManualClock, runtime: Runtime, alarm: Alarm, work: Work
) -> None:
    work.answers = [START_MS + 7_200_000]
    _serving = serve(runtime, alarm)
    await clock.run(1)

    clock._start_ms += 7_200_000  # the wall clock jumps, the monotonic one does not
    await clock.run(NAP_S_MAX)

    assert len(work.runs) == 2


async def test_closing_lets_the_run_under_way_finish(clock: ManualClock, runtime: Runtime) -> None:
    finished: list[str] = []

    async def run_due() -> None:
        await runtime.tasks.sleep(2)
        finished.append("run")

    runner = AlarmRunner(runtime)
    runner.start([Alarm("sender", runtime, run_due)])
    await clock.run(1)

    stopping = asyncio.ensure_future(runner.stop())
    await clock.run(1)
    await stopping

    assert finished == ["run"]


async def test_a_run_that_does_not_end_is_cancelled_after_the_grace(
    clock: ManualClock, runtime: Runtime
) -> None:
    runner = AlarmRunner(runtime)

    async def run_due() -> None:
        await asyncio.Event().wait()

    runner.start([Alarm("sender", runtime, run_due)])
    await clock.run(0)

    await runner.stop(grace_s=0.01)

    await clock.run(0)
    assert clock.next_due_s() is None


async def test_closing_ends_a_pause_after_a_failure(
    clock: ManualClock, runtime: Runtime, alarm: Alarm, work: Work
) -> None:
    work.answers = [OSError("x")]
    runner = AlarmRunner(runtime)
    runner.start([alarm])
    await clock.run(0.1)

    await runner.stop()

    assert work.runs == [0.0]
