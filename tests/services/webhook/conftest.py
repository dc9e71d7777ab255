"""The webhook service, opened for each test, and endpoints on this machine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.webhook.desk import Desk, Endpoint, open_desk


@pytest.fixture
async def desk(engine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, engine) as opened:
        yield opened


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint().open() as opened:
        yield opened
