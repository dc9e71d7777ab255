"""The analytics service on a real bus."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.services.analytics.service import build
from tests.services.follower import Follower


@pytest.fixture(params=["sqlite", "postgres", "timescale"])
def engine(request):
    """Each engine that it has an adapter for."""
    return request.param


@pytest.fixture
async def counter(engine, tmp_path: Path) -> AsyncIterator[Follower]:
    async with Follower(tmp_path, engine, "analytics", build) as follower:
        yield follower
