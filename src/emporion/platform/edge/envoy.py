"""Envoy as the edge: a part of the shop, and the feed that tells it where instances are."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from emporion.platform.edge.clusters import endpoints
from emporion.platform.edge.config import Listen, bootstrap
from emporion.platform.edge.files import EdgeFiles
from emporion.platform.edge.routes import Route
from emporion.platform.engines.binaries import envoy_program
from emporion.platform.supervisor.child import Command, begin_log
from emporion.platform.supervisor.http_look import look
from emporion.platform.supervisor.part import NotReady, StartFailed
from emporion.platform.supervisor.ports import EVERYWHERE, bracketed, free_port, is_free
from emporion.platform.topology.process_file import Listening

DRAIN_S: Final = 1
WORKERS: Final = 2
LOOK_S: Final = 0.1
FOUND_S_MAX: Final = 20.0
_READY_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 30.0
_OK: Final = 200
_log: Final = logging.getLogger(__name__)

Instances = Callable[[], Mapping[str, Sequence[Listening]]]
"""The instances of every cluster that take requests now."""


class EnvoyEdge:
    """A part of the shop.

    Args:
        data: the folder of the shop.
        host, port: where clients connect; port 0 takes a free one, the same after a restart.
        routes: which cluster answers what.
        instances: asked every LOOK_S; a change is with Envoy as soon as it is written.
        pages: what `/` and `/openapi.json` answer.
    """

    name = "edge"
    ready_timeout_s = _READY_TIMEOUT_S

    def __init__(
        self,
        data: Path,
        *,
        address: tuple[str, int],
        routes: Sequence[Route],
        instances: Instances,
        pages: Mapping[str, object],
    ) -> None:
        host, port = address
        self._listen = Listen(host, port or free_port(host), free_port())
        self._log = data / "logs" / f"{self.name}.log"
        self._folder = data / "run" / "edge"
        self._files = EdgeFiles(
            endpoints=self._folder / "endpoints",
            openapi=self._folder / "openapi.json",
            index=self._folder / "index.json",
            access_log=data / "logs" / "access.log",
        )
        self._routes = tuple(routes)
        self._instances = instances
        self._pages = pages
        self._told: dict[str, list[tuple[str, int]]] = {}
        self._feeding: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://{bracketed(self._listen.host)}:{self._listen.port}"

    @property
    def near_url(self) -> str:
        """Where a program on this machine connects."""
        host = EVERYWHERE.get(self._listen.host, self._listen.host)
        return f"http://{bracketed(host)}:{self._listen.port}"

    async def prepare(self) -> Command:
        """See Part."""
        program = envoy_program()
        listen = self._listen
        if not is_free(listen.port, listen.host):
            raise StartFailed(
                f"port {listen.port} is taken; stop what listens there, or use --port"
            )
        self._files.endpoints.mkdir(parents=True, exist_ok=True, mode=0o700)
        begin_log(self._files.access_log)
        for file, name in ((self._files.openapi, "openapi"), (self._files.index, "index")):
            file.write_bytes(msgspec.json.encode(self._pages[name]))
        self._told = {}
        self._tell()
        config = self._folder / "envoy.json"
        clusters = sorted(self._instances())
        config.write_bytes(
            msgspec.json.encode(bootstrap(listen, self._routes, clusters, files=self._files))
        )
        self._feeding = asyncio.create_task(self._feed(), name="endpoints of the edge")
        words = (str(program), "-c", str(config), "--disable-hot-restart")
        options = ("--concurrency", str(WORKERS), "--drain-time-s", str(DRAIN_S))
        quiet = ("--log-level", "warning", "--drain-strategy", "immediate")
        return Command(
            self.name,
            (*words, *options, *quiet),
            self._log,
            stop_signal=signal.SIGTERM,
            stop_timeout_s=_STOP_TIMEOUT_S,
        )

    async def probe(self) -> None:
        """See Part: it listens, and has found every cluster that has instances healthy."""
        status, _ = await self._admin("/ready")
        if status != _OK:
            raise NotReady("it starts")
        _, body = await self._admin("/clusters?format=json")
        waiting = sorted(
            {name for name, told in self._told.items() if told}
            - {name for name, host in _hosts(body) if host.is_healthy}
        )
        if waiting:
            raise NotReady(f"no healthy instance of {', '.join(waiting)}")

    async def until_found(self, listening: Listening) -> None:
        """Wait until Envoy has found an instance healthy: requests may go to it from then on.

        Raises StartFailed when it has not after FOUND_S_MAX.
        """
        address = _address_of(listening)
        try:
            async with asyncio.timeout(FOUND_S_MAX):
                while not await self._has_found(address):  # noqa: ASYNC110 - Envoy tells nobody
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise StartFailed(
                f"the edge has not found {listening.http} healthy within {FOUND_S_MAX:g} s"
            ) from None

    async def _has_found(self, address: tuple[str, int]) -> bool:
        try:
            _, body = await self._admin("/clusters?format=json")
        except NotReady:  # it is being started again
            return False
        return any(host.at == address and host.is_healthy for _, host in _hosts(body))

    async def furnish(self) -> None:
        """See Part: its configuration is all."""

    async def drain(self) -> None:
        """See Part: clients are told to go elsewhere, and requests in flight are answered."""
        with contextlib.suppress(NotReady):
            await self._admin("/drain_listeners?graceful&skip_exit", verb="POST")
            await asyncio.sleep(DRAIN_S)
            while await self._requests_in_flight():  # noqa: ASYNC110 - Envoy tells nobody of the last
                await asyncio.sleep(LOOK_S)

    def ended(self) -> None:
        """See Part."""
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None

    async def _feed(self) -> None:
        problem = ""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self._tell()
            except OSError as error:  # a full disk: told again at the next look, until it is
                if problem != str(error):
                    problem = str(error)
                    _log.warning("the edge is not told of a change yet: %s", problem)
            else:
                problem = ""

    def _tell(self) -> None:
        """Write the endpoints of every cluster that has changed, whole, where Envoy watches."""
        for cluster, listening in self._instances().items():
            found = sorted(_address_of(one) for one in listening)
            if self._told.get(cluster) == found:
                continue
            file = self._files.endpoints_of(cluster)
            new = file.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(endpoints(cluster, found)))
            new.replace(file)
            self._told[cluster] = found

    async def _requests_in_flight(self) -> int:
        _, body = await self._admin("/stats?filter=^http.edge.downstream_rq_active$")
        count = body.decode("utf-8", "replace").rpartition(":")[2].strip()
        return int(count) if count.isdecimal() else 0

    async def _admin(self, path: str, *, verb: str = "GET") -> tuple[int, bytes]:
        return await look(f"http://127.0.0.1:{self._listen.admin_port}{path}", verb=verb)


class _HealthStatus(msgspec.Struct):
    eds_health_status: str = ""
    failed_active_health_check: bool = False
    pending_active_hc: bool = False


class _Socket(msgspec.Struct):
    address: str = ""
    port_value: int = 0


class _Address(msgspec.Struct):
    socket_address: _Socket = msgspec.field(default_factory=_Socket)


class _Host(msgspec.Struct):
    address: _Address = msgspec.field(default_factory=_Address)
    health_status: _HealthStatus = msgspec.field(default_factory=_HealthStatus)

    @property
    def at(self) -> tuple[str, int]:
        """Where it listens."""
        socket = self.address.socket_address
        return socket.address, socket.port_value

    @property
    def is_healthy(self) -> bool:
        """Whether it gets requests."""
        status = self.health_status
        return not status.failed_active_health_check and not status.pending_active_hc


class _Cluster(msgspec.Struct):
    name: str
    host_statuses: list[_Host] = msgspec.field(default_factory=list)


class _Clusters(msgspec.Struct):
    cluster_statuses: list[_Cluster] = msgspec.field(default_factory=list)


def _hosts(body: bytes) -> list[tuple[str, _Host]]:
    """What Envoy says of each instance, behind the name of its cluster."""
    try:
        found = msgspec.json.decode(body, type=_Clusters)
    except msgspec.MsgspecError:
        return []
    return [(one.name, host) for one in found.cluster_statuses for host in one.host_statuses]


def _address_of(listening: Listening) -> tuple[str, int]:
    parts = urlsplit(listening.http)
    return parts.hostname or "127.0.0.1", parts.port or 80
