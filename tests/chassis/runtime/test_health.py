"""A probe really probes, but not for each who asks."""

import asyncio

import pytest

from emporion.chassis.runtime.health import KEPT_S, KeptProbe
from emporion.chassis.testing.time import ManualClock
from emporion.kernel.errors import Unavailable


class Part:
    """Counts how often it is probed."""

    def __init__(self) -> None:
        self.probed = 0
        self.problem: Exception | None = None

    async def probe(self) -> None:
        self.probed += 1
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem


async def test_defect_12_a_probe_tells_the_truth_within_a_second() -> None:
    clock, part = ManualClock(), Part()
    probe = KeptProbe(part.probe, clock)
    await probe()

    part.problem = Unavailable("the disk is gone")
    clock.advance(KEPT_S + 0.01)
    with pytest.raises(Unavailable, match="disk"):
        await probe()

    part.problem = None
    clock.advance(KEPT_S + 0.01)
    await probe()


async def test_many_who_ask_at_once_probe_once() -> None:
    clock, part = ManualClock(), Part()
    probe = KeptProbe(part.probe, clock)

    await asyncio.gather(*(probe() for _ in range(50)))
    await probe()

    assert part.probed == 1


async def test_one_who_stops_waiting_does_not_spoil_the_answer_for_others() -> None:
    clock, part = ManualClock(), Part()
    probe = KeptProbe(part.probe, clock)
    impatient, patient = (asyncio.ensure_future(probe()) for _ in range(2))
    await asyncio.sleep(0)

    impatient.cancel()
    await patient

    assert part.probed == 1


async def test_a_probe_that_hangs_fails() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Unavailable, match="no answer"):
        await KeptProbe(hang, ManualClock(), timeout_s=0.01)()
