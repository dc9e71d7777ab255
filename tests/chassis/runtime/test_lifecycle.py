"""A process starts in order and stops in reverse, within its time, whatever fails."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from emporion.chassis.runtime.lifecycle import Lifecycle, Part
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle


class Diary:
    """Parts that write down what happens to them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def part(
        self,
        name: str,
        *,
        start: Callable[[], Awaitable[object]] | None = None,
        stop: Callable[[], Awaitable[object]] | None = None,
    ) -> Part:
        async def started() -> None:
            self.lines.append(f"start {name}")
            if start is not None:
                await start()

        async def stopped() -> None:
            if stop is not None:
                await stop()
            self.lines.append(f"stop {name}")

        return Part(name, started, stopped)


async def hang() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise OSError("no disk")


@pytest.fixture
def diary() -> Diary:
    return Diary()


async def test_parts_start_in_order_and_stop_in_reverse(diary: Diary) -> None:
    lifecycle = Lifecycle(manual_runtime())
    for name in ("database", "alarms", "server"):
        lifecycle.add(diary.part(name))
    assert lifecycle.why_closed() == "starting"

    await lifecycle.start()
    assert lifecycle.why_closed() == ""
    await lifecycle.stop()

    assert lifecycle.why_closed() == "draining"
    assert diary.lines == [
        "start database", "start alarms", "start server",
        "stop server", "stop alarms", "stop database",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_closes_the_door_first_and_then_stops_the_parts(
    diary: Diary, number: signal.Signals
) -> None:
    lifecycle = Lifecycle(system_runtime())

    async def drain() -> None:
        diary.lines.append(f"door: {lifecycle.why_closed()}")

    lifecycle.add(diary.part("server", stop=drain))

    await lifecycle.run(lambda: os.kill(os.getpid(), number))

    assert diary.lines == ["start server", "door: draining", "stop server"]


async def test_readiness_is_off_for_the_notice_before_anything_stops(diary: Diary) -> None:
    clock = ManualClock()
    lifecycle = Lifecycle(manual_runtime(clock), notice_s=5)
    lifecycle.add(diary.part("server"))
    await lifecycle.start()

    stopping = asyncio.ensure_future(lifecycle.stop())
    await clock.run(4.9)
    assert lifecycle.why_closed() == "draining"
    assert "stop server" not in diary.lines
    await clock.run(0.2)
    await stopping

    assert "stop server" in diary.lines


async def test_a_part_that_does_not_stop_leaves_time_for_the_rest(
    diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    lifecycle = Lifecycle(manual_runtime(clock), stop_timeout_s=10)
    lifecycle.add(diary.part("database"))
    lifecycle.add(diary.part("server", stop=hang))
    await lifecycle.start()

    stopping = asyncio.ensure_future(lifecycle.stop())
    await clock.run(10)
    await stopping

    assert diary.lines[-1] == "stop database"
    assert "server did not stop in time" in caplog.text
    assert clock.monotonic_s() <= 10


async def test_a_part_that_fails_to_stop_does_not_keep_the_others(
    diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    lifecycle = Lifecycle(manual_runtime())
    lifecycle.add(diary.part("database"))
    lifecycle.add(diary.part("server", stop=fail))
    await lifecycle.start()

    await lifecycle.stop()

    assert diary.lines[-1] == "stop database"
    assert "server failed to stop" in caplog.text


async def test_a_start_that_fails_stops_what_was_started_and_raises(diary: Diary) -> None:
    lifecycle = Lifecycle(system_runtime())
    lifecycle.add(diary.part("database"))
    lifecycle.add(diary.part("server", start=fail))

    with pytest.raises(OSError, match="no disk"):
        await lifecycle.run()

    assert diary.lines == ["start database", "start server", "stop server", "stop database"]


async def test_a_second_signal_skips_the_notice(diary: Diary) -> None:
    clock = ManualClock()
    lifecycle = Lifecycle(manual_runtime(clock), notice_s=60)
    lifecycle.add(diary.part("server"))
    await lifecycle.start()
    lifecycle.ask_to_stop()
    stopping = asyncio.ensure_future(lifecycle.stop())
    await settle()
    assert not stopping.done()

    lifecycle.ask_to_stop()
    await stopping

    assert diary.lines[-1] == "stop server"


async def test_asked_to_stop_while_starting_it_starts_nothing_more(diary: Diary) -> None:
    lifecycle = Lifecycle(system_runtime())

    async def be_asked() -> None:
        lifecycle.ask_to_stop()

    lifecycle.add(diary.part("database", start=be_asked))
    lifecycle.add(diary.part("server"))

    await lifecycle.run()

    assert diary.lines == ["start database", "stop database"]
