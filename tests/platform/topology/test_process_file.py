"""A process file comes back as it was written, and is its owner's only."""

import stat
from pathlib import Path

import pytest

from emporion.chassis.auth.keys import SigningKey
from emporion.platform.settings import Environment, Settings
from emporion.platform.topology.kinds import BusKind, DiscoveryKind, Engine
from emporion.platform.topology.process_file import (
    BadProcessFile,
    BusPlace,
    DiscoveryPlace,
    HeldService,
    Listening,
    ProcessFile,
    TrustedCaller,
)

SECRET = "0123456789abcdef0123456789abcdef"


def example(folder: Path) -> ProcessFile:
    key = SigningKey.from_secret(SECRET)
    return ProcessFile(
        process="order",
        instance="order-1",
        services=(HeldService(name="order", engine=Engine.POSTGRES, dsn="postgresql://o:s@h/o"),),
        elsewhere=("user", "payment"),
        settings=Settings(port=0, data=str(folder), environment=Environment.PRODUCTION),
        bus=BusPlace(kind=BusKind.NATS, url="nats://s@127.0.0.1:4222", publishers=("order",)),
        discovery=DiscoveryPlace(
            kind=DiscoveryKind.STATIC, endpoints={"user": ("127.0.0.1:1", "127.0.0.1:2")}
        ),
        service_key=key.stored(),
        trusted=(TrustedCaller(services=("order",), key=key.public),),
        listening_file=str(folder / "listening"),
    )


def test_a_process_reads_what_the_supervisor_wrote(tmp_path: Path) -> None:
    written = example(tmp_path)
    written.write(tmp_path / "order-1.json")

    assert ProcessFile.read(tmp_path / "order-1.json") == written


def test_nobody_but_the_owner_can_read_the_secrets(tmp_path: Path) -> None:
    path = tmp_path / "order-1.json"
    path.with_name("order-1.json.new").touch(mode=0o644)
    example(tmp_path).write(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_the_reader_does_not_know_is_an_error_that_quotes_no_secret(
    tmp_path: Path,
) -> None:
    path = tmp_path / "order-1.json"
    example(tmp_path).write(path)
    path.write_text(path.read_text().replace('"trusted_proxies"', '"trusted_proxy"'))

    with pytest.raises(BadProcessFile, match="trusted_proxy") as caught:
        ProcessFile.read(path)

    assert "postgresql://o:s@h/o" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadProcessFile, match=r"gone\.json: No such file"):
        ProcessFile.read(tmp_path / "gone.json")


def test_a_process_says_where_it_listens(tmp_path: Path) -> None:
    path = tmp_path / "listening"
    assert Listening.read(path) is None

    said = Listening(pid=7, http="http://127.0.0.1:8", grpc="127.0.0.1:9")
    said.write(path)

    assert Listening.read(path) == said
