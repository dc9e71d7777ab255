"""The loop's lag is measured, and what blocks the loop is named while it blocks."""

import asyncio
import logging
import threading
import time

import pytest

from emporion.chassis.runtime.lag import INTERVAL_S, LoopLag, Watchdog
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle


async def test_the_lag_is_how_much_later_than_wanted_the_loop_turns() -> None:
    clock = ManualClock()
    runtime = manual_runtime(clock)
    lag = LoopLag(runtime)
    heard: list[float] = []
    lag.listeners.append(heard.append)
    task = runtime.tasks.spawn("lag", lag.serve())
    await settle()

    clock.advance(INTERVAL_S + 0.4)
    await settle()
    await clock.run(INTERVAL_S)
    task.cancel()

    assert heard == pytest.approx([0.4, 0.0])
    assert lag.lag_s == pytest.approx(0.0)
    assert lag.lag_s_max == pytest.approx(0.4)


async def test_pitfall_7_what_blocks_the_loop_is_named_with_its_stack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runtime = system_runtime()
    lag = LoopLag(runtime)
    watchdog = Watchdog(lag, runtime.clock, blocked_s=0.1)
    measuring = runtime.tasks.spawn("lag", lag.serve())
    await settle()
    is_reported = threading.Event()
    caplog.set_level(logging.ERROR)

    def a_long_calculation() -> None:
        end_s = time.monotonic() + 10
        while not watchdog.blockages and time.monotonic() < end_s:
            is_reported.wait(0.01)

    watchdog.start()
    a_long_calculation()
    watchdog.stop()
    measuring.cancel()

    assert watchdog.blockages == 1
    assert "a_long_calculation" in caplog.text
    assert "blocked" in caplog.text


async def test_one_blockage_is_reported_once_and_a_turning_loop_never(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock()
    runtime = manual_runtime(clock)
    lag = LoopLag(runtime)
    watchdog = Watchdog(lag, clock)
    watchdog.look()
    clock.advance(60)
    watchdog.look()
    assert watchdog.blockages == 0, "nobody measures yet"
    task = runtime.tasks.spawn("lag", lag.serve())
    await settle()

    clock._elapsed_s += 0.9
    watchdog.look()
    assert watchdog.blockages == 0
    clock._elapsed_s += 0.5
    for _ in range(5):
        watchdog.look()
    assert watchdog.blockages == 1

    await clock.run(INTERVAL_S)
    watchdog.look()
    assert watchdog.blockages == 1
    task.cancel()
    await asyncio.wait([task])
