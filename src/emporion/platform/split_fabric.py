"""A process of a split shop: engines, bus and neighbours as its process file says."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

from emporion.chassis.calls.directory import Directory
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.events.broker.bus import BrokerBus
from emporion.chassis.events.broker.config import BrokerConfig
from emporion.chassis.events.broker.port import Broker
from emporion.chassis.events.bus import Observer
from emporion.chassis.events.retry import BusConfig
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import InvalidArgument
from emporion.platform.fabric import FORGETFUL, ServiceBus, ServiceDatabase, migrations_of
from emporion.platform.topology.kinds import BusKind, Engine
from emporion.platform.topology.process_file import BusPlace, HeldService, ProcessFile

UNHURRIED: Final = BrokerConfig(bus=BusConfig(linger_s=0.5), relay_linger_s=0.2)
"""A batch of events costs a dozen messages to broker and database, whatever it carries, and each
subscriber has its own: few large ones, half a second late at most while a shop keeps up. The first
event after a quiet time waits for nothing."""


class Split:
    """Fabric (the port) of one process.

    Args:
        told: what the supervisor says.
        runtime: time, chance and tasks.
        make_bus, connect: what differs by broker and by transport.
    """

    def __init__(
        self,
        told: ProcessFile,
        runtime: Runtime,
        *,
        make_bus: Callable[[Observer], ServiceBus],
        connect: Callable[[Directory], None],
    ) -> None:
        self.shared = told.settings.folder.parent
        """The folders of all instances lie in it."""
        self._held = {held.name: held for held in told.services}
        self._told = told
        self._instance = told.instance
        self.process_kind = told.process
        """See Fabric.process_kind."""
        self.place = {"service.instance.id": told.instance, **told.place}
        """See Fabric.place."""
        self._runtime = runtime
        self._make_bus = make_bus
        self._connect = connect

    @property
    def services(self) -> Sequence[str]:
        """See Fabric.services."""
        return tuple(self._held)

    @property
    def is_sole_writer(self) -> bool:
        """See Fabric.is_sole_writer: an engine that is shared has a second instance at any time.

        Also where one is planned: while a service is rolled, the old and the new one both run.
        """
        return all(held.engine is Engine.SQLITE for held in self._held.values())

    @property
    def instance(self) -> str:
        """See Fabric.instance."""
        return "" if self.is_sole_writer else self._instance

    @property
    def process(self) -> str:
        """See Fabric.process."""
        return self._instance

    @property
    def bus_kind(self) -> str:
        """See Fabric.bus_kind."""
        return self._told.bus.kind

    @property
    def discovery(self) -> str:
        """See Fabric.discovery."""
        return self._told.discovery.kind

    def database(self, service: str) -> ServiceDatabase:
        """See Fabric.database."""
        return open_engine(self._held[service], self._runtime)

    def migrations(self, service: str) -> Sequence[Migrations]:
        """See Fabric.migrations."""
        return migrations_of(service, self._held[service].engine)

    def bus(self, observe: Observer) -> ServiceBus:
        """See Fabric.bus."""
        return self._make_bus(observe)

    def connect(self, directory: Directory) -> None:
        """See Fabric.connect."""
        self._connect(directory)


def broker_bus(
    place: BusPlace, runtime: Runtime, observe: Observer, *, instance: str
) -> ServiceBus:
    """The bus over the broker of the topology, for a process of that name. Connects to nothing.

    Raises InvalidArgument for the bus of one process: it does not reach others.
    """
    return BrokerBus(
        runtime, _broker(place, runtime), UNHURRIED, observe=observe, instance=instance
    )


def _broker(place: BusPlace, runtime: Runtime) -> Broker:
    match place.kind:
        case BusKind.NATS:
            from emporion.chassis.brokers import jetstream  # noqa: PLC0415 - see open_engine

            servers = jetstream.JetStreamConfig((place.url,))
            return jetstream.JetStreamBroker(servers, runtime.clock)
        case BusKind.SNS_SQS:
            from emporion.chassis.brokers import aws  # noqa: PLC0415 - see open_engine

            config = aws.AwsConfig(place.region, place.url, topic_arns=place.topic_arns)
            if place.prefix:
                config = replace(config, prefix=place.prefix)
            return aws.AwsBroker(config, runtime)
        case BusKind.IN_PROCESS:
            raise InvalidArgument("the bus of one process does not reach others")
        case _:
            assert_never(place.kind)


def open_engine(held: HeldService, runtime: Runtime) -> ServiceDatabase:
    """The database of a service, not open yet.

    Only the engine that is used is imported: that saves each process 10 to 20 MB.
    """
    clock, ids, source = runtime.clock, runtime.ids, held.name
    match held.engine:
        case Engine.SQLITE:
            from emporion.chassis.data.sqlite.database import (  # noqa: PLC0415 - see above
                SqliteDatabase,
                SqliteOptions,
            )

            options = SqliteOptions(is_forgetful=source in FORGETFUL)
            path = Path(held.dsn)
            return SqliteDatabase(path, source=source, clock=clock, ids=ids, options=options)
        case Engine.POSTGRES:
            from emporion.chassis.data.postgres.database import (  # noqa: PLC0415 - see above
                PostgresDatabase,
            )

            return PostgresDatabase(held.dsn, source=source, clock=clock, ids=ids)
        case Engine.TIMESCALE:
            from emporion.chassis.data.postgres.timescale import (  # noqa: PLC0415 - see above
                TimescaleDatabase,
            )

            return TimescaleDatabase(held.dsn, source=source, clock=clock, ids=ids)
        case Engine.MONGODB:
            from emporion.chassis.data.mongo.database import (  # noqa: PLC0415 - see above
                MongoDatabase,
            )

            return MongoDatabase(held.dsn, source, source=source, clock=clock, ids=ids)
        case _:
            assert_never(held.engine)
