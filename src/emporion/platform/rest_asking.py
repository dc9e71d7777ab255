"""Carries what pages ask to a shop elsewhere, over REST, with the visitor's own token."""

import asyncio
from typing import Final

import msgspec

from emporion.contracts.contract import Message, Retry, Rpc
from emporion.kernel.errors import PermissionDenied, Unauthenticated
from emporion.platform.client.address import Address
from emporion.platform.client.connection import Answer, Connection, ConnectionLost
from emporion.platform.client.problem import read_problem, to_error
from emporion.platform.client.rest import CALL_TIMEOUT_S, to_http
from emporion.web.asking import Asked, checked

CONNECTIONS_MAX: Final = 64
"""Calls under way at once; further ones wait."""
FIRST_ERROR: Final = 400
GRACE_S: Final = 1.0
"""The shop is given the deadline of a call and answers first."""


class RestAsking:
    """Asks a shop over kept-alive connections.

    A query is asked once more when its connection was lost; commands never are, for only whoever
    holds the form may repeat them.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._tls = address.tls
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(CONNECTIONS_MAX)

    async def ask(self, asked: Asked) -> Message:
        """See Asking. Raises ConnectionLost, which is Unavailable, when no answer came."""
        if asked.rpc.rest is None:
            raise PermissionDenied(f"{asked.contract.NAME}.{asked.rpc.name} is not for pages")
        verb, path, headers, body = to_http(asked.rpc, checked(asked))
        headers += _beside(asked)
        timeout_s = asked.timeout_s + GRACE_S if asked.timeout_s else CALL_TIMEOUT_S
        async with self._slots:
            connection = self._idle.pop() if self._idle else self._new()
            try:
                head = connection.head(verb, path, headers)
                answer = await _answer(connection, head, body, asked.rpc, timeout_s=timeout_s)
            finally:
                self._idle.append(connection)
        if answer.status >= FIRST_ERROR:
            raise to_error(read_problem(answer.status, answer.body), asked.rpc.raises)
        reply: Message = msgspec.json.decode(answer.body or b"{}", type=asked.rpc.reply)
        return reply

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _new(self) -> Connection:
        return Connection(self._address, tls=self._tls)


async def _answer(  # noqa: PLR0917 - one caller, which has them at hand
    connection: Connection, head: bytes, body: bytes, rpc: Rpc, *, timeout_s: float
) -> Answer:
    try:
        return await connection.call(head, body, timeout_s=timeout_s)
    except ConnectionLost:
        if rpc.retry is not Retry.SAFE:
            raise
    return await connection.call(head, body, timeout_s=timeout_s)


def _beside(asked: Asked) -> str:
    """The header lines that say who asks, as part of which trace, and until when."""
    lines = f"traceparent: {asked.trace.header()}\r\n"
    if asked.token:
        if not asked.token.isascii() or not asked.token.isprintable():
            raise Unauthenticated
        lines += f"Authorization: Bearer {asked.token}\r\n"
    if asked.address:  # believed by a shop whose edge we come by, and by nobody else
        lines += f"X-Forwarded-For: {asked.address}\r\n"
    if asked.timeout_s:
        lines += f"X-Request-Timeout-S: {asked.timeout_s:g}\r\n"
    return lines
