"""What a process of a split shop knows of the others: where and who they are, how to call them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from emporion.chassis.auth.identity import Identity
from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.auth.services import (
    Credentials,
    ServiceVerifier,
    Trust,
    TrustedKey,
    trust_text,
)
from emporion.chassis.auth.verifier import INTERNAL_SCOPE
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.directory import Directory
from emporion.chassis.calls.grpc.remote import GrpcRemotes, RemoteSettings
from emporion.chassis.calls.grpc.tls import TlsFiles
from emporion.chassis.discovery.resolver import Endpoint, Resolver
from emporion.chassis.discovery.static import StaticResolver
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.operations import OperationsService
from emporion.kernel.errors import Unavailable
from emporion.platform.contracts import CONTRACTS
from emporion.platform.finding import Finder, finder_of
from emporion.platform.shop import STAFF_SCOPES
from emporion.platform.topology.process_file import ProcessFile, TrustedCaller
from emporion.platform.wire import wire_schema

OPERATIONS: Final = frozenset({"operations:read", "operations:write", "faults:write"})
PLATFORM: Final = "platform"
TRUST_FILE: Final = "trusted.json"


class Neighbours:
    """The other processes of the shop, as this one deals with them.

    Args:
        told: the process file.
        runtime: time, chance and tasks.
    """

    def __init__(self, told: ProcessFile, runtime: Runtime) -> None:
        self.schema = wire_schema()
        self.tls = _tls(told)
        self._told = told
        self._runtime = runtime
        self._credentials = Credentials(
            SigningKey.from_stored(told.service_key), runtime.clock, runtime.ids
        )
        self._verifier = ServiceVerifier(_trust(told, runtime), runtime.clock)
        self._finder: Finder = finder_of(told.discovery, runtime)
        self._remotes: list[GrpcRemotes] = []
        self._instances: dict[Endpoint, tuple[GrpcRemotes, OperationsService]] = {}

    def authenticate(self, header: bytes | None) -> Identity:
        """Who calls over gRPC. Raises TokenInvalid or TokenExpired."""
        return self._verifier.authenticate(header)

    def connect(self, directory: Directory) -> None:
        """Name the way to each service that is elsewhere."""
        remotes = self._remotes_over(directory.chain, self._finder.resolver)
        for contract in CONTRACTS:
            if contract.NAME in self._told.elsewhere:
                directory.add_remote(contract, remotes.remote(contract))

    def operations(self, chain: Chain) -> Mapping[str, OperationsService]:
        """For each service elsewhere, the operations of the process that holds it."""
        speaker = self._told.services[0].name
        desks: dict[str, OperationsService] = {}
        for service in self._told.elsewhere:
            remotes = self._remotes_over(chain, _AtService(self._finder.resolver, service))
            directory = Directory(chain)
            directory.add_remote(OperationsService, remotes.remote(OperationsService))
            clients = directory.clients(speaker, scopes=OPERATIONS)
            desks[service] = clients.get(OperationsService)
        return desks

    async def instances(self, chain: Chain) -> Mapping[str, OperationsService]:
        """The operations of every other process that is found now, by the name of the process.

        A service that cannot be looked up now is left out.
        """
        looks = (self._looked_up(service) for service in self._told.elsewhere)
        found = {
            endpoint.instance_id or endpoint.address: endpoint
            for endpoints in await asyncio.gather(*looks)
            for endpoint in endpoints
        }
        for endpoint in [one for one in self._instances if one not in found.values()]:
            await self._instances.pop(endpoint)[0].close()
        return {name: self._desk_at(endpoint, chain) for name, endpoint in found.items()}

    async def _looked_up(self, service: str) -> Sequence[Endpoint]:
        try:
            return await self._finder.resolver.endpoints(service)
        except Unavailable:
            return ()

    def _desk_at(self, endpoint: Endpoint, chain: Chain) -> OperationsService:
        if endpoint not in self._instances:
            resolver = StaticResolver({OperationsService.NAME: [endpoint]})
            remotes = self._new_remotes(chain, resolver)
            directory = Directory(chain)
            directory.add_remote(OperationsService, remotes.remote(OperationsService))
            clients = directory.clients(self._told.services[0].name, scopes=OPERATIONS)
            self._instances[endpoint] = (remotes, clients.get(OperationsService))
        return self._instances[endpoint][1]

    def announce(self, host: str, port: int) -> None:
        """From now on the others may call us there. Raises Unavailable."""
        services = [held.name for held in self._told.services]
        self._finder.announce(services, Endpoint(host, port, self._told.instance))

    def withdraw(self) -> None:
        """From now on they should not."""
        self._finder.withdraw()

    async def close(self) -> None:
        """Let our calls under way finish, and end all connections."""
        for remotes in (*self._remotes, *(one for one, _ in self._instances.values())):
            await remotes.close()

    def _remotes_over(self, chain: Chain, resolver: Resolver) -> GrpcRemotes:
        remotes = self._new_remotes(chain, resolver)
        self._remotes.append(remotes)
        return remotes

    def _new_remotes(self, chain: Chain, resolver: Resolver) -> GrpcRemotes:
        settings = RemoteSettings(self._credentials.authorization, tls=self.tls)
        return GrpcRemotes(chain, self.schema, resolver, settings=settings)


class _AtService:
    """Finds whatever is asked for where one service is."""

    def __init__(self, resolver: Resolver, service: str) -> None:
        self._resolver = resolver
        self._service = service

    async def endpoints(self, service: str) -> Sequence[Endpoint]:
        """See Resolver."""
        del service
        return await self._resolver.endpoints(self._service)

    def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        """See Resolver."""
        del service
        return self._resolver.changes(self._service)


def _trust(told: ProcessFile, runtime: Runtime) -> Trust:
    path = told.settings.folder / TRUST_FILE
    path.write_text(trust_text(_trusted_key(caller) for caller in told.trusted), "utf-8")
    trust = Trust(path, runtime.clock)
    trust.load()
    return trust


def _trusted_key(caller: TrustedCaller) -> TrustedKey:
    """Every process may ask the others' operations; only the one that seeds speaks for staff."""
    scopes = {INTERNAL_SCOPE, *OPERATIONS}
    if PLATFORM in caller.services:
        scopes |= STAFF_SCOPES
    return TrustedKey(caller.key.kid, caller.key.x, caller.services, tuple(sorted(scopes)))


def _tls(told: ProcessFile) -> TlsFiles | None:
    if told.tls is None:
        return None
    return TlsFiles(Path(told.tls.authority), Path(told.tls.certificate), Path(told.tls.key))
