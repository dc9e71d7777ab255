"""A real server of MongoDB's protocol for tests, on a free port, or the one at MONGODB_URL."""

import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from emporion.platform.supervisor.ports import free_port

START_TIMEOUT_MS = 30_000
STOP_TIMEOUT_S = 10.0
OPTIONS = "directConnection=true&serverMonitoringMode=poll"


class MongoServer:
    """A server in a process of its own, which a test may kill and start again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}/?{OPTIONS}"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its folder, and wait until it answers."""
        command = [sys.executable, "-m", "secantus", "--port", str(self.port), "--storage-path"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(self._folder / "data"), *self._options],
                stdout=log,
                stderr=log,
            )
        try:
            with MongoClient[dict[str, object]](
                self.url, serverSelectionTimeoutMS=START_TIMEOUT_MS
            ) as client:
                client.admin.command("ping")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """As a lost machine does: at once, and nothing is finished."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end; one that does not, as this server may when it is busy, is killed."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture
def sockets_collected() -> Iterator[None]:
    """For tests of servers that refuse or vanish: the driver leaves half-open sockets behind."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def mongodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server answers during the whole of the tests."""
    given = os.environ.get("MONGODB_URL")
    if given:
        yield given
        return
    server = MongoServer(tmp_path_factory.mktemp("mongodb"))
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
