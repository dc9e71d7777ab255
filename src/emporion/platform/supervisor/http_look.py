"""One HTTP request to a process of this machine, for its health."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

from emporion.platform.supervisor.part import NotReady

ANSWER_BYTES_MAX: Final = 256 * 1024


async def look(url: str, *, verb: str = "GET") -> tuple[int, bytes]:
    """The status and the body. Raises NotReady when nobody answers; the caller bounds the time."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    head = f"{verb} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(f"{head}Content-Length: 0\r\n\r\n".encode())
            return await _answer(reader)
        finally:
            writer.close()
    except OSError as error:
        raise NotReady(error.strerror or str(error)) from error
    except (EOFError, asyncio.LimitOverrunError, IndexError, ValueError) as error:
        raise NotReady("the answer is no HTTP") from error


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    status = int(head[0].split()[1])
    fields = dict(line.lower().split(b":", 1) for line in head[1:] if b":" in line)
    if b"content-length" in fields:
        length = min(int(fields[b"content-length"]), ANSWER_BYTES_MAX)
        return status, await reader.readexactly(length)
    body = b""
    while len(body) < ANSWER_BYTES_MAX and (more := await reader.read(ANSWER_BYTES_MAX)):
        body += more
    return status, body
