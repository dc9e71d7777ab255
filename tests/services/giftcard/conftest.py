"""The till on each engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.testing.databases import Engine
from tests.services.giftcard.till import Till, open_till


@pytest.fixture
async def till(engine: Engine, tmp_path: Path) -> AsyncIterator[Till]:
    async with open_till(tmp_path, engine) as opened:
        yield opened
