"""A server and the clients that call it, both in this process, over a real connection."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.auth.services import (
    Credentials,
    ServiceVerifier,
    Trust,
    trust_text,
    trusted,
)
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.directory import Directory
from emporion.chassis.calls.grpc.remote import GrpcRemotes, RemoteSettings
from emporion.chassis.calls.grpc.schema import Schema
from emporion.chassis.calls.grpc.server import GrpcServer, GrpcSettings, Offer
from emporion.chassis.calls.grpc.serving import GrpcEdge
from emporion.chassis.discovery.resolver import Endpoint, Resolver
from emporion.chassis.discovery.static import StaticResolver
from emporion.chassis.http.health import Health
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.sample_service import SampleService, SampleShop
from emporion.contracts.contract import Service

KEY = SigningKey.from_secret("k" * 32)
CALLERS = ("tester", "other")


@dataclass
class Wired:
    """What the tests hold of both ends; they share time and telemetry, and nothing else."""

    folder: Path
    runtime: Runtime = field(default_factory=system_runtime)
    settings: GrpcSettings = field(default_factory=lambda: GrpcSettings(drain_grace_s=0.02))
    is_coalescing: bool = True
    contracts: Sequence[type[Service]] = (SampleService,)

    def __post_init__(self) -> None:
        self.telemetry = Telemetry(self.runtime)
        self.schema = Schema(self.contracts)
        self.trust_file = self.folder / "trusted.json"
        self.trust_file.write_text(trust_text([trusted(KEY, CALLERS)]))
        self.credentials = Credentials(KEY, self.runtime.clock, self.runtime.ids)
        self._stack = AsyncExitStack()

    def server(self, shop: SampleShop, health: Health | None = None) -> GrpcServer:
        """A server of that shop, not started."""
        directory = Directory(Chain.of(self.runtime, self.telemetry))
        directory.add(SampleService, shop)
        clock = self.runtime.clock
        verifier = ServiceVerifier(Trust(self.trust_file, clock), clock)
        edge = GrpcEdge(self.runtime, verifier.authenticate, self.telemetry.trace_of)
        offer = Offer(directory.inbounds, self.schema, health or Health({"sample": {}}))
        return GrpcServer(offer, edge, self.settings)

    async def serve(self, shop: SampleShop, health: Health | None = None) -> GrpcServer:
        """The same, started; drained at the end."""
        server = self.server(shop, health)
        await server.start()
        self._stack.push_async_callback(server.drain)
        return server

    def remotes_by(self, resolver: Resolver) -> GrpcRemotes:
        """Connections; closed at the end, before the servers."""
        settings = RemoteSettings(
            self.credentials.authorization,
            tls=self.settings.tls,
            is_coalescing=self.is_coalescing,
        )
        chain = Chain.of(self.runtime, self.telemetry)
        remotes = GrpcRemotes(chain, self.schema, resolver, settings=settings)
        self._stack.push_async_callback(remotes.close)
        return remotes

    def remotes_to(self, *servers: GrpcServer) -> GrpcRemotes:
        """Connections to those servers."""
        endpoints = [Endpoint("127.0.0.1", server.port) for server in servers]
        return self.remotes_by(StaticResolver({"sample": endpoints}))

    def directory_of(self, remotes: GrpcRemotes) -> Directory:
        """A directory that knows the way to the sample service."""
        directory = Directory(remotes.chain)
        directory.add_remote(SampleService, remotes.remote(SampleService))
        return directory

    def directory_by(self, resolver: Resolver) -> Directory:
        """The same, found by that resolver."""
        return self.directory_of(self.remotes_by(resolver))

    def client_of(self, remotes: GrpcRemotes, caller: str = "tester") -> SampleService:
        """A client of the sample service over those connections."""
        return self.directory_of(remotes).clients(caller).get(SampleService)

    def client_by(self, resolver: Resolver) -> SampleService:
        """A client of the instances that a resolver finds."""
        return self.client_of(self.remotes_by(resolver))

    def client_at(self, *endpoints: Endpoint) -> SampleService:
        """A client of instances at those places."""
        return self.client_by(StaticResolver({"sample": endpoints}))

    def client(self, *servers: GrpcServer, caller: str = "tester") -> SampleService:
        """A client of those servers."""
        return self.client_of(self.remotes_to(*servers), caller)

    def at_end(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have that closed, too."""
        self._stack.push_async_callback(close)

    async def end(self) -> None:
        """Close what was opened, newest first."""
        await self._stack.aclose()
        assert isinstance(self.runtime.tasks, SystemTasks)
        assert await self.runtime.tasks.cancel_all() == []
        assert self.runtime.tasks.crashed == 0


@asynccontextmanager
async def wired(folder: Path, **changes: object) -> AsyncIterator[Wired]:
    """Both ends, as far as the test asks for them."""
    ends = Wired(folder, **changes)  # type: ignore[arg-type] # the names of its fields
    try:
        yield ends
    finally:
        await ends.end()
