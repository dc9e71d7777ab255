"""A whole shop for each test; and, for a planted run, the proof that the planted code runs."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import emporion
from tests.defects.whole_shop import WholeShop

PLANTED_SOURCE = "EMPORION_PLANTED_SOURCE"
"""Set by tests.defects.planted: the folder from which the code under test must come."""


def pytest_sessionstart() -> None:
    """Refuse to test anything else than the planted copy."""
    wanted = os.environ.get(PLANTED_SOURCE)
    found = Path(emporion.__file__).parent.parent
    if wanted and Path(wanted).resolve() != found.resolve():
        pytest.exit(f"the code under test is {found}, not the planted {wanted}", returncode=4)


@pytest.fixture(scope="session")
def empty_folder(tmp_path_factory) -> Path:
    """A data folder whose schemas are up to date, to be copied: that saves hundreds of syncs."""
    folder: Path = tmp_path_factory.mktemp("defects") / "shop"

    async def make() -> None:
        whole = WholeShop(folder)
        await whole.open()
        await whole.close()

    asyncio.run(make())
    return folder


@pytest.fixture
async def shop(empty_folder, tmp_path) -> AsyncIterator[WholeShop]:
    """An open shop with nothing in it, not started."""
    whole = WholeShop(shutil.copytree(empty_folder, tmp_path / "shop"))
    await whole.open()
    yield whole
    await whole.close()
