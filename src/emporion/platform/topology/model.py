"""A topology: what a shop consists of and where each part runs, checked and frozen."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from emporion.platform.table_file import BadFile
from emporion.platform.topology.kinds import BusKind, DiscoveryKind, EdgeKind, Engine

INSTANCES_MAX: Final = 64
LOOPBACK: Final = "127.0.0.1"
ENGINES_OF: Final[Mapping[str, tuple[Engine, ...]]] = {
    "vault": (Engine.SQLITE, Engine.POSTGRES),
    "user": (Engine.SQLITE, Engine.POSTGRES),
    "catalog": (Engine.SQLITE, Engine.POSTGRES),
    "order": (Engine.SQLITE, Engine.POSTGRES),
    "inventory": (Engine.SQLITE, Engine.POSTGRES, Engine.MONGODB),
    "payment": (Engine.SQLITE, Engine.POSTGRES),
    "email": (Engine.SQLITE, Engine.POSTGRES),
    "fraud": (Engine.SQLITE, Engine.POSTGRES),
    "webhook": (Engine.SQLITE, Engine.POSTGRES),
    "recommendation": (Engine.SQLITE, Engine.POSTGRES),
    "shipping": (Engine.SQLITE, Engine.POSTGRES),
    "giftcard": (Engine.SQLITE, Engine.POSTGRES),
    "analytics": (Engine.SQLITE, Engine.POSTGRES, Engine.TIMESCALE),
}
"""The engines that each service has an adapter for."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a topology file, so that a later failure can name it."""

    file: str
    line: int

    def refuse(self, column: str, message: str) -> BadFile:
        """The error that names this line."""
        return BadFile.because(self.file, message, line=self.line, column=column)


class SecretFrom(StrEnum):
    """Where a secret is kept: never in the topology file itself."""

    ENV = "env"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Names a secret, `env:NAME` or `file:PATH`; a relative path is beside the topology file."""

    kept_in: SecretFrom
    name: str
    place: Place = field(compare=False)

    def resolve(self, environ: Mapping[str, str] = os.environ) -> str:
        """The secret. Raises BadFile naming the line and what is not there."""
        if self.kept_in is SecretFrom.ENV:
            found = environ.get(self.name, "")
            missing = f"the variable {self.name} is not set; export it before you start"
        else:
            path = Path(self.place.file).parent / self.name
            try:
                found = path.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", "") or "not UTF-8"
                raise self.place.refuse("", f"{path}: {reason}") from error
            missing = f"{path} is empty; write the address into it"
        if not found:
            raise self.place.refuse("", missing)
        return found


@dataclass(frozen=True, slots=True)
class Storage:
    """What keeps a service's data; without `address` the supervisor starts it on this machine."""

    engine: Engine
    address: SecretReference | None = None
    place: Place = field(compare=False, default=Place("", 0))


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """One process: the services in it, how often it runs, and its ports (0: a free one).

    `address` is where it listens and how others reach it (empty: that of the shop); `network` the
    network namespace of this machine that it runs in (empty: the supervisor's own).
    """

    name: str
    services: tuple[str, ...]
    instances: int = 1
    http_port: int = 0
    grpc_port: int = 0
    address: str = ""
    network: str = ""
    place: Place = field(compare=False, default=Place("", 0))


@dataclass(frozen=True, slots=True)
class Bus:
    """What carries events; without `address` the supervisor starts it on this machine."""

    kind: BusKind = BusKind.IN_PROCESS
    address: SecretReference | None = None
    place: Place = field(compare=False, default=Place("", 0))


@dataclass(frozen=True, slots=True)
class Discovery:
    """How a process finds the others: see DiscoveryPlace of a process file."""

    kind: DiscoveryKind = DiscoveryKind.REGISTRY
    endpoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namespace: str = ""
    place: Place = field(compare=False, default=Place("", 0))


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole shop. Every service is in one process plan and has a storage.

    `address` is how the parts that run here reach each other; `listen` what they bind instead.
    `allows_faults`: whether operators may switch faults on, also where the settings do not say so.
    `has_web`: whether a process shows the pages, where there is an edge to send people there.
    """

    name: str
    processes: Sequence[ProcessPlan]
    storage: Mapping[str, Storage]
    bus: Bus = field(default_factory=Bus)
    discovery: Discovery = field(default_factory=Discovery)
    edge: EdgeKind = EdgeKind.NONE
    is_tls: bool = False
    address: str = LOOPBACK
    listen: str = ""
    allows_faults: bool = False
    has_web: bool = True

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address at which a part listens or is reached."""
        own = (plan.address for plan in self.processes)
        return tuple(filter(None, (self.address, self.listen, *own)))

    @property
    def is_closed(self) -> bool:
        """Whether nobody outside this machine can connect to a part behind the edge."""
        return all(ip_address(one).is_loopback for one in self.addresses)

    @property
    def shows_pages(self) -> bool:
        """Whether a process of its own shows storefront and console."""
        return self.has_web and self.edge is EdgeKind.ENVOY

    @property
    def is_one_process(self) -> bool:
        """Whether everything runs in one process on embedded storage: no supervisor is needed."""
        return (
            len(self.processes) == 1
            and self.processes[0].instances == 1
            and self.bus.kind is BusKind.IN_PROCESS
            and self.edge is EdgeKind.NONE
            and all(storage.engine is Engine.SQLITE for storage in self.storage.values())
        )

    def process_of(self, service: str) -> ProcessPlan:
        """The process that holds a service."""
        return next(plan for plan in self.processes if service in plan.services)

    def local_services(self, engine: Engine) -> tuple[str, ...]:
        """The services whose data an engine started on this machine keeps."""
        return tuple(
            name
            for name, storage in self.storage.items()
            if storage.engine is engine and storage.address is None
        )
