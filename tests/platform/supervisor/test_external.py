"""Engines that somebody else runs are reached before anything starts, or named by their line."""

import socket
from pathlib import Path

import pytest

from emporion.platform.engines.local import Engines
from emporion.platform.engines.mongodb import MongoServer
from emporion.platform.engines.postgres import PostgresServer
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.supervisor.kept import Kept
from emporion.platform.table_file import BadFile
from emporion.platform.topology.reading import parse_topology
from tests.engines.mongodb import sockets_collected
from tests.platform.supervisor.conftest import topology_text

__all__ = ["sockets_collected"]
pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.mark.parametrize("engine", ["postgres", "mongodb"])
async def test_an_external_database_that_cannot_be_reached_is_named_by_its_line(
    data: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    scheme = "postgresql" if engine == "postgres" else "mongodb"
    monkeypatch.setenv("STOCK", f"{scheme}://stock:pa55w0rd@127.0.0.1:{port}/stock")
    monkeypatch.setattr("emporion.platform.engines.external.REACH_TIMEOUT_S", 1)
    engines = f"{{default: sqlite, inventory: {{kind: {engine}, address: env:STOCK}}}}"
    topology = parse_topology(topology_text(engines=engines), "shop.yaml")

    with pytest.raises(BadFile) as caught:
        await Engines(topology, data, SecretsFile.open(data)).check_external()

    told = caught.value.mistakes[0].show("shop.yaml")
    assert told.startswith("shop.yaml:4: engines.inventory: ")
    assert f"127.0.0.1:{port} cannot be used" in told
    assert "pa55w0rd" not in told


async def test_wrong_credentials_of_an_external_database_are_told_by_its_line(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PostgresServer(data, ("order",), SecretsFile.open(data))
    kept = Kept(server, data / "run", print)
    _ = await kept.start()
    try:
        right = server.address_of("order")
        monkeypatch.setenv("ORDERS", right.replace("emporion_order:", "emporion_order:x"))
        engines = "{default: sqlite, order: {kind: postgres, address: env:ORDERS}}"
        topology = parse_topology(topology_text(engines=engines), "shop.yaml")
        with pytest.raises(BadFile) as caught:
            await Engines(topology, data, SecretsFile.open(data)).check_external()
    finally:
        _ = await kept.stop()

    told = caught.value.mistakes[0].show("shop.yaml")
    assert "shop.yaml:4: engines.order: PostgreSQL at 127.0.0.1:" in told
    assert 'password authentication failed for user "emporion_order"' in told


@pytest.mark.usefixtures("sockets_collected")
async def test_wrong_credentials_of_an_external_document_database_are_told_by_its_line(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = MongoServer(data, ("inventory",), SecretsFile.open(data))
    kept = Kept(server, data / "run", print)
    _ = await kept.start()
    try:
        right = server.address_of("inventory")
        monkeypatch.setenv("STOCK", right.replace("inventory:", "inventory:x", 1))
        engines = "{default: sqlite, inventory: {kind: mongodb, address: env:STOCK}}"
        topology = parse_topology(topology_text(engines=engines), "shop.yaml")
        with pytest.raises(BadFile) as caught:
            await Engines(topology, data, SecretsFile.open(data)).check_external()
    finally:
        _ = await kept.stop()

    told = caught.value.mistakes[0].show("shop.yaml")
    assert told.startswith("shop.yaml:4: engines.inventory: MongoDB at 127.0.0.1:")
    assert "authentication failed" in told
