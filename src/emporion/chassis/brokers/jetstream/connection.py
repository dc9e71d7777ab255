"""One connection to NATS: made in the background, kept up, its errors in our words."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from emporion.chassis.events.log import LogUnreachable

T = TypeVar("T")
RECONNECT_S = 1
NO_BUFFER = -1
"""Nothing is kept back while the server is away: the outbox does that."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JetStreamConfig:
    """Where NATS is, and how streams are kept.

    Args:
        servers: addresses, as in `nats://127.0.0.1:4222`.
        prefix: the first word of every stream and subject.
        max_age_s: how long a stream keeps events; None: for ever. Not longer than
            `BusConfig.retention_s`.
        max_bytes: how large a stream may grow; then it refuses what is new, which stays in the
            outbox. None: as large as the disk.
        replicas: copies in a cluster of servers.
        duplicate_window_s: how long the server recognises an event that is sent again.
        request_timeout_s: how long an answer of the server is waited for.
        user_credentials: a file with the credentials of this process; empty: none.
        fetch_max: events fetched ahead for a subscriber.
        pull_s: how long one request for events waits at the server.
    """

    servers: tuple[str, ...]
    prefix: str = "emporion"
    max_age_s: float | None = None
    max_bytes: int | None = None
    replicas: int = 1
    duplicate_window_s: float = 120.0
    request_timeout_s: float = 5.0
    user_credentials: str = ""
    fetch_max: int = 256
    pull_s: float = 30.0


class Connection:
    """The process's connection. Nothing raises but what says so, and that is LogUnreachable."""

    def __init__(self, config: JetStreamConfig) -> None:
        self.config = config
        self._client: Client | None = None
        self._opening: asyncio.Task[None] | None = None
        self._on_up: list[Callable[[], None]] = []
        self._context: JetStreamContext | None = None
        self._last_failure = ""

    def on_up(self, call: Callable[[], None]) -> None:
        """Call this whenever the server is there again."""
        self._on_up.append(call)

    async def open(self) -> None:
        """Begin to connect; waits for the first attempt, and does not raise."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._connect())
            _ = await asyncio.wait([self._opening], timeout=self.config.request_timeout_s)

    async def _connect(self) -> None:
        client = Client()

        async def up() -> None:
            _log.info("NATS is back")
            self._last_failure = ""
            self._say_up()

        async def down() -> None:
            if not client.is_closed:
                _log.warning("NATS is away")

        async def failed(error: Exception) -> None:
            what = f"{type(error).__name__}: {error}"
            if what != self._last_failure:
                _log.warning("NATS: %s", what)
            self._last_failure = what

        self._client = client
        await client.connect(
            servers=list(self.config.servers),
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_S,
            connect_timeout=2,
            reconnected_cb=up,
            disconnected_cb=down,
            error_cb=failed,
            pending_size=NO_BUFFER,
            user_credentials=self.config.user_credentials or None,
        )
        self._context = client.jetstream(timeout=self.config.request_timeout_s)
        self._say_up()

    def _say_up(self) -> None:
        for call in self._on_up:
            call()

    async def close(self) -> None:
        """Disconnect."""
        opening, self._opening = self._opening, None
        if opening is not None and not opening.done():
            opening.cancel()
            _ = await asyncio.wait([opening])
        client, self._client = self._client, None
        self._context = None
        if client is not None:
            await client.close()

    @property
    def client(self) -> Client:
        """The client. Raises LogUnreachable when it is not connected."""
        if self._client is None or not self._client.is_connected:
            raise LogUnreachable("NATS is away")
        return self._client

    @property
    def context(self) -> JetStreamContext:
        """JetStream. Raises LogUnreachable when NATS is away."""
        _ = self.client
        if self._context is None:
            raise LogUnreachable("NATS is away")
        return self._context

    async def ask(self, what: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        """Ask the server something. Raises APIError when it says no, else LogUnreachable."""
        context = self.context
        try:
            return await what(context)
        except APIError:
            raise
        except (NatsError, TimeoutError, OSError) as error:
            raise LogUnreachable(f"NATS does not answer: {type(error).__name__}") from error
