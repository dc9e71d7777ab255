"""One keep-alive HTTP/1.1 connection with one request at a time; httptools does the parsing.

It exists because a general client costs 75 us of CPU a call and this one about 15: the load
generator must not be slower than the shop it measures.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

import httptools

from emporion.kernel.errors import Unavailable
from emporion.platform.client.address import Address

ANSWER_BYTES_MAX = 32 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0


class ConnectionLost(Unavailable):
    """No usable answer came: refused, reset, timed out or garbled. The outcome is unknown."""

    slug = "connection-lost"
    title = "The connection to the shop was lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, body, and how many seconds to wait before a retry (0: not said)."""

    status: int
    body: bytes
    retry_after_s: float


class _Wire(asyncio.Protocol):
    """Feeds bytes to the parser and wakes the one caller that waits."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.is_usable = False
        self._waiter: asyncio.Future[Answer] | None = None
        self._start()

    def _start(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._size_bytes = 0
        self._retry_after_s = 0.0

    def expect(self, waiter: "asyncio.Future[Answer]") -> None:
        """The next answer is for `waiter`."""
        self._waiter = waiter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the connection stands."""
        self.transport = cast("asyncio.Transport", transport)
        self.is_usable = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the connection is gone."""
        self._fail(f"connection closed{f': {exc}' if exc else ''}")

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes of an answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"the answer is not HTTP: {error}")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: one header."""
        if len(name) == 11 and name.lower() == b"retry-after" and value.isdigit():  # noqa: PLR2004 - the name's length
            self._retry_after_s = float(value)

    def on_body(self, body: bytes) -> None:
        """Parser: a part of the body."""
        self._size_bytes += len(body)
        if self._size_bytes > ANSWER_BYTES_MAX:
            self._fail("the answer is too large")
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Parser: the answer is whole."""
        parser, waiter = self._parser, self._waiter
        status = parser.get_status_code()
        if status < 200:  # noqa: PLR2004 - 1xx: the real answer follows
            return
        answer = Answer(status, b"".join(self._body), self._retry_after_s)
        self._waiter = None
        if waiter is None or not parser.should_keep_alive():
            self.close()
        else:
            self._body, self._size_bytes, self._retry_after_s = [], 0, 0.0
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    def close(self) -> None:
        """Drop the connection; safe to repeat."""
        self.is_usable = False
        if self.transport is not None:
            self.transport.close()

    def _fail(self, why: str) -> None:
        waiter, self._waiter = self._waiter, None
        self.close()
        if waiter is not None and not waiter.done():
            waiter.set_exception(ConnectionLost(why))


class Connection:
    """A connection to a shop that comes back by itself: each call reconnects when it must.

    Not for concurrent calls: one caller, one connection. A call raises ConnectionLost when no
    answer came; whether it took effect is then unknown.
    """

    def __init__(self, address: Address, *, tls: ssl.SSLContext | None = None) -> None:
        self.address = address
        self._tls = tls if tls is not None or not address.is_tls else address.tls
        self._wire: _Wire | None = None
        self._tail = f" HTTP/1.1\r\nHost: {address.host_header}\r\nAccept: application/json\r\n"

    def head(self, verb: str, path: str, headers: str = "") -> bytes:
        """The first lines of a request, to be built once and sent many times.

        `headers` are whole lines, each ending in CRLF.
        """
        return f"{verb} {self.address.prefix}{path}{self._tail}{headers}".encode("latin-1")

    async def call(self, head: bytes, body: bytes = b"", *, timeout_s: float) -> Answer:
        """Send a request that starts with `head` and wait for its answer."""
        wire = self._wire
        if wire is None or not wire.is_usable or wire.transport is None:
            wire = self._wire = await self._connect()
        transport = wire.transport
        if transport is None:
            message = "not connected"
            raise ConnectionLost(message)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Answer] = loop.create_future()
        wire.expect(waiter)
        timer = loop.call_later(timeout_s, _give_up, wire, waiter, timeout_s)
        try:
            if body:
                transport.write(
                    b"%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (head, len(body), body)
                )
            else:
                transport.write(head + b"Content-Length: 0\r\n\r\n")
            return await waiter
        except asyncio.CancelledError:
            wire.close()
            raise
        finally:
            timer.cancel()

    async def _connect(self) -> _Wire:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, wire = await loop.create_connection(
                    _Wire, self.address.host, self.address.port, ssl=self._tls
                )
        except TimeoutError as error:
            raise ConnectionLost(f"{self.address} does not answer") from error
        except (OSError, ssl.SSLError) as error:
            raise ConnectionLost(f"cannot reach {self.address}: {error}") from error
        return wire

    def close(self) -> None:
        """Close the connection; a later call opens it again."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def _give_up(wire: _Wire, waiter: "asyncio.Future[Answer]", timeout_s: float) -> None:
    wire.close()
    if not waiter.done():
        waiter.set_exception(ConnectionLost(f"no answer within {timeout_s:g} s"))
