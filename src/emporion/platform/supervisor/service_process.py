"""One process of services as a part of the shop: started with its file, ready when it says so."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from emporion.platform.supervisor.child import Command
from emporion.platform.supervisor.http_look import look
from emporion.platform.supervisor.part import NotReady
from emporion.platform.topology.kinds import Engine
from emporion.platform.topology.process_file import Listening, ProcessFile

SERVE: Final = (sys.executable, "-m", "emporion.platform.cli", "serve", "--process-file")
"""The words that serve a process file, which follows them."""
STOP_MARGIN_S: Final = 10.0
"""Beyond the time that requests in flight may take: to close databases and end."""
_READY_TIMEOUT_S: Final = 90.0
_OK: Final = 200
TWIN: Final = "b"
"""Ends the name of an instance's twin; the two take turns when the shop is rolled."""


class _Report(msgspec.Struct):
    """What `/readyz` says, as far as it is of interest here."""

    status: str = ""
    services: dict[str, dict[str, "_Probe"]] = msgspec.field(default_factory=dict)


class _Probe(msgspec.Struct):
    is_ok: bool = True
    problem: str = ""


class ServiceProcess:
    """A part of the shop. `listening` is where it takes requests, None while it does not."""

    ready_timeout_s = _READY_TIMEOUT_S

    def __init__(self, told: ProcessFile, file: Path, *, words: Sequence[str] = SERVE) -> None:
        self.told = told
        self.name = told.instance
        self._file = file
        self._words = tuple(words)
        self._listening_file = Path(told.listening_file)

    @property
    def can_overlap(self) -> bool:
        """Whether a successor may run beside it: a SQLite file has one writing process."""
        return all(held.engine is not Engine.SQLITE for held in self.told.services)

    def twin(self) -> "ServiceProcess":
        """The same under another name, with files of its own, to take its place."""
        told, name = self.told, f"{self.told.instance}{TWIN}"
        settings = replace(told.settings, data=f"{told.settings.folder}{TWIN}")
        twin = msgspec.structs.replace(
            told,
            instance=name,
            settings=settings,
            listening_file=str(self._listening_file.with_name(f"{name}.json")),
            log_file=str(Path(told.log_file).with_name(f"{name}.log")),
        )
        return ServiceProcess(twin, self._file.with_name(f"{name}.json"), words=self._words)

    @property
    def listening(self) -> Listening | None:
        """What the process says of itself."""
        return Listening.read(self._listening_file)

    async def prepare(self) -> Command:
        """See Part."""
        for folder in (self._file.parent, self._listening_file.parent, self.told.settings.folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._listening_file.unlink(missing_ok=True)  # that of one which was killed
        self.told.write(self._file)
        settings = self.told.settings
        return Command(
            self.name,
            (*self._words, str(self._file)),
            Path(self.told.log_file),
            network=self.told.network,
            stop_timeout_s=self.told.drain_grace_s + settings.drain_s + STOP_MARGIN_S,
        )

    async def probe(self) -> None:
        """See Part: it says where it listens, and all its services are ready there."""
        listening = self.listening
        if listening is None:
            raise NotReady("it does not listen yet")
        status, body = await look(f"{listening.http}/readyz")
        if status != _OK:
            raise NotReady(_why(body) or f"/readyz answers {status}")

    async def furnish(self) -> None:
        """See Part: a process furnishes itself."""

    async def drain(self) -> None:
        """See Part: a process drains by itself when it is asked to end."""

    def ended(self) -> None:
        """See Part: the edge looks away from one that could not say so itself."""
        self._listening_file.unlink(missing_ok=True)


def _why(body: bytes) -> str:
    try:
        report = msgspec.json.decode(body, type=_Report)
    except msgspec.MsgspecError:
        return ""
    problems = [
        f"{service} {name}: {probe.problem}"
        for service, probes in report.services.items()
        for name, probe in probes.items()
        if not probe.is_ok
    ]
    return "; ".join(problems) or report.status
