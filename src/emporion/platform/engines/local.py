"""Which engines a topology needs, started on this machine or reached where they are."""

import os
from collections.abc import Sequence
from pathlib import Path

from emporion.platform.engines.external import check_database, check_nats
from emporion.platform.engines.mongodb import MongoServer
from emporion.platform.engines.nats import NatsServer
from emporion.platform.engines.postgres import PostgresServer
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.supervisor.part import Part
from emporion.platform.supervisor.plan import Addresses, where_of
from emporion.platform.topology.kinds import BusKind, Engine
from emporion.platform.topology.model import Topology


class Engines:
    """The engines of a topology. Opens nothing by being made."""

    def __init__(self, topology: Topology, data: Path, secrets: SecretsFile) -> None:
        self._topology = topology
        self._external = {
            name: storage.address.resolve()
            for name, storage in topology.storage.items()
            if storage.address is not None
        }
        bus = topology.bus
        self._external_bus = "" if bus.address is None else bus.address.resolve()
        where = where_of(topology)
        self._postgres: PostgresServer | None = None
        self._nats: NatsServer | None = None
        if on_postgres := topology.local_services(Engine.POSTGRES):
            self._postgres = PostgresServer(data, on_postgres, secrets, where=where)
        self._mongodb: MongoServer | None = None
        if on_mongodb := topology.local_services(Engine.MONGODB):
            self._mongodb = MongoServer(data, on_mongodb, secrets, where=where)
        if bus.kind is BusKind.NATS and not self._external_bus:
            self._nats = NatsServer(data, secrets, where=where)

    @property
    def databases(self) -> Sequence[Part]:
        """Those to start here."""
        return tuple(filter(None, (self._postgres, self._mongodb)))

    @property
    def brokers(self) -> Sequence[Part]:
        """Those to start here."""
        return tuple(filter(None, (self._nats,)))

    @property
    def addresses(self) -> Addresses:
        """Where services find them."""
        local_bus = "" if self._nats is None else self._nats.address
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")
        return Addresses(self._address_of, self._external_bus or local_bus, region)

    async def check_external(self) -> None:
        """Reach every engine that is not started here. Raises BadFile naming the line."""
        for service, address in self._external.items():
            storage = self._topology.storage[service]
            try:
                await check_database(storage.engine, address)
            except ConnectionError as error:
                raise storage.place.refuse(f"engines.{service}", str(error)) from error
        bus = self._topology.bus
        if self._external_bus and bus.kind is BusKind.NATS:
            try:
                await check_nats(self._external_bus)
            except ConnectionError as error:
                raise bus.place.refuse("bus", str(error)) from error

    def _address_of(self, service: str) -> str:
        if service in self._external:
            return self._external[service]
        is_document = self._topology.storage[service].engine is Engine.MONGODB
        server = self._mongodb if is_document else self._postgres
        assert server is not None  # noqa: S101 - local_services says so
        return server.address_of(service)
