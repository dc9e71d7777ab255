"""One HTTP/1.1 connection: uvicorn's, with limits on the head of a request."""

import asyncio
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from emporion.chassis.http.exchange import Receive, Scope, Send
from emporion.chassis.http.problem import (
    CONTENT_TYPE,
    problem_document,
    problem_response,
    status_of,
)
from emporion.kernel.errors import (
    DeadlineExceeded,
    EmporionError,
    InvalidArgument,
    Unavailable,
)

HEAD_BYTES_MAX: Final = 32 * 1024
_NO_TRACE_ID: Final = "0" * 32


class MalformedRequest(InvalidArgument):
    """What came is not HTTP/1.1."""

    slug = "malformed-request"
    title = "This is not a valid HTTP request"


class HeadTooLarge(InvalidArgument):
    """Request line and headers together are too long."""

    slug = "head-too-large"
    title = "The request's headers are too large"


class HeadTooSlow(DeadlineExceeded):
    """Request line and headers did not arrive in time."""

    slug = "head-too-slow"
    title = "The request's headers did not arrive in time"
    is_outcome_known = True


class TooManyConnections(Unavailable):
    """As many clients as the process takes are connected. Nothing was done."""

    slug = "too-many-connections"
    title = "Too many clients are connected; try again in a moment"
    is_outcome_known = True


class Connection(HttpToolsProtocol):
    """A connection that refuses endless heads, and answers broken ones with a problem document.

    Beyond the configured number of connections, requests on further ones are answered 503.

    `head_since_s` is the loop's time since which a head is awaited or half read, or None while
    a request is being answered or the connection idles within its keep-alive time. The server
    sweeps over all connections and calls `refuse_late_head`.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A head is awaited from now on."""
        super().connection_made(transport)
        connections_max, self.limit_concurrency = self.limit_concurrency, None
        if connections_max is not None and len(self.connections) > connections_max:
            self.app = _refuse_crowd
        self.head_since_s: float | None = self.loop.time()
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse a head that is too long to be one."""
        super().data_received(data)
        if self.head_since_s is not None and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(HeadTooLarge(f"at most {HEAD_BYTES_MAX} bytes"))

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.head_since_s = self.loop.time()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """The head is whole: the application takes over."""
        self.head_since_s = None
        super().on_headers_complete()

    def refuse_late_head(self, since_s: float) -> None:
        """Close when the head is awaited since before `since_s`."""
        if self.head_since_s is None or self.head_since_s > since_s:
            return
        if self._head_bytes and not self.transport.is_closing():
            self._refuse(HeadTooSlow())
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser could not read, and close."""
        self._refuse(MalformedRequest(msg))

    def _refuse(self, error: EmporionError) -> None:
        if _is_answering(self.cycle):
            self.transport.close()  # an answer is under way: nothing can be said in its middle
            return
        status = status_of(error)
        body = msgspec.json.encode(problem_document(error, _NO_TRACE_ID))
        head: list[Any] = [STATUS_LINE[status], b"content-type: ", CONTENT_TYPE]
        head += [b"\r\ncontent-length: %d" % len(body), b"\r\nconnection: close\r\n\r\n"]
        self.transport.write(b"".join([*head, body]))
        self.transport.close()


def _is_answering(cycle: RequestResponseCycle | None) -> bool:
    return cycle is not None and not cycle.response_complete


async def _refuse_crowd(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers every request of a connection too many, in place of the application."""
    response = problem_response(TooManyConnections(), _NO_TRACE_ID)
    length = b"%d" % len(response.body)
    headers = [*response.headers, (b"content-length", length), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
