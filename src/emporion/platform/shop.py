"""The services of one process, on what a topology gives them: opened, started, drained, closed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.directory import Binding, Directory
from emporion.chassis.events.bus import Delivery
from emporion.chassis.resilience.faults import Fault
from emporion.chassis.runtime.alarms import AlarmRunner
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.runtime.health import KeptProbe
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.desk import SagaDesk
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.telemetry.databases import DatabaseSpans
from emporion.chassis.telemetry.deliveries import DeliverySpans
from emporion.chassis.telemetry.steps import StepSpans
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.contracts.operations import OperationsService
from emporion.kernel.clock import to_datetime
from emporion.platform.data_folder import DataFolder
from emporion.platform.desk.faults import FaultDesk
from emporion.platform.fabric import Embedded, Fabric, ServiceDatabase
from emporion.platform.operations import Behind, OperationsDesk
from emporion.platform.services import SERVICES, Given
from emporion.platform.settings import Settings
from emporion.platform.telling.business import BusinessMetrics
from emporion.platform.telling.records import FILE, Records
from emporion.platform.telling.standing import Standing
from emporion.platform.telling.store.reading import StoreReader
from emporion.services.user.service import UserAssembly

STAFF_SCOPES = frozenset(
    {
        "catalog:write",
        "inventory:read",
        "inventory:write",
        "payments:read",
        "payments:write",
        "mails:read",
        "analytics:read",
        "fraud:read",
        "fraud:write",
        "shipping:read",
        "shipping:write",
        "returns:read",
        "returns:write",
        "webhooks:read",
        "webhooks:write",
        "giftcards:read",
        "giftcards:write",
        "users:write",
    }
)


class Shop:
    """The services of one process. Make one with `open_shop`, or on another fabric than its.

    `die` ends a process that somebody starts again: what a crash on purpose does there.
    """

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        telemetry: Telemetry,
        *,
        fabric: Fabric | None = None,
        die: Callable[[], None] | None = None,
    ) -> None:
        self.settings = settings
        self.runtime = runtime
        self.telemetry = telemetry
        self.fabric: Fabric = fabric or Embedded(settings, runtime)
        self.directory = Directory(
            Chain.of(runtime, telemetry, has_convoys=not self.fabric.is_sole_writer)
        )
        self._reactions = DeliverySpans(telemetry)
        self._business = BusinessMetrics(telemetry.metrics)
        self.bus = self.fabric.bus(self._delivered)
        self.faults = FaultDesk(
            self,
            runtime,
            process=self.fabric.process,
            is_allowed=settings.allow_faults,
            die=die,
        )
        telemetry.metrics.gauge("faults_on", "Faults switched on.", lambda: self.faults.count)
        self.databases: dict[str, ServiceDatabase] = {}
        self.engines: dict[str, SagaEngine] = {}
        self.assemblies: dict[str, Assembly] = {}
        self.operations: OperationsDesk
        self.records = Records(
            StoreReader(settings.folder / FILE),
            runtime,
            process=self.fabric.process,
            services=self.fabric.services,
        )
        self._alarms = AlarmRunner(runtime)
        self._probes: Mapping[str, Mapping[str, KeptProbe]] = {}

    async def open(self, binding: Binding) -> None:
        """Open the databases, bring their schemas up to date, and put the services together."""
        for name in self.fabric.services:
            database = self.databases[name] = self.fabric.database(name)
            await database.open(self.fabric.migrations(name))
            database.watch = DatabaseSpans(self.telemetry, name, database.engine)
            engine = SagaEngine(name, database, self.runtime, instance=self.fabric.instance)
            engine.steps = StepSpans(self.telemetry, name)
            needs = Needs(
                runtime=self.runtime,
                database=database,
                clients=self.directory.clients(name, binding),
                sagas=engine,
            )
            given = Given(
                needs,
                self.settings,
                is_sole_writer=self.fabric.is_sole_writer,
                shared=self.fabric.shared,
                telemetry=self.telemetry,
            )
            assembly = SERVICES[name](given)
            engine.register(assembly.sagas)
            self.engines[name] = engine
            self.assemblies[name] = assembly
            self.directory.add(
                assembly.contract, assembly.implementation, shed_first=assembly.shed_first
            )
            self.bus.join(name, database, assembly.subscriptions)
            database.on_published = self.bus.doorbell(name)
        self.fabric.connect(self.directory)
        self.operations = self._operations(binding)
        self.directory.add(OperationsService, self.operations)
        self._probes = self._kept_probes()
        self.records.standing = Standing(
            process=self.fabric.process,
            started_at=to_datetime(self.runtime.clock.now_ms()),
            bus=self.fabric.bus_kind,
            discovery=self.fabric.discovery,
            engines={name: database.engine for name, database in self.databases.items()},
            probes=self._probes,
        )

    def _operations(self, binding: Binding) -> OperationsDesk:
        assemblies = self.assemblies.items()
        desks = {
            name: SagaDesk(self.databases[name], assembly.sagas, self.engines[name].alarm.poke)
            for name, assembly in assemblies
            if assembly.sagas
        }
        self.saga_desks = desks
        subscribers = [name for name, assembly in assemblies if assembly.subscriptions]
        clients = {name: self.directory.clients(name, binding) for name in desks}
        behind = Behind(self.databases, clients, self.runtime, self.records, self.faults)
        return OperationsDesk(self.bus, subscribers, desks, behind=behind)

    async def start(self) -> None:
        """Take up the sagas that were open, start the alarms and the delivery of events."""
        for name, assembly in self.assemblies.items():
            self._alarms.start(assembly.alarms)
            if assembly.sagas:
                await self.engines[name].recover()
                self._alarms.start((self.engines[name].alarm,))
        if self.settings.has_subscribers:
            await self.bus.start()

    def _delivered(self, delivery: Delivery) -> None:
        """What a subscriber stored may be work for its alarms, now that it is committed."""
        self._reactions.record(delivery)
        if delivery.error is not None:
            return
        self._business.record(delivery)
        for alarm in self.assemblies[delivery.subscriber].alarms:
            alarm.poke()

    async def stop(self) -> None:
        """Stop delivering and the alarms. What was cut off is taken up at the next start."""
        self.faults.end_all()
        await self.bus.stop()
        await self._alarms.stop()
        for name, assembly in self.assemblies.items():
            if assembly.sagas:
                await self.engines[name].release()

    async def close(self) -> None:
        """Finish the transactions that wait, and close the databases."""
        await asyncio.gather(*(database.close() for database in self.databases.values()))

    def suffer(self, service: str, fault: Fault | None) -> None:
        """See Sufferers: its calls, its reactions and its own work go through the fault."""
        assembly = self.assemblies[service]
        self.directory.find(assembly.contract).interpose(None if fault is None else fault.call)
        for alarm in (*assembly.alarms, self.engines[service].alarm):
            alarm.interpose(None if fault is None else fault.work)
        self.bus.suffer(service, fault)

    def assembly(self, name: str) -> Assembly:
        """A service, put together."""
        return self.assemblies[name]

    @property
    def user(self) -> UserAssembly:
        """The user service, whose keys and operators the platform reaches into; if it is here."""
        user = self.assemblies["user"]
        assert isinstance(user, UserAssembly)  # noqa: S101 - its builder says so
        return user

    @property
    def probes(self) -> Mapping[str, Mapping[str, KeptProbe]]:
        """Readiness probes of each service: its own, and its database's."""
        return self._probes

    @property
    def live_probes(self) -> Mapping[str, Mapping[str, Callable[[], Awaitable[None]]]]:
        """What only a restart can mend, of each service."""
        return {name: {"writer": database.live} for name, database in self.databases.items()}

    def _kept_probes(self) -> dict[str, dict[str, KeptProbe]]:
        clock = self.runtime.clock
        return {
            name: {
                what: KeptProbe(probe, clock)
                for what, probe in {
                    "database": self.databases[name].probe,
                    **assembly.probes,
                }.items()
            }
            for name, assembly in self.assemblies.items()
        }


@asynccontextmanager
async def open_shop(
    settings: Settings,
    runtime: Runtime,
    telemetry: Telemetry,
    *,
    binding: Binding = Binding.LOCAL_FAST,
) -> AsyncIterator[Shop]:
    """A shop on its data folder, not started; closed at the end, whatever happens.

    Raises FolderInUse when another process has the folder, Unavailable or MigrationFailed when a
    database cannot be opened: then nothing was started.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(DataFolder(settings.folder))
        shop = Shop(settings, runtime, telemetry)
        stack.push_async_callback(shop.close)
        await shop.open(binding)
        yield shop
