"""The registry of one machine: who serves, as long as its process lives."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from emporion.chassis.discovery.registry import Entry, Registry, RegistryResolver
from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.kernel.errors import InvalidArgument, Unavailable
from tests.chassis.discovery.watching import Watch

HERE = Endpoint("127.0.0.1", 4001, "order-1")
PROGRAM = """
import sys
from pathlib import Path
from emporion.chassis.discovery.registry import Registry
from emporion.chassis.discovery.resolver import Endpoint
Registry(Path(sys.argv[1])).register("order", Endpoint("127.0.0.1", 4002, "order-2"))
print("registered", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has registered itself as order-2."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "registered\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def resolver(folder: Path) -> RegistryResolver:
    return RegistryResolver(folder, manual_runtime())


async def test_what_a_process_registers_is_found_until_it_withdraws(tmp_path):
    registry, found = Registry(tmp_path), resolver(tmp_path)
    assert await found.endpoints("order") == []

    registry.register("order", HERE)
    registry.register("payment", Endpoint("127.0.0.1", 4001, "payment-1"))
    assert await found.endpoints("order") == [HERE]

    registry.withdraw()
    assert await found.endpoints("order") == []
    assert list(tmp_path.iterdir()) == []


async def test_an_instance_whose_process_was_killed_is_not_found(tmp_path, other):
    found = resolver(tmp_path)
    assert [endpoint.instance_id for endpoint in await found.endpoints("order")] == ["order-2"]

    other.kill()

    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet buried
    assert await found.endpoints("order") == []
    other.wait()
    assert await found.endpoints("order") == []


async def test_a_later_process_of_the_same_id_is_not_mistaken_for_the_one_that_died(tmp_path):
    entry = Entry("order", "order-9", "127.0.0.1", 4009, pid=os.getpid(), started_s=1.0)
    (tmp_path / "order.order-9.instance.json").write_bytes(msgspec.json.encode(entry))

    assert await resolver(tmp_path).endpoints("order") == []


async def test_a_new_instance_of_the_same_name_takes_the_place_of_the_old_one(tmp_path, other):
    newer = Endpoint("127.0.0.1", 4003, "order-2")

    Registry(tmp_path).register("order", newer)

    assert await resolver(tmp_path).endpoints("order") == [newer]


async def test_withdrawing_leaves_the_file_of_an_instance_that_took_ones_place(tmp_path):
    registry = Registry(tmp_path)
    registry.register("order", HERE)
    [path] = tmp_path.iterdir()
    newer = msgspec.structs.replace(msgspec.json.decode(path.read_bytes(), type=Entry), pid=1)
    path.write_bytes(msgspec.json.encode(newer))

    registry.withdraw()

    assert path.exists()


async def test_changes_are_told_when_they_happen_and_only_then(tmp_path):
    clock = ManualClock()
    watch = Watch(RegistryResolver(tmp_path, manual_runtime(clock)), "order")
    registry = Registry(tmp_path)
    assert await watch.next() == []

    registry.register("order", HERE)
    reading = asyncio.ensure_future(watch.next())
    await clock.run(1.0)
    assert await reading == [HERE]

    reading = asyncio.ensure_future(watch.next())
    await clock.run(60.0)
    assert not reading.done()
    registry.withdraw()
    await clock.run(1.0)
    assert await reading == []


async def test_whoever_follows_changes_shares_one_look_and_whoever_asks_gets_a_fresh_one(
    tmp_path, monkeypatch
):
    looks = 0
    look = RegistryResolver._look

    def counted(self: RegistryResolver) -> None:
        nonlocal looks
        looks += 1
        look(self)

    monkeypatch.setattr(RegistryResolver, "_look", counted)
    clock = ManualClock()
    found = RegistryResolver(tmp_path, manual_runtime(clock))
    watches = [Watch(found, service) for service in ("order", "payment", "user")]
    assert [await watch.next() for watch in watches] == [[], [], []]
    assert looks == 1

    Registry(tmp_path).register("order", HERE)
    assert await found.endpoints("order") == [HERE]
    assert looks == 2


async def test_a_file_that_cannot_be_read_hides_no_other(tmp_path, caplog):
    Registry(tmp_path).register("order", HERE)
    (tmp_path / "order.broken.instance.json").write_text("{")

    assert await resolver(tmp_path).endpoints("order") == [HERE]
    assert "order.broken" in caplog.text


@pytest.mark.parametrize("instance_id", ["", "../order", "a/b"])
def test_a_name_that_is_none_of_a_file_is_refused(tmp_path, instance_id):
    with pytest.raises(InvalidArgument):
        Registry(tmp_path / "run").register("order", Endpoint("127.0.0.1", 1, instance_id))
    assert not (tmp_path / "run").exists()


async def test_a_folder_that_is_none_is_said(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(Unavailable):
        await resolver(path).endpoints("order")
    with pytest.raises(Unavailable):
        Registry(path).register("order", HERE)
