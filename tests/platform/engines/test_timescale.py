"""A service on TimescaleDB: opened as such, and refused where the extension is missing."""

from pathlib import Path

import pytest

from emporion.chassis.data.postgres.timescale import TimescaleDatabase
from emporion.chassis.testing.databases import postgres_dsn
from emporion.chassis.testing.time import manual_runtime
from emporion.platform.engines.external import check_database
from emporion.platform.fabric import migrations_of
from emporion.platform.reading.postgres import ReadOnlyPostgres
from emporion.platform.split_fabric import open_engine
from emporion.platform.topology.kinds import Engine
from emporion.platform.topology.process_file import HeldService


async def test_a_postgresql_without_the_extension_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    plain = await postgres_dsn(tmp_path)

    await check_database(Engine.POSTGRES, plain)
    with pytest.raises(ConnectionError, match="no extension timescaledb"):
        await check_database(Engine.TIMESCALE, plain)


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ConnectionError, match=r"TimescaleDB at 127\.0\.0\.1:1 cannot be used"):
        await check_database(Engine.TIMESCALE, "postgresql://u:secret@127.0.0.1:1/figures")


def test_a_service_on_it_has_the_tables_of_the_chassis_and_its_own() -> None:
    dsn = "postgresql://u@127.0.0.1:1/figures"
    held = HeldService(name="analytics", engine=Engine.TIMESCALE, dsn=dsn, instances=1)

    database = open_engine(held, manual_runtime())
    chassis, own = migrations_of("analytics", Engine.TIMESCALE)

    assert isinstance(database, TimescaleDatabase)
    assert database.engine == "timescale"
    assert (chassis.component, own.component) == ("chassis", "analytics")
    assert str(own.folder).endswith("analytics/migrations/timescale")
    assert ReadOnlyPostgres(dsn, "analytics", engine=Engine.TIMESCALE.value).engine == "timescale"
