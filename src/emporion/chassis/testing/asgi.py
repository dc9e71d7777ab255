"""Calls an ASGI application in memory, as a test's client: no socket, no server."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import msgspec

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class Answer(msgspec.Struct, frozen=True):
    """What came back: header names in lower case; a header sent twice shows its last value."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class AsgiClient:
    """Sends one request at a time to an application.

    `headers` go along with every request; `address` is where the client seems to be.
    """

    def __init__(
        self, app: App, *, headers: dict[str, str] | None = None, address: str = "127.0.0.1"
    ) -> None:
        self._app = app
        self._headers = headers or {}
        self._address = address

    async def send(
        self,
        verb: str,
        target: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Sequence[bytes] = b"",
    ) -> Answer:
        """One request; `target` is path and query as sent; a list of parts is a chunked body.

        Raises AssertionError when the application does not answer exactly once.
        """
        parts = [body] if isinstance(body, bytes) else list(body)
        sent = {**self._headers, **(headers or {})}
        if isinstance(body, bytes) and body:
            sent.setdefault("content-length", str(len(body)))
        elif not isinstance(body, bytes):
            sent.setdefault("transfer-encoding", "chunked")
        messages: list[Message] = []

        async def receive() -> Message:
            if not parts:
                return {"type": "http.disconnect"}
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app(self._scope(verb, target, sent), receive, collect)
        return _answer(messages)

    async def json(
        self, verb: str, target: str, content: Any, *, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request with `content` as its JSON body."""
        return await self.send(
            verb,
            target,
            headers={"content-type": "application/json", **(headers or {})},
            body=msgspec.json.encode(content),
        )

    async def get(self, target: str, *, headers: dict[str, str] | None = None) -> Answer:
        """GET."""
        return await self.send("GET", target, headers=headers)

    def _scope(self, verb: str, target: str, headers: dict[str, str]) -> Message:
        raw_path, _, query = target.encode("latin-1").partition(b"?")
        return {
            "type": "http",
            "method": verb,
            "path": raw_path.decode("latin-1"),
            "raw_path": raw_path,
            "query_string": query,
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
            "client": (self._address, 50_000),
        }


async def stalled() -> Message:
    """A `receive` that never gives anything: a client that sends no body."""
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}


def _answer(messages: list[Message]) -> Answer:
    kinds = [message["type"] for message in messages]
    assert kinds == ["http.response.start", "http.response.body"], kinds  # noqa: S101 - a test's client
    start, body = messages
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], headers, body.get("body", b""))
