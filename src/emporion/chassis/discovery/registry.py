"""Instances on one machine: each process writes a file for what it serves, and is alive or not.

There is no heartbeat to send or to miss: a file names the process that wrote it, and the system
knows whether that process still runs.
"""

import logging
import os
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import psutil

from emporion.chassis.discovery.resolver import Endpoint, polled
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import EmporionError, InvalidArgument, Unavailable

LOOK_S: Final = 1.0
"""How often the folder is looked at; it is read again only when it has changed."""
SHARED_S: Final = 0.5
"""What was seen is good for all who follow changes within this time: one look for all services."""
ENTRIES_MAX: Final = 10_000
_SUFFIX: Final = ".instance.json"
_log = logging.getLogger(__name__)


class Entry(msgspec.Struct, frozen=True):
    """One instance of one service; `started_s` tells its process from a later one of that id."""

    service: str
    instance_id: str
    host: str
    port: int
    pid: int
    started_s: float

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return Endpoint(self.host, self.port, self.instance_id)


class Registry:
    """The folder as a process that serves writes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, Path] = {}

    def register(self, service: str, endpoint: Endpoint) -> None:
        """Say that this process serves it there, once calls are taken.

        An instance of the same id takes the place of the one before. Raises InvalidArgument for
        a name that cannot be a file's, and Unavailable when the folder cannot be written.
        """
        name = f"{service}.{endpoint.instance_id}"
        if not endpoint.instance_id or "/" in name or name.startswith("."):
            raise InvalidArgument(f"{name!r} cannot name an instance")
        pid = os.getpid()
        entry = Entry(
            service, endpoint.instance_id, endpoint.host, endpoint.port, pid, _started_s(pid)
        )
        path = self._folder / f"{name}{_SUFFIX}"
        draft = self._folder / f".{name}.{pid}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(entry))
            draft.replace(path)  # so that nobody reads half of it
        except OSError as error:
            raise Unavailable(f"{path}: {error}") from error
        self._written[name] = path

    def withdraw(self) -> None:
        """Take back everything, when the drain begins. What another has replaced stays."""
        pid = os.getpid()
        for path in self._written.values():
            entry = _read(path)
            if entry is not None and entry.pid == pid:
                path.unlink(missing_ok=True)
        self._written.clear()


class RegistryResolver:
    """Implements `Resolver` over the folder, for processes of one machine."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self._folder = folder
        self._tasks = runtime.tasks
        self._monotonic_s = runtime.clock.monotonic_s
        self._seen_s = float("-inf")
        self._changed_ns = -1
        self._entries: list[Entry] = []

    async def endpoints(self, service: str) -> Sequence[Endpoint]:
        """Instances whose process is alive. Raises Unavailable when the folder is not readable."""
        return self._found(service, age_s_max=0.0)

    def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        """See Resolver; looked at every LOOK_S."""
        return polled(
            partial(self._followed, service),
            self._tasks,
            interval_s=lambda: LOOK_S,
            warn=partial(_warn, self._folder),
        )

    async def _followed(self, service: str) -> Sequence[Endpoint]:
        return self._found(service, age_s_max=SHARED_S)

    def _found(self, service: str, *, age_s_max: float) -> list[Endpoint]:
        now_s = self._monotonic_s()
        if now_s - self._seen_s >= age_s_max:
            self._look()
            self._seen_s = now_s
        # Only those that are asked for: to look at a process costs as much as a call.
        asked = [entry for entry in self._entries if entry.service == service]
        return [entry.endpoint for entry in asked if _is_alive(entry)]

    def _look(self) -> None:
        """Read the folder again if a file was added, replaced or removed since."""
        try:
            changed_ns = self._folder.stat().st_mtime_ns
            if changed_ns == self._changed_ns:
                return
            paths = [path for path in self._folder.iterdir() if path.name.endswith(_SUFFIX)]
        except FileNotFoundError:
            self._changed_ns, self._entries = -1, []  # nobody has registered yet
            return
        except OSError as error:
            raise Unavailable(f"{self._folder}: {error}") from error
        found = [_read(path) for path in sorted(paths)[:ENTRIES_MAX]]
        self._entries = [entry for entry in found if entry is not None]
        self._changed_ns = changed_ns


def _read(path: Path) -> Entry | None:
    """The entry; None for one that was withdrawn meanwhile, or is not ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Entry)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s is left out: %s", path, error)
        return None


def _is_alive(entry: Entry) -> bool:
    try:
        process = psutil.Process(entry.pid)
        return process.create_time() == entry.started_s and (
            process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.Error:
        return False


def _started_s(pid: int) -> float:
    started_s: float = psutil.Process(pid).create_time()
    return started_s


def _warn(folder: Path, error: EmporionError) -> None:
    _log.warning("instances in %s cannot be read: %s", folder, error.detail)
