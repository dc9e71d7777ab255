"""The analytics service on a real bus."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.services.analytics.service import build
from tests.services.follower import Follower


@pytest.fixture
async def counter(engine, tmp_path: Path) -> AsyncIterator[Follower]:
    async with Follower(tmp_path, engine, "analytics", build) as follower:
        yield follower
