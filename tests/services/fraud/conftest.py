"""The fraud service, opened for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.fraud.watch import Watch, open_watch


@pytest.fixture
async def watch(engine, tmp_path: Path) -> AsyncIterator[Watch]:
    async with open_watch(tmp_path, engine) as opened:
        yield opened
