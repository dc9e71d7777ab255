"""One process of a split shop: what its process file says, served over REST and gRPC."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from emporion.chassis.calls.directory import Binding, Directory
from emporion.chassis.calls.grpc.server import GrpcServer, GrpcSettings, Offer
from emporion.chassis.calls.grpc.serving import GrpcEdge
from emporion.chassis.calls.inbound import Inbound
from emporion.chassis.http.health import Health
from emporion.chassis.http.server import HttpServer, ServerSettings
from emporion.chassis.runtime.alarms import AlarmRunner
from emporion.chassis.runtime.lifecycle import Lifecycle, Part
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.runtime.system import system_runtime
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_faults import FaultsOfShop
from emporion.contracts.user import UserService
from emporion.kernel.errors import DeadlineExceeded, Unavailable
from emporion.platform.data_folder import DataFolder
from emporion.platform.demo.seed import seed
from emporion.platform.desk.faults_everywhere import FaultsEverywhere
from emporion.platform.front import http_app
from emporion.platform.memory import be_frugal
from emporion.platform.neighbours import Neighbours
from emporion.platform.operations_everywhere import WholeShopOperations
from emporion.platform.process import nothing, spare_what_stays, watching
from emporion.platform.remote_keys import RemoteKeys
from emporion.platform.settings import Environment
from emporion.platform.shop import STAFF_SCOPES, Shop
from emporion.platform.split_fabric import Split, broker_bus
from emporion.platform.supervisor.ports import bracketed
from emporion.platform.telling.everywhere import RecordsEverywhere, Teller
from emporion.platform.telling.machine import watch_certificate
from emporion.platform.telling.process import Telling, process_telling
from emporion.platform.topology.process_file import Listening, ProcessFile

FURNISHED_WITHIN_S: Final = 60.0
FURNISH_PAUSE_S: Final = 0.2


def serve(path: Path) -> None:
    """Serve what the file says until SIGTERM or SIGINT, then drain: no accepted request fails.

    Raises BadProcessFile, FolderInUse, AddressInUse, Unavailable or MigrationFailed when it cannot
    start; then nothing of it runs.
    """
    be_frugal()
    uvloop.run(_serve(ProcessFile.read(path)))


async def _serve(told: ProcessFile) -> None:
    async with serving_process(told) as lifecycle:
        await lifecycle.run(spare_what_stays)


@asynccontextmanager
async def serving_process(told: ProcessFile) -> AsyncIterator[Lifecycle]:
    """The process with its databases open, whose parts the lifecycle starts and stops."""
    async with _opened(told) as process:
        yield process.lifecycle()


@asynccontextmanager
async def opened_shop(told: ProcessFile) -> AsyncIterator[Shop]:
    """The services of the process, open and not started: they reach others, nobody reaches them."""
    async with _opened(told) as process:
        try:
            yield process.shop
        finally:
            await process.neighbours.close()


@asynccontextmanager
async def _opened(told: ProcessFile) -> AsyncIterator["_Process"]:
    runtime = system_runtime()
    telling = process_telling(told.settings, runtime, service=told.instance)
    async with AsyncExitStack() as stack:
        stack.enter_context(DataFolder(told.settings.folder))
        process = _Process(told, runtime, telling)
        stack.push_async_callback(process.shop.close)
        await process.shop.open(Binding.LOCAL_FAST)
        yield process


@dataclass(frozen=True, slots=True)
class _Fronts:
    http: HttpServer
    grpc: GrpcServer


class _Process:
    """The parts of the process, put together and not started."""

    def __init__(self, told: ProcessFile, runtime: Runtime, telling: Telling) -> None:
        self.told = told
        self.telling = telling
        self.runtime = runtime
        self.neighbours = Neighbours(told, runtime)
        fabric = Split(
            told,
            runtime,
            make_bus=lambda observe: broker_bus(told.bus, runtime, observe, instance=told.instance),
            connect=self.neighbours.connect,
        )
        self.shop = Shop(told.settings, runtime, telling.telemetry, fabric=fabric, die=die)
        self._alarms = AlarmRunner(runtime)

    def lifecycle(self) -> Lifecycle:
        """What takes traffic is added last, and so drains first."""
        told = self.told
        lifecycle = Lifecycle(
            self.runtime, stop_timeout_s=told.drain_grace_s + told.settings.drain_s
        )
        keys = self._keys()
        fronts = self._fronts(lifecycle, keys)
        lifecycle.add(watching(self.shop))
        lifecycle.add(self.telling.part(self.shop))
        if told.tls is not None:
            now_ms = self.runtime.clock.now_ms
            watch_certificate(self.telling.telemetry, Path(told.tls.certificate), now_ms)
        lifecycle.add(Part("sagas, alarms and events", self.shop.start, self._stop))
        lifecycle.add(Part("grpc", fronts.grpc.start, fronts.grpc.drain))
        lifecycle.add(Part("http", fronts.http.start, fronts.http.drain))
        lifecycle.add(self._found(fronts))
        if told.is_seeding:
            lifecycle.add(Part("demo data", self._furnish, nothing))
        lifecycle.add(self._listed(fronts))
        return lifecycle

    def _keys(self) -> RemoteKeys | None:
        """Where the keys of access tokens come from, when the user service is elsewhere."""
        if "user" in self.shop.fabric.services:
            return None
        users = self.shop.directory.clients(self._speaker).get(UserService)
        keys = RemoteKeys(users, self.runtime)
        self._alarms.start((keys.alarm,))
        return keys

    @property
    def _speaker(self) -> str:
        """The service in whose name the platform's own calls of this process are made."""
        return self.told.services[0].name

    def _fronts(self, lifecycle: Lifecycle, keys: RemoteKeys | None) -> _Fronts:
        told, shop = self.told, self.shop
        probes = dict(shop.probes)
        health = Health(ready=probes, live=shop.live_probes, closed=lifecycle.why_closed)
        edge = GrpcEdge(self.runtime, self.neighbours.authenticate, shop.telemetry.trace_of)
        grpc = GrpcServer(
            Offer(shop.directory.inbounds, self.neighbours.schema, health),
            edge,
            GrpcSettings(
                host=told.grpc_host,
                port=told.grpc_port,
                tls=self.neighbours.tls,
                drain_grace_s=told.drain_grace_s,
                drain_timeout_s=told.settings.drain_s,
            ),
        )
        http = HttpServer(
            http_app(
                shop,
                lifecycle.why_closed,
                doors=self._doors(),
                keys=keys.keys if keys is not None else None,
                is_behind_edge=bool(told.trusted_proxies),
            ),
            ServerSettings(
                host=told.settings.host,
                port=told.settings.port,
                drain_grace_s=told.drain_grace_s,
                drain_timeout_s=told.settings.drain_s,
                trusted_proxies=told.trusted_proxies,
            ),
        )
        return _Fronts(http, grpc)

    def _doors(self) -> list[Inbound]:
        """What is shown over REST: operations there are those of the whole shop."""
        shop = self.shop
        desks: dict[str, OperationsService] = dict.fromkeys(shop.assemblies, shop.operations)
        desks |= self.neighbours.operations(shop.directory.chain)
        records = RecordsEverywhere(self._tellers)
        operations = WholeShopOperations(desks, records, FaultsEverywhere(self._everybody))
        whole = Directory(shop.directory.chain).add(OperationsService, operations)
        own = [door for door in shop.directory.inbounds if door.contract is not OperationsService]
        return [*own, whole]

    async def _tellers(self) -> list[Teller]:
        """This process, and every other one that is found now."""
        others = await self.neighbours.instances(self.shop.directory.chain)
        own = Teller(self.told.instance, self.shop.records)
        return [own, *(Teller(name, desk) for name, desk in sorted(others.items()))]

    async def _everybody(self) -> Mapping[str, FaultsOfShop]:
        """The same, as those that suffer."""
        others = await self.neighbours.instances(self.shop.directory.chain)
        return {self.told.instance: self.shop.operations, **others}

    def _found(self, fronts: _Fronts) -> Part:
        """Known to the other processes; unknown again before the doors close."""
        told = self.told

        async def start() -> None:
            self.neighbours.announce(told.address, fronts.grpc.port)

        async def stop() -> None:
            self.neighbours.withdraw()

        return Part("discovery", start, stop)

    def _listed(self, fronts: _Fronts) -> Part:
        """Known to the supervisor, and by it to the edge."""
        told, path = self.told, Path(self.told.listening_file)
        # One that is alone, without an edge, listens where the shop does.
        is_at_address = told.settings.host in (told.grpc_host, told.address)
        host = bracketed(told.address if is_at_address else told.settings.host)

        async def start() -> None:
            Listening(
                pid=os.getpid(),
                http=f"http://{host}:{fronts.http.port}",
                grpc=f"{host}:{fronts.grpc.port}",
            ).write(path)

        async def stop() -> None:
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - one call on a local folder

        return Part("listening file", start, stop)

    async def _furnish(self) -> None:
        """An operator and something on sale, as soon as the services for it answer."""
        settings = self.told.settings
        if settings.environment is not Environment.DEVELOPMENT:
            return
        clients = self.shop.directory.clients("platform", scopes=STAFF_SCOPES)

        async def furnish() -> None:
            # Both ask other services: the operator's name is sealed with a key of the vault.
            operators = self.shop.user.operators
            await operators.ensure(settings.operator_email, settings.operator_password)
            await seed(clients)

        await when_they_answer(self.runtime, furnish, within_s=FURNISHED_WITHIN_S)

    async def _stop(self) -> None:
        await self._alarms.stop()
        await self.shop.stop()
        await self.neighbours.close()


def die() -> None:
    """End this process without a word, as a crash does; whoever keeps it starts it again."""
    os.kill(os.getpid(), signal.SIGKILL)


async def when_they_answer(
    runtime: Runtime, work: Callable[[], Awaitable[None]], *, within_s: float
) -> None:
    """Repeat `work` while services that start beside this one do not answer yet.

    Raises Unavailable when they still do not after `within_s` seconds.
    """
    until_s = runtime.clock.monotonic_s() + within_s
    while True:
        try:
            await work()
        except (Unavailable, DeadlineExceeded) as error:
            if runtime.clock.monotonic_s() >= until_s:
                raise Unavailable(f"the demo data cannot be loaded: {error.detail}") from error
            await runtime.tasks.sleep(FURNISH_PAUSE_S)
        else:
            return
