"""Each process is told what it needs, and no more."""

import stat
from pathlib import Path

import pytest

from emporion.platform.data_folder import DataFolder
from emporion.platform.settings import Environment, Settings
from emporion.platform.supervisor.local_shop import LocalShop
from emporion.platform.topology.process_file import ProcessFile
from emporion.platform.topology.reading import parse_topology
from tests.platform.supervisor.conftest import BACK, topology_text

MIXED = "{default: postgres, user: sqlite, catalog: sqlite}"


async def told(data: Path, settings: Settings, *, instances: int = 1) -> dict[str, ProcessFile]:
    """As the processes read it, by instance."""
    topology = parse_topology(topology_text(instances=instances, engines=MIXED), "shop.yaml")
    with DataFolder(data):
        shop = LocalShop(topology, settings, print)
        for process in shop.processes:
            _ = await process.prepare()
    return {
        process.name: ProcessFile.read(shop.folders.process_file(process.name))
        for process in shop.processes
    }


async def test_a_process_is_told_its_own_databases_and_no_others(data: Path) -> None:
    files = await told(data, Settings(data=str(data)))
    front, back = files["front-1"], files["back-1"]

    assert sorted(held.name for held in back.services) == sorted(BACK)
    assert all(f"/emporion_{held.name}" in held.dsn for held in back.services)
    assert set(back.elsewhere) == {"user", "catalog"}
    assert front.services[0].dsn == str(data / "user.sqlite")
    assert back.bus.url.startswith("nats://")


async def test_secrets_are_readable_by_the_owner_alone(data: Path) -> None:
    await told(data, Settings(data=str(data)))

    for file in (data / "secrets.json", data / "run" / "back-1.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_every_process_has_a_key_of_its_own_that_all_others_know(data: Path) -> None:
    files = await told(data, Settings(data=str(data)))
    front, back = files["front-1"], files["back-1"]

    assert front.service_key != back.service_key
    assert front.trusted == back.trusted
    assert {"user", "catalog", "platform"} == set(front.trusted[0].services)
    assert set(BACK) == set(front.trusted[1].services)


async def test_one_process_alone_fills_the_shop(data: Path) -> None:
    files = await told(data, Settings(data=str(data)), instances=2)

    assert [name for name, file in files.items() if file.is_seeding] == ["front-1"]


async def test_instances_have_folders_and_announcements_of_their_own(data: Path) -> None:
    files = await told(data, Settings(data=str(data)), instances=2)
    first, second = files["back-1"], files["back-2"]

    assert first.settings.data != second.settings.data
    assert first.listening_file != second.listening_file
    assert first.service_key == second.service_key
    assert all(held.instances == 2 for held in first.services)


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1"])
async def test_a_shop_that_others_can_reach_is_no_rehearsal_behind_its_edge(
    data: Path, host: str
) -> None:
    files = await told(data, Settings(data=str(data), host=host))

    is_rehearsal = host == "127.0.0.1"
    expected = Environment.DEVELOPMENT if is_rehearsal else Environment.PRODUCTION
    assert {file.settings.environment for file in files.values()} == {expected}
    assert {file.settings.host for file in files.values()} == {"127.0.0.1"}
