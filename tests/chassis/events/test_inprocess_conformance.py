"""The in-process bus keeps what every bus must keep, on whatever its subscribers stand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.testing.bus_rig import BusRig
from emporion.chassis.testing.conformance_bus import BusConformance
from emporion.chassis.testing.databases import Engine


@pytest.fixture
async def rig(engine: Engine, tmp_path: Path) -> AsyncIterator[BusRig]:
    async with BusRig(tmp_path, subscribers_on=engine) as opened:
        yield opened


class TestInProcessBus(BusConformance):
    pass
