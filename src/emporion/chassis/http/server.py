"""The HTTP server of a process: uvicorn inside a loop that is already running."""

import asyncio
import logging
import socket
from dataclasses import dataclass

from uvicorn import Config, Server

from emporion.chassis.http.app import HttpApp
from emporion.chassis.http.connection import Connection
from emporion.chassis.http.listener import listen, turn_away

_log = logging.getLogger(__name__)
SWEEP_S = 1.0
QUEUE_S = 0.02
"""So long the loop has time to accept who stands in the queue."""
QUEUE_LOOKS_MAX = 25


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to listen and how long to wait.

    Args:
        host, port: where; port 0 takes a free one.
        backlog: connections that may wait to be accepted.
        connections_max: beyond it, requests are answered 503.
        keep_alive_s: how long an idle connection is kept; longer than a load balancer's own (60).
        head_timeout_s: for request line and headers.
        drain_grace_s: after `drain` begins, how long the door stays open while every answer
            closes its connection; give it the time a load balancer needs to look away.
        drain_timeout_s: how long requests in flight may then still take.
        trusted_proxies: addresses (comma-separated) whose X-Forwarded-For is believed.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    backlog: int = 2_048
    connections_max: int = 10_000
    keep_alive_s: int = 75
    head_timeout_s: float = 10.0
    drain_grace_s: float = 0.2
    drain_timeout_s: int = 20
    trusted_proxies: str = ""


class HttpServer:
    """Serves an application until it is drained. Start it once, drain it once."""

    def __init__(self, app: HttpApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        self._port = settings.port
        self._socket: socket.socket | None = None
        self._server: Server | None = None
        self._work: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The port listened on, once it has started; before, the one asked for."""
        return self._port

    async def start(self) -> None:
        """Listen. Raises AddressInUse."""
        settings = self._settings
        self._socket = listen(settings.host, settings.port, backlog=settings.backlog)
        self._port = self._socket.getsockname()[1]
        self._server = server = Server(self._config())
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[self._socket])
        self._work = [
            asyncio.create_task(server.main_loop(), name="http server"),
            asyncio.create_task(self._sweep(server), name="http head sweep"),
        ]

    async def drain(self) -> None:
        """Stop without failing a request that was accepted.

        First every answer closes its connection, while new ones are still taken, for
        `drain_grace_s`; then nobody is let in any more, those who were may still ask, idle
        connections are closed, and requests in flight are finished, or cancelled after
        `drain_timeout_s`.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        self._app.begin_drain()
        await asyncio.sleep(self._settings.drain_grace_s)
        await self._empty_the_queue(server)
        server.should_exit = True
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await server.shutdown(sockets=[self._socket] if self._socket is not None else [])

    async def _empty_the_queue(self, server: Server) -> None:
        """Until everybody who was let in has asked, or QUEUE_LOOKS_MAX times QUEUE_S passed."""
        if self._socket is None or not turn_away(self._socket):
            return
        for _ in range(QUEUE_LOOKS_MAX):
            await asyncio.sleep(QUEUE_S)
            if not any(_is_awaited(connection) for connection in server.server_state.connections):
                return

    def _config(self) -> Config:
        settings = self._settings
        return Config(
            app=self._app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies or None,
            backlog=settings.backlog,
            limit_concurrency=settings.connections_max,
            timeout_graceful_shutdown=settings.drain_timeout_s,
        )

    async def _sweep(self, server: Server) -> None:
        loop, settings = asyncio.get_running_loop(), self._settings
        while True:
            await asyncio.sleep(SWEEP_S)
            now_s = loop.time()
            for connection in list(server.server_state.connections):
                if isinstance(connection, Connection):
                    connection.end_if_late(
                        head_since_s=now_s - settings.head_timeout_s,
                        idle_since_s=now_s - settings.keep_alive_s,
                    )


def _is_awaited(connection: object) -> bool:
    """Whether its client has connected, and has still to ask."""
    return isinstance(connection, Connection) and connection.head_since_s is not None
