"""The email service, opened for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.email.office import Office, Tray, open_office


@pytest.fixture
def tray() -> Tray:
    return Tray()


@pytest.fixture
async def office(engine, tmp_path: Path, tray: Tray) -> AsyncIterator[Office]:
    async with open_office(tmp_path, engine, tray) as opened:
        yield opened
