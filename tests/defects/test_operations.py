"""Defects of operation: health that is a constant, migrations that stop half-way."""

import shutil
from collections.abc import Sequence
from importlib.resources import files

import pytest

from emporion.chassis.data.migrations.runner import MigrationFailed, Migrations
from emporion.platform.data_folder import FolderInUse
from emporion.platform.fabric import migrations_of
from tests.defects.whole_shop import WholeShop

SECOND = "0099_more.sql"
BROKEN = "ALTER TABLE orders ADD COLUMN note TEXT;\nINSERT INTO nowhere VALUES (1);\n"
EXPANDING = "ALTER TABLE orders ADD COLUMN note TEXT NOT NULL DEFAULT '';\n"


@pytest.fixture
def release(tmp_path, monkeypatch):
    """Another release of the shop: one with one more migration of the order service."""
    folder = tmp_path / "migrations"
    shutil.copytree(str(files("emporion.services.order") / "migrations" / "sqlite"), folder)
    own = Migrations("order", folder)

    def of(service: str, engine: str) -> Sequence[Migrations]:
        chassis, shipped = migrations_of(service, engine)
        return (chassis, own if service == "order" else shipped)

    def make(sql: str) -> None:
        (folder / SECOND).write_text(sql)
        monkeypatch.setattr("emporion.platform.fabric.migrations_of", of)

    return make


async def columns(shop) -> set[str]:
    return {row[1] for row in await shop.rows("order", "PRAGMA table_info(orders)")}


async def test_defect_12_readiness_fails_when_a_database_does(shop):
    stranger = shop.stranger()
    assert (await stranger.get("/readyz")).status == 200

    await shop.shop.databases["payment"].close()
    shop.clock.advance(2)
    whole, payment, order = [
        await stranger.get(target) for target in ("/readyz", "/readyz/payment", "/readyz/order")
    ]

    assert (whole.status, payment.status, order.status) == (503, 503, 200)
    services = whole.json()["services"]
    assert not services["payment"]["database"]["is_ok"]
    assert services["order"]["database"]["is_ok"]


async def test_defect_12_readiness_fails_when_a_database_can_be_read_and_not_written(shop):
    ada = await shop.customer("Ada")
    shop.shop.databases["order"]._connections[0].execute("PRAGMA query_only = ON").fetchall()

    assert (await ada.get("/api/orders")).status == 200
    assert (await ada.get("/readyz/order")).status == 503
    assert (await ada.get("/readyz/payment")).status == 200


async def test_defect_18_a_migration_that_fails_leaves_nothing_behind(shop, release, monkeypatch):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    await ada.order(("croissant", 1))
    before = await columns(shop)
    await shop.close()

    release(BROKEN)
    with pytest.raises(MigrationFailed, match=SECOND):
        await shop.open()
    monkeypatch.undo()
    await shop.open()

    assert await columns(shop) == before
    assert (await ada.order(("croissant", 1))).status == 201
    await shop.deliver()
    assert await shop.audit() == []


async def test_defect_18_an_older_release_goes_on_beside_an_expanded_schema(
    shop, release, monkeypatch
):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    release(EXPANDING)
    await shop.restart()
    assert "note" in await columns(shop)
    await ada.order(("croissant", 1))

    monkeypatch.undo()
    await shop.restart()

    assert "note" in await columns(shop)
    assert (await ada.order(("croissant", 1))).status == 201
    await shop.deliver()
    assert await shop.audit() == []


async def test_defect_18_no_second_process_migrates_at_the_same_time(shop):
    second = WholeShop(shop.folder)

    with pytest.raises(FolderInUse):
        await second.open()

    assert (await shop.stranger().get("/readyz")).status == 200
