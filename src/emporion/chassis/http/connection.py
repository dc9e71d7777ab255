"""One HTTP/1.1 connection: uvicorn's, with limits on the head of a request."""

import asyncio
from typing import Any, Final
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from emporion.chassis.http.cycle import Cycle
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
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


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

    Beyond the configured number of connections, requests on further ones are answered 503. No
    other protocol is spoken: a request to upgrade is answered like any other.

    `head_since_s` is the loop's time since which a head is awaited or half read, or None while
    a request is being answered or the connection idles within its keep-alive time; then
    `idle_since_s` says since when. The server sweeps over all connections and calls
    `end_if_late`: timers for each of them, set anew at each request, would cost more.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A head is awaited from now on."""
        super().connection_made(transport)
        connections_max, self.limit_concurrency = self.limit_concurrency, None
        if connections_max is not None and len(self.connections) > connections_max:
            self.app = _refuse_crowd
        self.head_since_s: float | None = self.loop.time()
        self.idle_since_s: float | None = None
        self._head_bytes = 0
        self._news = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse a head that is too long to be one."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(MalformedRequest("Invalid HTTP request received."))
        except httptools.HttpParserUpgrade:
            pass  # no other protocol is spoken here: the request is answered as it stands
        if self.head_since_s is not None and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(HeadTooLarge(f"at most {HEAD_BYTES_MAX} bytes"))

    def on_message_begin(self) -> None:
        """A head begins."""
        self.url = b""
        self.headers = []
        self.head_since_s = self.loop.time()
        self.idle_since_s = None
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole: the application takes over, or waits for the answer before."""
        self.head_since_s = None
        parser, version = self.parser, self.parser.get_http_version()
        before: Cycle | None = self.cycle  # type: ignore[assignment]  # ours, once there is one
        self.cycle = cycle = Cycle(  # type: ignore[assignment]  # has what uvicorn's protocol asks
            self._request_scope(version),
            self.transport,
            self.flow,
            default_headers=self.server_state.default_headers,
            message_event=self._news,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)  # type: ignore[arg-type]  # as above
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))  # type: ignore[arg-type]  # as above

    def _request_scope(self, version: str) -> Scope:
        url = self.url
        raw_path, _, query = url.partition(b"?")
        if url[:1] != b"/" or b"#" in url:
            parsed = httptools.parse_url(url)
            raw_path, query = parsed.path, parsed.query or b""
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "method": self.parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
        }

    def on_body(self, body: bytes) -> None:
        """A part of the body; what the application does not take soon, the client keeps."""
        cycle: Any = self.cycle
        if cycle.response_complete:
            return
        if cycle.take(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self._news.set()

    def on_message_complete(self) -> None:
        """The request is whole."""
        cycle: Any = self.cycle
        if not cycle.response_complete:
            cycle.end_body()
            self._news.set()

    def on_response_complete(self) -> None:
        """The answer is written: the next request is taken up, or awaited."""
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.idle_since_s = self.loop.time()

    def end_if_late(self, *, head_since_s: float, idle_since_s: float) -> None:
        """Close when a head is awaited, or the connection idles, since before those instants."""
        if self.idle_since_s is not None and self.idle_since_s <= idle_since_s:
            self.transport.close()
        if self.head_since_s is None or self.head_since_s > head_since_s:
            return
        if self._head_bytes and not self.transport.is_closing():
            self._refuse(HeadTooSlow())
        else:
            self.transport.close()

    def _refuse(self, error: EmporionError) -> None:
        cycle: Cycle | None = self.cycle  # type: ignore[assignment]  # as above
        if cycle is not None and not cycle.response_complete:
            self.transport.close()  # an answer is under way: nothing can be said in its middle
            return
        status = status_of(error)
        body = msgspec.json.encode(problem_document(error, _NO_TRACE_ID))
        head: list[Any] = [STATUS_LINE[status], b"content-type: ", CONTENT_TYPE]
        head += [b"\r\ncontent-length: %d" % len(body), b"\r\nconnection: close\r\n\r\n"]
        self.transport.write(b"".join([*head, body]))
        self.transport.close()


async def _refuse_crowd(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers every request of a connection too many, in place of the application."""
    response = problem_response(TooManyConnections(), _NO_TRACE_ID)
    length = b"%d" % len(response.body)
    headers = [*response.headers, (b"content-length", length), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
