"""What a topology decides for one process: which services it holds, and on what they stand."""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from emporion.chassis.calls.directory import Directory
from emporion.chassis.data.database import Database
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite.database import SqliteDatabase, SqliteOptions
from emporion.chassis.data.watch import Watch
from emporion.chassis.events.bus import Bus, Observer
from emporion.chassis.events.inprocess import InProcessBus
from emporion.chassis.runtime.ports import Runtime
from emporion.platform.services import SERVICES
from emporion.platform.settings import Settings
from emporion.platform.topology.kinds import BusKind

FORGETFUL = frozenset({"vault"})
"""Whose files, on SQLite, keep nothing of what was overwritten."""


class ServiceDatabase(Database, Protocol):
    """A service's database as the platform sees it: something to open, probe and close.

    `on_published` is called on the event loop after a commit that published an event; `watch` is
    told of what is done for recorded traces.
    """

    on_published: Callable[[], None]
    watch: Watch | None

    @property
    def waiting(self) -> int:
        """How many transactions wait or run."""
        ...

    async def open(self, migrations: Sequence[Migrations]) -> None:
        """Connect, and bring the schema up to date.

        Raises Unavailable, or MigrationFailed (nothing of the failing migration is kept).
        """
        ...

    async def close(self) -> None:
        """Finish the transactions that wait, then disconnect."""
        ...

    async def probe(self) -> None:
        """Readiness: raises unless it answers a read and takes a write transaction."""
        ...

    async def live(self) -> None:
        """Liveness: raises Unavailable when only a restart of the process mends it."""
        ...


class ServiceBus(Bus, Protocol):
    """A bus as the platform sees it: each database rings it."""

    def doorbell(self, source: str) -> Callable[[], None]:
        """What to call on the loop after a commit of that service that published."""
        ...

    async def deliver_due(self) -> int | None:
        """Deliver until nothing is due, here and now; the instant of the next retry, or None."""
        ...


class Fabric(Protocol):
    """One process's share of a topology. Building it connects to nothing."""

    @property
    def services(self) -> Sequence[str]:
        """The services this process holds."""
        ...

    @property
    def is_sole_writer(self) -> bool:
        """Whether no other process ever writes the databases of these services."""
        ...

    @property
    def shared(self) -> Path:
        """The folder of what all instances of a service on this machine have in common."""
        ...

    @property
    def instance(self) -> str:
        """The name of this process among those that share its databases; empty when none do."""
        ...

    @property
    def process(self) -> str:
        """The name of this process among all of the shop."""
        ...

    @property
    def bus_kind(self) -> str:
        """What carries events, by the word of a topology."""
        ...

    @property
    def discovery(self) -> str:
        """What knows where other processes are, by the word of a topology; empty without any."""
        ...

    @property
    def process_kind(self) -> str:
        """What all instances of this process are called: its name in the topology."""
        ...

    @property
    def place(self) -> Mapping[str, str]:
        """Which instance this is, and where it runs, in OpenTelemetry's words for a resource."""
        ...

    def database(self, service: str) -> ServiceDatabase:
        """The database of a service, not open yet."""
        ...

    def migrations(self, service: str) -> Sequence[Migrations]:
        """What its schema is made of, in the dialect of its engine: the chassis's, then its own."""
        ...

    def bus(self, observe: Observer) -> ServiceBus:
        """What carries events from and to the services of this process; `observe` as Bus tells."""
        ...

    def connect(self, directory: Directory) -> None:
        """Tell the directory how the services that are not here are reached."""
        ...


class Embedded:
    """Everything in one process: a SQLite file a service in one folder, events on its own tables.

    The lock on the data folder sees to it that no second process opens the files.
    """

    services: Sequence[str] = tuple(SERVICES)
    is_sole_writer = True
    instance = ""
    process = "shop"
    bus_kind: str = BusKind.IN_PROCESS
    discovery = ""
    process_kind = "shop"
    place: Mapping[str, str] = {"service.instance.id": "shop"}

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self.shared = settings.folder
        self._settings = settings
        self._runtime = runtime

    def database(self, service: str) -> SqliteDatabase:
        """See Fabric.database."""
        return SqliteDatabase(
            self._settings.folder / f"{service}.sqlite",
            source=service,
            clock=self._runtime.clock,
            ids=self._runtime.ids,
            options=SqliteOptions(
                batch_max=self._settings.group_commit_max, is_forgetful=service in FORGETFUL
            ),
        )

    def migrations(self, service: str) -> Sequence[Migrations]:
        """See Fabric.migrations."""
        return migrations_of(service, "sqlite")

    def bus(self, observe: Observer) -> InProcessBus:
        """See Fabric.bus."""
        return InProcessBus(self._runtime, observe=observe)

    def connect(self, directory: Directory) -> None:
        """See Fabric.connect. Everything is here."""


def migrations_of(service: str, engine: str) -> Sequence[Migrations]:
    """The chassis's migrations for an engine, and then the service's own."""
    basis = "postgres" if engine == "timescale" else engine
    chassis = files("emporion.chassis.data.migrations") / basis
    own = files(f"emporion.services.{service}") / "migrations" / engine
    return (Migrations("chassis", chassis), Migrations(service, own))
