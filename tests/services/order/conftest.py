"""The order service on each engine."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.chassis.testing.time import manual_runtime
from tests.services.order.rig import Shop
from tests.services.vaults import open_vault


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> Callable[[], Any]:
    @asynccontextmanager
    async def open_shop() -> AsyncIterator[Shop]:
        runtime = manual_runtime()
        async with (
            sql_database(
                engine, tmp_path, [migrations_of("order", engine)], source="order", runtime=runtime
            ) as database,
            open_vault(tmp_path, runtime) as vault,
        ):
            yield Shop(database, runtime, vault)

    return open_shop
