"""The brokers' servers, started once for all tests of a worker."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.chassis.brokers.servers import MotoServer, NatsServer

_numbers = count(1)


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    server = MotoServer(tmp_path_factory.mktemp("moto"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def prefix() -> str:
    """What keeps the streams and topics of a test apart from those of the others."""
    return f"test{next(_numbers)}"
