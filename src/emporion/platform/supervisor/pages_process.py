"""The process that shows the pages of a split shop, as a part of it."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from emporion.platform.settings import Environment, Settings
from emporion.platform.supervisor.child import Command
from emporion.platform.supervisor.http_look import look
from emporion.platform.supervisor.part import NotReady
from emporion.platform.supervisor.plan import Folders, rehearses, where_of
from emporion.platform.supervisor.ports import LOOPBACK
from emporion.platform.supervisor.service_process import STOP_MARGIN_S, TWIN
from emporion.platform.topology.model import Topology
from emporion.platform.topology.pages_file import PagesFile
from emporion.platform.topology.process_file import Listening

PAGES: Final = "web"
"""The process, and its cluster at the edge. One: a visitor's session is renewed in one place."""
SERVE_PAGES: Final = (sys.executable, "-m", "emporion.platform.cli", "serve-pages", "--file")
"""The words that serve a file, which follows them."""
_READY_TIMEOUT_S: Final = 60.0
_OK: Final = 200


class PagesProcess:
    """A part of the shop. `listening` is where it takes requests, None while it does not."""

    ready_timeout_s = _READY_TIMEOUT_S

    def __init__(self, told: PagesFile, file: Path, *, words: Sequence[str] = SERVE_PAGES) -> None:
        self.told = told
        self.name = told.instance
        self._file = file
        self._words = tuple(words)
        self._listening_file = Path(told.listening_file)

    def twin(self) -> "PagesProcess":
        """The same under another name, to take its place."""
        name = f"{self.told.instance}{TWIN}"
        twin = msgspec.structs.replace(
            self.told,
            instance=name,
            listening_file=str(self._listening_file.with_name(f"{name}.json")),
            log_file=str(Path(self.told.log_file).with_name(f"{name}.log")),
        )
        return PagesProcess(twin, _file(self._file.parent, name), words=self._words)

    @property
    def listening(self) -> Listening | None:
        """What the process says of itself."""
        return Listening.read(self._listening_file)

    async def prepare(self) -> Command:
        """See Part."""
        for folder in (self._file.parent, self._listening_file.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._listening_file.unlink(missing_ok=True)  # that of one which was killed
        self.told.write(self._file)
        return Command(
            self.name,
            (*self._words, str(self._file)),
            Path(self.told.log_file),
            stop_timeout_s=self.told.drain_grace_s + self.told.settings.drain_s + STOP_MARGIN_S,
        )

    async def probe(self) -> None:
        """See Part: it says where it listens, and is ready there, whatever the shop behind does."""
        listening = self.listening
        if listening is None:
            raise NotReady("it does not listen yet")
        status, _ = await look(f"{listening.http}/readyz")
        if status != _OK:
            raise NotReady(f"/readyz answers {status}")

    async def furnish(self) -> None:
        """See Part: it keeps nothing."""

    async def drain(self) -> None:
        """See Part: it drains by itself when it is asked to end."""

    def ended(self) -> None:
        """See Part."""
        self._listening_file.unlink(missing_ok=True)


def pages_process(topology: Topology, settings: Settings, shop: str) -> PagesProcess:
    """The one of a topology whose edge is at the URL `shop`."""
    folders, instance = Folders(settings.folder.absolute()), f"{PAGES}-1"
    is_rehearsal = rehearses(topology, settings)
    told = PagesFile(
        process=PAGES,
        instance=instance,
        shop=shop,
        settings=replace(
            Settings(),
            host=where_of(topology).address,
            port=0,
            environment=Environment.DEVELOPMENT if is_rehearsal else Environment.PRODUCTION,
            payment_provider=settings.payment_provider,
            log_level=settings.log_level,
            trace_ids=settings.trace_ids,
            drain_s=settings.drain_s,
        ),
        trusted_proxies=",".join(dict.fromkeys((LOOPBACK, topology.address))),
        listening_file=str(folders.listening / f"{instance}.json"),
        log_file=str(folders.logs / f"{instance}.log"),
    )
    return PagesProcess(told, _file(folders.run, instance))


def _file(folder: Path, instance: str) -> Path:
    """Not `.json`: whoever reads the shop takes each of those in `run` for a process file."""
    return folder / f"{instance}.pages"
