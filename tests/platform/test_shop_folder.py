"""The data folder as commands see it is the one the process writes."""

from pathlib import Path

import pytest

from emporion.chassis.data.database import Tx
from emporion.kernel.errors import EmporionError
from emporion.platform import services, shop_folder
from emporion.platform.data_folder import DataFolder, FolderInUse
from emporion.platform.reading.refusals import NoShopHere, ReadOnly
from emporion.platform.reading.shop import open_for_reading
from emporion.platform.shop_folder import open_for_writing


def touch(folder: Path) -> None:
    for name in shop_folder.SERVICES:
        shop_folder.database_file(folder, name).touch()


def test_the_commands_know_every_service():
    assert set(shop_folder.SERVICES) == set(services.SERVICES)


async def test_what_is_opened_for_reading_cannot_be_written(tmp_path):
    touch(tmp_path)
    async with open_for_writing(tmp_path, "email"):
        pass

    async def write(tx: Tx) -> int:
        return await tx.execute("DELETE FROM mail")

    async with open_for_reading(tmp_path) as shop:
        with pytest.raises(ReadOnly):
            await shop.databases["email"].transaction(write)
        with pytest.raises(EmporionError, match="readonly"):
            await shop.databases["email"].read(write)


async def test_nothing_is_written_beside_a_running_shop(tmp_path):
    touch(tmp_path)
    with DataFolder(tmp_path), pytest.raises(FolderInUse, match="stop it"):
        async with open_for_writing(tmp_path, "email"):
            pass


async def test_a_folder_that_lacks_a_database_is_no_shop(tmp_path):
    touch(tmp_path)
    shop_folder.database_file(tmp_path, "order").unlink()

    with pytest.raises(NoShopHere, match=r"no order\.sqlite"):
        async with open_for_reading(tmp_path):
            pass
