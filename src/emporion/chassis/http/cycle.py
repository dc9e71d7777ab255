"""One request of a connection and its answer: ASGI's receive and send, without detours.

It takes the place of uvicorn's own cycle, whose checks of every header and two writes an answer
cost more than the rest of the HTTP edge. The application answers with one start and one body, or
with a body in parts, which are sent as they come.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from emporion.chassis.http.exchange import (
    WHOLE_BODY,
    ClientGone,
    Header,
    Receive,
    Scope,
    Send,
)

CLOSE: Final = (b"connection", b"close")
CHUNKED: Final = (b"transfer-encoding", b"chunked")
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_line: Final = b": ".join
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_log = logging.getLogger(__name__)


class Cycle:
    """A request being answered; the names are those that uvicorn's protocol asks for.

    Args:
        scope: the request; WHOLE_BODY is added once all of the body is there, unless a part of
            it was received before.
        transport, flow: where the answer goes.
        default_headers: stand before the application's own: the date.
        message_event: set when something of the body came, or the client went.
        keep_alive: whether the client may ask again on this connection.
        on_response: called once the answer is written.
    """

    __slots__ = (
        "_default_headers",
        "_flow",
        "_is_asked",
        "_is_in_parts",
        "_on_response",
        "_start",
        "_transport",
        "body",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
        "scope",
    )

    def __init__(  # noqa: PLR0913 - made in one place, for every request
        self,
        scope: Scope,
        transport: asyncio.Transport,
        flow: FlowControl,
        *,
        default_headers: Sequence[Header],
        message_event: asyncio.Event,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:
        self.scope = scope
        self.message_event = message_event
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False
        self.body = b""
        self.more_body = True
        self._transport = transport
        self._flow = flow
        self._default_headers = default_headers
        self._on_response = on_response
        self._is_asked = False
        self._is_in_parts = False
        self._start: MutableMapping[str, Any] | None = None

    def take(self, body: bytes) -> int:
        """A part of the body came; how many bytes wait to be received now."""
        self.body = self.body + body if self.body else body
        return len(self.body)

    def end_body(self) -> None:
        """All of the body is there."""
        self.more_body = False
        if not self._is_asked:
            self.scope[WHOLE_BODY] = self.body

    async def run_asgi(self, app: App) -> None:
        """Let the application answer; a connection it does not answer on is closed."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:
            self._transport.close()
            if not isinstance(error, Exception):
                raise
            _log.exception("the application failed")
        else:
            if not (self.response_complete or self.disconnected):
                self._transport.close()

    async def receive(self) -> MutableMapping[str, Any]:
        """See ASGI: what came of the body since the last call, or that the client is gone."""
        is_first, self._is_asked = not self._is_asked, True
        while not (self.body or self.disconnected or self.response_complete) and self.more_body:
            if is_first and _awaits_continue(self.scope["headers"]):
                self._transport.write(_CONTINUE)
            is_first = False
            self._flow.resume_reading()
            self.message_event.clear()
            await self.message_event.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """See ASGI. The head waits for the body, so that both leave together.

        Raises ValueError for a header that would end its line, and writes nothing then; ClientGone
        for a part of a body that nobody waits for any more.
        """
        start = self._start
        if start is None:
            self._start = message
            return
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        has_more = message.get("more_body", False)
        if self.disconnected:
            if has_more:
                raise ClientGone
            return
        if self._is_in_parts or has_more:
            self._send_part(message["body"], start, has_more=has_more)
            return
        self._transport.write(self._head(start["status"], start["headers"]) + message["body"])
        self._end()

    def _send_part(self, body: bytes, start: MutableMapping[str, Any], *, has_more: bool) -> None:
        """A chunk (RFC 9112, 7.1), after the head before the first, and the end after the last."""
        if not self._is_in_parts:
            self._is_in_parts = True
            self._transport.write(self._head(start["status"], [*start["headers"], CHUNKED]))
        if body:
            self._transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        if not has_more:
            self._transport.write(b"0\r\n\r\n")
            self._end()

    def _head(self, status: int, headers: list[Header]) -> bytes:
        if CLOSE in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers = [*headers, CLOSE]
        lines = [*map(_line, self._default_headers), *map(_line, headers)]
        head = b"\r\n".join(lines)
        if head.count(b"\n") != len(lines) - 1:
            raise ValueError("a header of the answer has a line end in it")
        return b"".join((STATUS_LINE[status], head, b"\r\n\r\n"))

    def _end(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self._transport.close()
        self._on_response()


def _awaits_continue(headers: Sequence[Header]) -> bool:
    """Whether the client sends its body only when told to go on (RFC 9110, 10.1.1)."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)
