"""The dock on each engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.chassis.testing.time import manual_runtime
from tests.services.shipping.dock import Dock
from tests.services.vaults import open_vault


@pytest.fixture
async def dock(engine: Engine, tmp_path: Path) -> AsyncIterator[Dock]:
    """A dock with nothing on it."""
    runtime = manual_runtime()
    migrations = [migrations_of("shipping", engine)]
    async with (
        open_vault(tmp_path, runtime) as vault,
        sql_database(engine, tmp_path, migrations, source="shipping", runtime=runtime) as database,
    ):
        yield Dock(database, runtime, vault)
