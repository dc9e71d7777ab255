"""One HTTP request to a process of this machine, for its health."""

import asyncio
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from emporion.platform.supervisor.part import NotReady

ANSWER_BYTES_MAX: Final = 256 * 1024
TIMEOUT_S: Final = 3.0


async def look(url: str, *, verb: str = "GET") -> tuple[int, bytes]:
    """The status and the body. Raises NotReady when nobody answers within TIMEOUT_S."""
    return await asyncio.to_thread(_look, url, verb)


def _look(url: str, verb: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request(verb, target, headers={"connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_BYTES_MAX)
    except OSError as error:
        raise NotReady(error.strerror or str(error) or type(error).__name__) from error
    except HTTPException as error:
        raise NotReady("the answer is no HTTP") from error
    finally:
        connection.close()
