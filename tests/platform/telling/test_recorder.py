"""The recorder goes on, whatever fails, and its store is never two threads' at a time."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.time import ManualClock, ManualTasks, SeededRandomness, settle
from emporion.platform.telling.recorder import QUIET_MS, Batch, Recorder
from emporion.platform.telling.store.reading import StoreReader
from emporion.platform.telling.store.writing import Limits
from tests.defects.steered import TimedIds

HELD_S_MAX = 30


class HeldClock(ManualClock):
    """Holds the thread that stores, which asks for the time when it has written."""

    def __init__(self) -> None:
        super().__init__()
        self.is_reached = threading.Event()
        self.is_let_go = threading.Event()
        self._loop_thread = threading.get_ident()

    def now_ms(self) -> int:
        if threading.get_ident() != self._loop_thread:
            self.is_reached.set()
            assert self.is_let_go.wait(HELD_S_MAX)
        return super().now_ms()


def recorder_of(path: Path, clock: ManualClock, *exports: Callable[[Batch], None]) -> Recorder:
    runtime = Runtime(clock, TimedIds(clock), SeededRandomness(), ManualTasks(clock))
    limits = Limits(bytes_max=10**8, hours=24)
    return Recorder(Telemetry(runtime), runtime, path, limits, deque(), exports=[*exports])


async def pass_by(recorder: Recorder, clock: ManualClock) -> None:
    """Let it carry by itself, a sample too, and wait for that."""
    await settle()
    clock.advance(QUIET_MS / 1000)
    await settle()
    await recorder.flush()
    await settle()


async def test_metrics_known_from_before_a_failed_write_are_stored_after_it(tmp_path, caplog):
    path, clock = tmp_path / "telemetry.db", ManualClock()
    path.mkdir()
    batches: list[Batch] = []
    recorder = recorder_of(path, clock, batches.append)
    orders = recorder.telemetry.metrics.count("orders", "Orders.")
    await recorder.start()
    for _ in range(2):
        orders.add(3)
        await pass_by(recorder, clock)
    path.rmdir()
    for _ in range(2):
        orders.add(4)
        await pass_by(recorder, clock)
    await recorder.stop()

    (series,) = StoreReader(path).series(["orders"], since_ms=0, until_ms=clock.now_ms())
    assert sum(point.value for point in series.points) == 4.0 * 2
    assert len([batch for batch in batches if batch.sample]) == 4
    assert [line.levelname for line in caplog.records] == ["WARNING"]


async def test_what_nobody_expected_is_said_once_and_the_next_batch_is_carried(tmp_path, caplog):
    path, clock = tmp_path / "telemetry.db", ManualClock()
    faults = deque([RuntimeError("planted"), RuntimeError("planted again")])

    def export(batch: Batch) -> None:
        if batch.sample and faults:
            raise faults.popleft()

    recorder = recorder_of(path, clock, export)
    orders = recorder.telemetry.metrics.count("orders", "Orders.")
    await recorder.start()
    for _ in range(3):
        orders.add()
        await pass_by(recorder, clock)
    await recorder.stop()

    (series,) = StoreReader(path).series(["orders"], since_ms=0, until_ms=clock.now_ms())
    assert [point.value for point in series.points] == [1.0]
    (line,) = caplog.records
    assert line.levelname == "ERROR"
    assert line.exc_info is not None
    assert str(line.exc_info[1]) == "planted"


@pytest.mark.parametrize("is_reader", [False, True], ids=["stopped", "a reader gone"])
async def test_a_thread_that_writes_is_waited_for(tmp_path, is_reader):
    path, clock = tmp_path / "telemetry.db", HeldClock()
    batches: list[Batch] = []
    recorder = recorder_of(path, clock, batches.append)
    await recorder.start()
    await settle()
    readers: list[asyncio.Task[None]] = []
    if is_reader:
        readers.append(asyncio.create_task(recorder.flush(for_reader=True)))
    else:
        clock.advance(QUIET_MS / 1000)
    try:
        assert await asyncio.to_thread(clock.is_reached.wait, HELD_S_MAX)
        with recorder.telemetry.span("order", "late"):
            pass
        for reader in readers:
            reader.cancel()
        stopping = asyncio.create_task(recorder.stop())
        await settle()
        assert (len(batches), stopping.done()) == (1, False)
    finally:
        clock.is_let_go.set()
    await stopping

    assert [len(batch.spans) for batch in batches] == [0, 1]
