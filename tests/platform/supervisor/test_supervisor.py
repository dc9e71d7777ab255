"""A shop starts whole or not at all, is kept running, and leaves nothing behind at its end."""

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from emporion.platform.engines import binaries
from emporion.platform.supervisor.part import EngineMissing, StartFailed
from tests.platform.supervisor.conftest import (
    Launch,
    ask,
    behave,
    eventually,
    open_shop,
    programs_of,
    topology_text,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
POSTGRES = "{default: postgres, user: sqlite, catalog: sqlite}"


async def test_a_shop_starts_in_order_answers_by_path_and_ends_whole(
    data: Path, said: list[str]
) -> None:
    async with open_shop(data, said, text=topology_text(engines=POSTGRES)) as shop:
        assert (await ask(shop, "/api/products"))[1]["instance"] == "front-1"
        assert (await ask(shop, "/api/orders"))[1]["instance"] == "back-1"
        started = [line.split()[0] for line in said]
        assert set(started[:2]) == {"postgresql", "nats"}
        assert set(started[2:4]) == {"front-1", "back-1"}
        assert started[4:] == ["edge"]

    assert programs_of(data) == []
    assert list((data / "run").glob("*.pid")) == []


async def test_a_process_whose_migration_fails_stops_the_whole_start(
    data: Path, said: list[str]
) -> None:
    (data / "processes" / "back-1").mkdir(parents=True)
    (data / "processes" / "back-1" / "crash").touch()

    with pytest.raises(StartFailed) as caught:
        async with open_shop(data, said):
            pass

    assert "back-1 ended at its start (exit 1): the migration 0002 of order" in caught.value.detail
    assert str(data / "logs" / "back-1.log") in caught.value.detail
    assert programs_of(data) == []


async def test_a_taken_port_is_named_and_nothing_stays(data: Path, said: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=f"port {port} is taken; .*--port"):
            async with open_shop(data, said, port=port):
                pass

    assert programs_of(data) == []


async def test_a_missing_engine_is_named_before_anything_else_starts(
    data: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise EngineMissing(f"NATS is not installed here; {binaries.REMEDY}")

    monkeypatch.setattr("emporion.platform.engines.nats.nats_program", missing)

    with pytest.raises(EngineMissing, match="NATS is not installed here; `make split`"):
        async with open_shop(data, said, text=topology_text(engines=POSTGRES)):
            pass

    assert programs_of(data) == []


async def test_whatever_crashes_is_started_again_and_said_so(data: Path, said: list[str]) -> None:
    async with open_shop(data, said, text=topology_text(engines=POSTGRES)) as shop:
        for name in ("back-1", "nats", "postgresql", "edge"):
            kept = shop.supervisor.kept[name]
            before = kept.pid
            os.kill(before, signal.SIGKILL)
            await eventually(lambda kept=kept: kept.restarts == 1)  # type: ignore[misc]
            assert kept.pid not in (0, before)
            assert f"{name} ended (signal 9); it starts again in 0.25 s" in said
            assert any(line.startswith(f"{name} is back after") for line in said)
        assert (await ask(shop, "/api/orders"))[0] == 200


async def test_one_that_keeps_crashing_is_given_more_time_each_round(
    data: Path, said: list[str]
) -> None:
    async with open_shop(data, said) as shop:
        crash = behave(shop, "back-1", "crash")
        os.kill(shop.supervisor.kept["back-1"].pid, signal.SIGKILL)
        await eventually(lambda: any("starts again in 1 s" in line for line in said))
        pauses = [line.rpartition(" in ")[2] for line in said if "starts again" in line]
        assert pauses[:3] == ["0.25 s", "0.5 s", "1 s"]

        crash.unlink()
        await eventually(lambda: any("back-1 is back" in line for line in said))


async def test_one_that_does_not_end_is_killed_in_bounded_time(
    data: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emporion.platform.supervisor.service_process.STOP_MARGIN_S", -5.0)
    async with open_shop(data, said) as shop:
        behave(shop, "back-1", "stubborn")

    assert "  back-1 had to be killed" in said
    assert programs_of(data) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_everything(data: Path, launch: Launch, number: signal.Signals) -> None:
    program = launch(data, topology_text())
    await program.opens()
    assert len(programs_of(data)) >= 4

    assert await program.ends(number) == 0

    assert program.says().endswith("closed\n")
    assert programs_of(data) == []
    assert not (data / "address").exists()


async def test_a_signal_while_it_starts_leaves_nothing(data: Path, launch: Launch) -> None:
    program = launch(data, topology_text(engines=POSTGRES))
    await eventually(lambda: list((data / "run").glob("*.pid")))

    assert await program.ends(signal.SIGTERM) == 0

    assert "open at" not in program.says()
    assert programs_of(data) == []


async def test_a_second_signal_does_not_wait_for_who_does_not_end(
    data: Path, launch: Launch
) -> None:
    program = launch(data, topology_text())
    await program.opens()
    (data / "processes" / "back-1" / "stubborn").touch()
    program.process.send_signal(signal.SIGINT)
    await eventually(lambda: not (data / "run" / "listening" / "front-1.json").exists())

    assert await program.ends(signal.SIGINT) == 0

    assert programs_of(data) == []


async def test_a_killed_supervisor_takes_all_with_it(data: Path, launch: Launch) -> None:
    program = launch(data, topology_text(engines=POSTGRES))
    await program.opens()
    left = programs_of(data)

    assert await program.ends(signal.SIGKILL) == -signal.SIGKILL

    await eventually(lambda: not any(process.is_running() for process in left))


async def test_what_a_killed_supervisor_could_not_take_along_is_ended_by_the_next_start(
    data: Path, launch: Launch
) -> None:
    program = launch(data, topology_text())
    await program.opens()
    (data / "processes" / "back-1" / "stubborn").touch()
    left = next(one for one in programs_of(data) if "back-1.json" in " ".join(one.cmdline()))
    await program.ends(signal.SIGKILL)
    assert left.is_running()
    (data / "processes" / "back-1" / "stubborn").unlink()

    again = launch(data, topology_text())
    await eventually(lambda: again.says().count("open at ") == 2)

    assert f"back-1 (process {left.pid}) was left by a shop that was killed" in again.says()
    assert not left.is_running()
    assert await again.ends(signal.SIGTERM) == 0


async def test_two_shops_do_not_share_a_folder(data: Path, launch: Launch) -> None:
    program = launch(data, topology_text())
    await program.opens()
    running = {process.pid for process in programs_of(data)}

    second = launch(data, topology_text())
    await eventually(lambda: second.process.poll() is not None)

    assert "is in use by a running shop" in second.says()
    assert {process.pid for process in programs_of(data)} == running
    assert psutil.pid_exists(program.process.pid)
    assert await program.ends(signal.SIGTERM) == 0
