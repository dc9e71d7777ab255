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


SPREAD = "tls: on\naddress: 127.0.0.1\nlisten: 0.0.0.0\n"
FAR = "front: {services: [user, catalog], address: 127.0.0.2, network: far}"


async def spread(data: Path, *, is_network_closed: bool = False) -> dict[str, ProcessFile]:
    """Of a shop whose processes are reached at addresses of their own."""
    text = topology_text(engines=MIXED).replace("front: [user, catalog]", FAR) + SPREAD
    settings = Settings(data=str(data), is_network_closed=is_network_closed)
    with DataFolder(data):
        shop = LocalShop(parse_topology(text, "shop.yaml"), settings, print)
        for process in shop.processes:
            _ = await process.prepare()
    return {one.name: ProcessFile.read(one._file) for one in shop.processes}


async def test_a_process_listens_where_the_shop_says_and_is_found_at_its_address(
    data: Path,
) -> None:
    files = await spread(data)
    front, back = files["front-1"], files["back-1"]

    assert {back.settings.host, back.grpc_host} == {"0.0.0.0"}  # noqa: S104 - read, not bound
    assert back.address == "127.0.0.1"
    assert (front.settings.host, front.grpc_host) == ("127.0.0.2", "127.0.0.2")
    assert (front.address, front.network, back.network) == ("127.0.0.2", "far", "")
    assert "@127.0.0.1:" in back.bus.url
    assert all("@127.0.0.1:" in held.dsn for held in back.services)


@pytest.mark.parametrize(
    ("is_network_closed", "expected"),
    [(False, Environment.PRODUCTION), (True, Environment.DEVELOPMENT)],
)
async def test_processes_that_others_can_reach_rehearse_only_where_the_network_is_closed(
    data: Path, is_network_closed: bool, expected: Environment
) -> None:
    files = await spread(data, is_network_closed=is_network_closed)

    assert {file.settings.environment for file in files.values()} == {expected}
