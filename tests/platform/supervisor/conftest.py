"""Shops of fake processes on real engines, in a data folder that goes away."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from emporion.platform.data_folder import DataFolder
from emporion.platform.settings import Settings
from emporion.platform.supervisor.local_shop import LocalShop
from emporion.platform.topology.model import ENGINES_OF
from emporion.platform.topology.reading import parse_topology

FAKE = (sys.executable, str(Path(__file__).with_name("fake_process.py")))
BACK = [name for name in ENGINES_OF if name not in {"user", "catalog"}]
TWO = f"""processes:
  front: [user, catalog]
  back: {{services: [{", ".join(BACK)}], instances: INSTANCES}}
engines: {{default: postgres, user: sqlite, catalog: sqlite}}
bus: nats
edge: envoy
web: off
"""
PATIENCE_S = 60.0


def topology_text(*, instances: int = 1, engines: str = "") -> str:
    text = TWO.replace("INSTANCES", str(instances))
    return text.replace("{default: postgres, user: sqlite, catalog: sqlite}", engines or "sqlite")


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="emporion-shop-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def said() -> list[str]:
    return []


@asynccontextmanager
async def open_shop(
    data: Path, said: list[str], *, text: str = "", port: int = 0
) -> AsyncIterator[LocalShop]:
    with DataFolder(data):
        topology = parse_topology(text or topology_text(), "shop.yaml")
        settings = Settings(port=port, data=str(data), drain_s=5)
        shop = LocalShop(topology, settings, said.append, words=FAKE)
        await shop.supervisor.end_leftovers()
        shop.begin()
        await shop.supervisor.start()  # one that fails tidies up itself
        try:
            yield shop
        finally:
            await shop.supervisor.stop()


async def eventually(what: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Until it is true; every look is a look at the real thing."""
    until_s = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until_s, "it did not happen in time"
        await asyncio.sleep(0.02)


async def ask(
    shop: LocalShop, path: str, *, verb: str = "GET", body: bytes | None = None
) -> tuple[int, dict[str, object]]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(verb, shop.url + path, data=body) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


def behave(shop: LocalShop, instance: str, how: str, content: str = "") -> Path:
    file = shop.folders.own(instance) / how
    file.write_text(content)
    return file


def programs_of(data: Path) -> list[psutil.Process]:
    """Every process that names the folder in its words, or runs in its cluster."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(data) in words and process.pid != os.getpid():
            found.append(process)
    return found


class ShopProgram:
    """A supervisor in a process of its own, so that it can be killed."""

    def __init__(self, data: Path, topology: str, port: int = 0) -> None:
        self.data = data
        file = data / "shop.yaml"
        file.write_text(topology)
        script = str(Path(__file__).with_name("run_fake_shop.py"))
        self.output = data / "output"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, script, str(file), str(data), str(port)],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def says(self) -> str:
        return self.output.read_text()

    async def opens(self) -> None:
        await eventually(lambda: "open at " in self.says() or self.process.poll() is not None)
        assert self.process.poll() is None, self.says()

    async def ends(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        await eventually(lambda: self.process.poll() is not None, within_s=60)
        code = self.process.returncode
        assert isinstance(code, int)
        return code


Launch = Callable[[Path, str], ShopProgram]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Starts supervisors, and ends those that a failed test leaves."""
    started: list[ShopProgram] = []

    def start(data: Path, topology: str) -> ShopProgram:
        started.append(ShopProgram(data, topology))
        return started[-1]

    yield start
    for program in started:
        for left in programs_of(program.data):
            left.kill()
        program.process.wait(timeout=30)
