"""The in-process bus keeps what every bus must keep."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.testing.bus_rig import BusRig
from emporion.chassis.testing.conformance_bus import BusConformance


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[BusRig]:
    async with BusRig(tmp_path) as opened:
        yield opened


class TestInProcessBus(BusConformance):
    pass
