"""A real split shop on a folder: started by the command line, loaded, broken and audited."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from emporion.contracts.operations import ListSagas, ListSubscribers, OperationsService
from emporion.kernel.errors import EmporionError
from emporion.platform.operating import Target, operate
from emporion.platform.settings import Settings
from emporion.platform.supervisor.service_process import TWIN
from tests.system.polling import eventually
from tests.system.running import COMMAND, ROOT, environment

START_S_MAX = 180.0
STOP_S_MAX = 90.0
QUIET_S_MAX = 60.0
AUDITED_EVERY_S = 2.0
ASKED_EVERY_S = 0.5
"""Each look signs in, and the shop slows down whoever does that without a pause."""
OPEN = "The shop is open at "


@dataclass
class Load:
    """`emporion load` in a process of its own."""

    process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        """It orders already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no process and no pipe, whatever happened."""
        if not self.is_over():
            self.process.kill()
        with self.process:
            pass

    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def end(self) -> None:
        """Ask it to finish the orders under way, and to say what it saw."""
        if not self.is_over():
            self.process.send_signal(signal.SIGINT)

    async def report(self) -> dict[str, Any]:
        """What it says at its end."""
        said, errors = await asyncio.to_thread(self.process.communicate)
        assert said, errors
        found: dict[str, Any] = json.loads(said)
        return found


@dataclass
class SplitShop:
    """All processes of a shop under one supervisor.

    Args:
        data: its folder.
        words: how it is started, after the program's name.
        environ: variables of the supervisor and so of all.
        program: what starts it, and with it all of its processes.
    """

    data: Path
    words: tuple[str, ...] = ("split",)
    environ: dict[str, str] = field(default_factory=environment)
    program: tuple[str, ...] = COMMAND
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        """Start everything."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End everything, whatever happened."""
        await self.stop()

    @property
    def said(self) -> str:
        """What the supervisor printed."""
        return self._output.read_text(errors="replace")

    @property
    def _output(self) -> Path:
        return self.data.with_suffix(".out")

    async def start(self) -> float:
        """Start the shop on its folder; seconds until it is open."""
        started_s = time.monotonic()
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*self.program, *self.words, "--port", "0", "--data", str(self.data)],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.environ,
                cwd=ROOT,
            )
        process = self.process
        await eventually(
            lambda: OPEN in self.said or process.poll() is not None,
            within_s=START_S_MAX,
            what="the split shop opens",
        )
        assert OPEN in self.said, self.said
        self.url = self.said.partition(OPEN)[2].split()[0]
        return time.monotonic() - started_s

    async def stop(self) -> int:
        """SIGTERM to the supervisor; its exit code."""
        process, self.process = self.process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            await eventually(
                lambda: process.poll() is not None, within_s=STOP_S_MAX, what="all processes end"
            )
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return process.returncode

    def pid(self, part: str) -> int:
        """The process of a part: `order-1`, `nats`, `postgresql`, `mongodb`, `edge`."""
        found: int = json.loads((self.data / "run" / f"{part}.pid").read_bytes())["pid"]
        return found

    def signal(self, part: str, number: signal.Signals) -> None:
        """Send a signal to a part and, as databases work in several processes, to its children."""
        process = psutil.Process(self.pid(part))
        for each in [process, *process.children(recursive=True)]:
            try:
                each.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def kill(self, part: str) -> None:
        """Kill -9 of a part."""
        os.kill(self.pid(part), signal.SIGKILL)

    def instance(self, service: str) -> str:
        """Which of the two names a service's only instance has: a roll changes it."""
        twin = f"{service}-1{TWIN}"
        return twin if (self.data / "run" / f"{twin}.pid").exists() else f"{service}-1"

    def kill_if_up(self, part: str) -> None:
        """Kill -9 of a part that may be dead already."""
        with contextlib.suppress(OSError):
            self.kill(part)

    async def roll(self) -> float:
        """`emporion roll`; how long that took, in seconds."""
        started_s = time.monotonic()
        done = await asyncio.to_thread(
            subprocess.run,
            [*COMMAND, "roll", "--data", str(self.data)],
            capture_output=True,
            text=True,
            check=False,
            env=self.environ,
        )
        assert done.returncode == 0, done.stderr
        return time.monotonic() - started_s

    async def until_ready(self, service: str, *, within_s: float = 60.0) -> float:
        """Wait until a service says that it is ready; how long that took, in seconds."""
        part = self.instance(service)
        listening = self.data / "run" / "listening" / f"{part}.json"
        return await eventually(
            lambda: listening.exists() and self._is_up(part),
            within_s=within_s,
            what=f"{part} is ready",
        )

    def _is_up(self, part: str) -> bool:
        try:
            return psutil.Process(self.pid(part)).status() != psutil.STATUS_ZOMBIE
        except (OSError, psutil.Error):
            return False

    async def until_back(self, part: str, before: int, *, within_s: float = 60.0) -> float:
        """Wait until the supervisor has started a part again; how long that took, in seconds."""

        def is_back() -> bool:
            try:
                return self.pid(part) != before and f"{part} is back" in self.said
            except (OSError, ValueError, KeyError):
                return False

        return await eventually(is_back, within_s=within_s, what=f"{part} is back")

    def load(self, *, seconds: float, shoppers: int = 8, patience_s: float = 60.0) -> Load:
        """Begin to order."""
        process = subprocess.Popen(
            [
                *COMMAND, "load", "--url", self.url, "--seconds", str(seconds), "--shoppers",
                str(shoppers), "--patience-s", str(patience_s), "--restock", "--json", "-",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environ,
            cwd=ROOT,
        )  # fmt: skip
        return Load(process)

    async def audit(self, *, wait_s: float = QUIET_S_MAX) -> dict[str, Any]:
        """`emporion audit --json` beside the running shop."""
        done = await asyncio.to_thread(
            subprocess.run,
            [*COMMAND, "audit", "--data", str(self.data), "--json", "--wait-s", str(wait_s)],
            capture_output=True,
            text=True,
            check=False,
            env=self.environ,
        )
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    async def settled_books(self) -> dict[str, Any]:
        """The audit once every event is handled, or after QUIET_S_MAX what is left then.

        The running shop tells what its subscribers have still to read; events that a publisher
        has still to send are known to the audit alone.
        """
        started_s = time.monotonic()
        books = await self.audit()
        while (
            any(finding["violations"] for finding in books["findings"])
            and time.monotonic() - started_s < QUIET_S_MAX
        ):
            await asyncio.sleep(AUDITED_EVERY_S)
            books = await self.audit()
        return books

    async def until_quiet(self, *, within_s: float = QUIET_S_MAX) -> float:
        """Wait until every saga is over and every event delivered; how long, in seconds."""
        started_s = time.monotonic()
        while (left := await self.unfinished()) and time.monotonic() - started_s < within_s:
            await asyncio.sleep(ASKED_EVERY_S)
        assert not left, left
        return time.monotonic() - started_s

    async def unfinished(self) -> list[str]:
        """The open sagas and undelivered events of the shop, a line each, as it tells itself."""
        try:
            return await operate(self._operator, _unfinished)
        except EmporionError as error:
            return [f"{type(error).__name__}: {error.detail}"]

    async def until_ordered(self) -> None:
        """Wait until an order has come in that was not there before."""
        while not (before := await self._seen()):
            await asyncio.sleep(ASKED_EVERY_S)
        while not await self._seen() - before:
            await asyncio.sleep(ASKED_EVERY_S)

    async def _seen(self) -> set[str]:
        """The newest order; nothing when the shop does not say now: it was asked too often."""
        try:
            return {await operate(self._operator, _newest)}
        except EmporionError:
            return set()

    @property
    def _operator(self) -> Target:
        settings = Settings()
        return Target(
            folder=self.data,
            url=self.url,
            email=settings.operator_email,
            password=settings.operator_password,
        )


async def _newest(operations: OperationsService) -> str:
    sagas = (await operations.list_sagas(ListSagas(is_open=False, limit=1))).sagas
    return sagas[0].saga_id if sagas else ""


async def _unfinished(operations: OperationsService) -> list[str]:
    sagas = (await operations.list_sagas(ListSagas())).sagas
    lags = (await operations.list_subscribers(ListSubscribers())).subscribers
    return [f"saga {saga.saga_id} is {saga.state} at {saga.step}" for saga in sagas] + [
        f"{lag.publisher} -> {lag.subscriber}: {lag.waiting} wait, {lag.parked} parked"
        for lag in lags
        if lag.waiting or lag.parked or lag.dead
    ]
