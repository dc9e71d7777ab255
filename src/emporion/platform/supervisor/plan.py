"""From a topology to what each process is told: databases, broker, keys, folders."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from emporion.chassis.auth.keys import SigningKey
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.privacy import privacy_keys
from emporion.platform.services import SERVICES
from emporion.platform.settings import Environment, Settings
from emporion.platform.shop_folder import database_file
from emporion.platform.supervisor.certificates import tls_files
from emporion.platform.supervisor.ports import LOOPBACK, Where
from emporion.platform.topology.kinds import EdgeKind, Engine
from emporion.platform.topology.model import ProcessPlan, Topology
from emporion.platform.topology.process_file import (
    BusPlace,
    DiscoveryPlace,
    HeldService,
    ProcessFile,
    TrustedCaller,
)

SEEDS: Final = "user"
"""The process that holds this service fills a development shop."""
PLATFORM: Final = "platform"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a shop on one machine keeps what: below its data folder."""

    data: Path

    @property
    def run(self) -> Path:
        """Process files, pid files, and the configuration of engines: made anew at each start."""
        return self.data / "run"

    @property
    def logs(self) -> Path:
        """A log for each part."""
        return self.data / "logs"

    @property
    def tls(self) -> Path:
        """The certificates of a start, when processes speak TLS to each other."""
        return self.run / "tls"

    @property
    def registry(self) -> Path:
        """The local registry of discovery."""
        return self.run / "registry"

    @property
    def listening(self) -> Path:
        """Where processes say where they listen."""
        return self.run / "listening"

    def process_file(self, instance: str) -> Path:
        """What that instance is told."""
        return self.run / f"{instance}.json"

    def clear(self) -> None:
        """Forget what an earlier start said, secrets among it; only while nothing runs."""
        shutil.rmtree(self.run, ignore_errors=True)
        for folder in (self.run, self.registry, self.listening, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def own(self, instance: str) -> Path:
        """The folder of one instance alone; stays."""
        return self.data / "processes" / instance


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URL of each service's database, that of the broker, and the region of AWS."""

    of_service: Callable[[str], str]
    bus: str = ""
    region: str = ""


def process_files(
    topology: Topology, settings: Settings, *, secrets: SecretsFile, addresses: Addresses
) -> list[ProcessFile]:
    """What every instance of the topology is told, in the order of the topology."""
    folders = Folders(settings.folder.absolute())
    keys = {plan.name: _key_of(plan, secrets) for plan in topology.processes}
    trusted = tuple(
        TrustedCaller(services=_speaks_for(plan), key=keys[plan.name].public)
        for plan in topology.processes
    )
    private = privacy_keys(settings, secrets, is_sole=True)
    settings = replace(
        settings,
        privacy_key=private.current,
        privacy_key_file="",
        privacy_key_other=private.other,
        privacy_key_other_file="",
    )
    shop = _Shop(topology, settings, folders, addresses)
    return [
        shop.told(plan, number, keys=keys, trusted=trusted)
        for plan in topology.processes
        for number in range(1, plan.instances + 1)
    ]


def where_of(topology: Topology) -> Where:
    """Where the parts listen that say nothing of their own."""
    return Where(topology.listen or topology.address, topology.address)


def rehearses(topology: Topology, settings: Settings) -> bool:
    """Whether known passwords and the test provider are in order: nobody else can connect."""
    return settings.is_rehearsal and (topology.is_closed or settings.is_network_closed)


@dataclass(frozen=True, slots=True)
class _Shop:
    topology: Topology
    settings: Settings
    folders: Folders
    addresses: Addresses

    def told(
        self,
        plan: ProcessPlan,
        number: int,
        *,
        keys: Mapping[str, SigningKey],
        trusted: tuple[TrustedCaller, ...],
    ) -> ProcessFile:
        instance, folders, found = f"{plan.name}-{number}", self.folders, self.topology.discovery
        host, port = self._address(plan)
        return ProcessFile(
            process=plan.name,
            instance=instance,
            services=tuple(self._held(name, plan) for name in SERVICES if name in plan.services),
            elsewhere=tuple(name for name in SERVICES if name not in plan.services),
            settings=replace(
                self.settings,
                host=host,
                port=port,
                data=str(folders.own(instance)),
                environment=self._environment(),
                allow_faults=self.settings.allow_faults or self.topology.allows_faults,
            ),
            grpc_host=self._where(plan).listen,
            grpc_port=plan.grpc_port,
            address=self._where(plan).address,
            network=plan.network,
            bus=BusPlace(
                kind=self.topology.bus.kind,
                url=self.addresses.bus,
                region=self.addresses.region,
                publishers=tuple(SERVICES),
            ),
            discovery=DiscoveryPlace(
                kind=found.kind,
                directory=str(folders.registry),
                endpoints=dict(found.endpoints),
                namespace=found.namespace,
            ),
            service_key=keys[plan.name].stored(),
            trusted=trusted,
            tls=tls_files(folders.tls, plan.name) if self.topology.is_tls else None,
            trusted_proxies=",".join(dict.fromkeys((LOOPBACK, self.topology.address))),
            listening_file=str(folders.listening / f"{instance}.json"),
            log_file=str(folders.logs / f"{instance}.log"),
            is_seeding=SEEDS in plan.services and number == 1,
        )

    def _address(self, plan: ProcessPlan) -> tuple[str, int]:
        """Where a process serves HTTP: behind an edge, or as the only one, for all to see."""
        is_alone = len(self.topology.processes) == 1 and plan.instances == 1
        if is_alone and self.topology.edge is EdgeKind.NONE:
            return self.settings.host, plan.http_port or self.settings.port
        return self._where(plan).listen, plan.http_port

    def _where(self, plan: ProcessPlan) -> Where:
        return Where(plan.address, plan.address) if plan.address else where_of(self.topology)

    def _environment(self) -> Environment:
        # A process knows where it listens itself, not whether others can reach the edge.
        is_rehearsal = rehearses(self.topology, self.settings)
        return Environment.DEVELOPMENT if is_rehearsal else Environment.PRODUCTION

    def _held(self, service: str, plan: ProcessPlan) -> HeldService:
        engine = self.topology.storage[service].engine
        dsn = (
            str(database_file(self.folders.data, service))
            if engine is Engine.SQLITE
            else self.addresses.of_service(service)
        )
        return HeldService(name=service, engine=engine, dsn=dsn, instances=plan.instances)


def _key_of(plan: ProcessPlan, secrets: SecretsFile) -> SigningKey:
    return SigningKey.from_secret(secrets.of(f"process/{plan.name}"))


def _speaks_for(plan: ProcessPlan) -> tuple[str, ...]:
    return (*plan.services, PLATFORM) if SEEDS in plan.services else plan.services
