"""Reads request bodies within a size and a time, without a timer for each of them."""

import asyncio

from emporion.chassis.http.exchange import WHOLE_BODY, ClientGone, Exchange, declared_length
from emporion.chassis.http.problem import BodyTooLarge, BodyTooSlow
from emporion.chassis.runtime.ports import Runtime

SWEEP_S = 1.0


class BodyReader:
    """Reads whole bodies.

    A timer per request costs more than reading it. So waiting readers are listed, and one sweep
    a second, running only while somebody waits, ends those that are too late: a body may take
    up to `timeout_s` + 1 s.
    """

    def __init__(self, runtime: Runtime, *, timeout_s: float) -> None:
        self._runtime = runtime
        self._timeout_s = timeout_s
        self._waiting: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._sweeper: asyncio.Task[None] | None = None

    def at_hand(self, exchange: Exchange, bytes_max: int) -> bytes | None:
        """The whole body if the server has it already, as it mostly has. Raises BodyTooLarge."""
        body: bytes | None = exchange.scope.get(WHOLE_BODY)
        if body is None:
            return None
        if len(body) > bytes_max:
            raise BodyTooLarge(f"at most {bytes_max} bytes", bytes_max=bytes_max)
        exchange.is_body_read = True
        return body

    async def read(self, exchange: Exchange, bytes_max: int) -> bytes:
        """The whole body. Raises BodyTooLarge, BodyTooSlow, or ClientGone."""
        if declared_length(exchange) > bytes_max:
            raise BodyTooLarge(f"at most {bytes_max} bytes", bytes_max=bytes_max)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of the server runs in a task
        self._waiting[task] = exchange.started_s + self._timeout_s
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = self._runtime.tasks.spawn("http body sweep", self._sweep())
        try:
            message = await exchange.receive()
            body: bytes = message.get("body", b"")
            if message.get("more_body", False) or len(body) > bytes_max:
                body = await _rest(exchange, body, bytes_max)
            elif message["type"] != "http.request":
                raise ClientGone
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise BodyTooSlow(f"not within {self._timeout_s:g} s") from None
        finally:
            del self._waiting[task]
            if self._late:
                self._late.discard(task)
        exchange.is_body_read = True
        return body

    async def _sweep(self) -> None:
        while self._waiting:
            await self._runtime.tasks.sleep(SWEEP_S)
            now_s = self._runtime.clock.monotonic_s()
            for task, due_s in self._waiting.items():
                if now_s >= due_s and task not in self._late:
                    self._late.add(task)
                    task.cancel()


async def _rest(exchange: Exchange, first: bytes, bytes_max: int) -> bytes:
    """The whole of a body that comes in parts, or is too long."""
    parts, size, has_more = [first], len(first), True
    while size <= bytes_max:
        if not has_more:
            return b"".join(parts)
        message = await exchange.receive()
        if message["type"] != "http.request":
            raise ClientGone
        has_more = message.get("more_body", False)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    raise BodyTooLarge(f"at most {bytes_max} bytes", bytes_max=bytes_max)
