"""One HTTP/1.1 connection that tells a request that was never taken from one never answered."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 30.0
UNKNOWN = frozenset({429, 500, 503, 504})
"""Statuses after which a request is repeated: nothing happened, or nobody can say."""


class NotSent(Exception):
    """The shop cannot be connected to: no byte of the request left."""


class NoAnswer(Exception):
    """The request left and no whole answer came: its outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes
    is_last: bool

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body; empty when there is none."""
        found: dict[str, Any] = json.loads(self.body) if self.body else {}
        return found


class Wire:
    """A connection that opens again by itself; one request at a time."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._host, self._port = host, int(port)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Connect now. Raises NotSent."""
        if self._writer is not None:
            return
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise NotSent(str(error)) from error

    async def ask(
        self,
        verb: str,
        path: str,
        document: object = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send one request and read its whole answer. Raises NotSent or NoAnswer."""
        await self.open()
        assert self._reader is not None
        assert self._writer is not None
        body = b"" if document is None else json.dumps(document).encode()
        head = [f"{verb} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        head += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            head.append("Content-Type: application/json")
        head.append(f"Content-Length: {len(body)}\r\n\r\n")
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                self._writer.write("\r\n".join(head).encode() + body)
                reply = await self._read(self._reader)
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            await self.close()
            raise NoAnswer(f"{verb} {path}: {type(error).__name__} {error}") from error
        except asyncio.CancelledError:
            await self.close()
            raise
        if reply.is_last:
            await self.close()
        return reply

    async def _read(self, reader: asyncio.StreamReader) -> Reply:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        return Reply(int(head[0].split()[1]), body, fields.get("connection") == "close")

    async def close(self) -> None:
        """Close the connection; the next request opens another."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is None:
            return
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            return  # the other side closed it first, or died
