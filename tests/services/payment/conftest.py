"""The payment service, opened for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.payment.desk import Desk, open_desk


@pytest.fixture(params=[False, True], ids=["shared", "sole-writer"])
async def desk(engine, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, engine, is_sole_writer=request.param) as opened:
        yield opened
