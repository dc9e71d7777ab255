"""The server's end of an exchange: calls come together, each is answered when it is done."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from emporion.chassis.calls.context import NEVER_S, Call
from emporion.chassis.calls.grpc.errors import ErrorForm
from emporion.chassis.calls.grpc.schema import Schema
from emporion.chassis.calls.grpc.serving import (
    MESSAGE_BYTES_MAX,
    OPENED,
    GrpcEdge,
    UnknownMethod,
    WireMethod,
    as_error,
)
from emporion.chassis.calls.wire import to_wire
from emporion.chassis.surfaces.proto_calls import CALLS, OUTCOMES
from emporion.kernel.errors import (
    EmporionError,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)

CALLS_MAX: Final = 1_000
"""In one message."""
UNANSWERED_MAX: Final = 8_192
"""Calls of one stream that are under way or whose outcome has not been sent."""
OUTCOMES_BYTES_MAX: Final = MESSAGE_BYTES_MAX // 2
"""From this size on a message takes no further outcome; a single one may be larger."""


class Exchanges:
    """The parts that the exchanges of one server share, and the exchanges under way."""

    def __init__(self, methods: dict[str, WireMethod], edge: GrpcEdge, schema: Schema) -> None:
        self.methods = methods
        self.edge = edge
        self.errors = ErrorForm(schema)
        self.parse_calls: Any = schema.form(CALLS).FromString
        self.outcomes: Any = schema.form(OUTCOMES)
        self.is_draining = False
        self.is_refusing = False
        self._open: set[Exchange] = set()
        self._under_way = 0
        self._rest = asyncio.Event()
        self._rest.set()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """What happens inside is waited for by `at_rest`."""
        self._under_way += 1
        self._rest.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._rest.set()

    async def at_rest(self, within_s: float) -> bool:
        """True once nothing is under way; False after `within_s` seconds."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._rest.wait(), within_s)
        return False

    async def serve(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Serve one stream until its caller ends it, or the server has drained."""
        exchange = Exchange(self, context)
        self._open.add(exchange)
        try:
            with self.under_way():
                await exchange.run()
        finally:
            self._open.discard(exchange)

    def begin_drain(self) -> None:
        """Tell every caller to go elsewhere; their calls are still taken."""
        self.is_draining = True
        for exchange in self._open:
            exchange.wake()

    def refuse(self) -> None:
        """Begin no further call; end each exchange when its last one is answered."""
        self.is_refusing = True
        for exchange in list(self._open):
            exchange.wake()


class Exchange:
    """One stream: its calls under way, and the outcomes that wait to be sent."""

    def __init__(self, shared: Exchanges, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self._shared = shared
        self._context = context
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._ended: deque[Any] = deque()
        self._woken: asyncio.Future[None] | None = None
        self._is_over = False
        self._is_told = False

    def wake(self) -> None:
        """There is something to send, or to notice."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def run(self) -> None:
        """Read and write until both sides are done. Cancels its calls when the caller is gone."""
        await self._context.send_initial_metadata(((OPENED, "1"),))
        reading = asyncio.ensure_future(self._read())
        try:
            await self._write()
        finally:
            reading.cancel()
            tasks = [*self._tasks.values(), *self._leaving]
            for task in tasks:
                task.cancel()
            await asyncio.gather(reading, *tasks, return_exceptions=True)

    async def _read(self) -> None:
        """Begin calls until the caller has ended its side, or is gone."""
        try:
            while (data := await self._context.read()) is not grpc.aio.EOF:
                if not self._take(data):
                    return
        except grpc.aio.BaseError:
            # The stream is broken; its calls are given up when the context is cancelled.
            return
        finally:
            self._is_over = True
            self.wake()

    async def _write(self) -> None:
        """Send outcomes as they come; return when everything begun has been answered."""
        shared = self._shared
        loop = asyncio.get_running_loop()
        while True:
            must_tell = shared.is_draining and not self._is_told
            if not self._ended and not must_tell:
                is_at_rest = not self._tasks and not self._leaving
                if is_at_rest and (self._is_over or shared.is_refusing):
                    return
                self._woken = loop.create_future()
                await self._woken
                continue
            message = shared.outcomes()
            self._fill(message)
            if must_tell:
                self._is_told = message.is_draining = True
            await self._context.write(message.SerializeToString())

    def _fill(self, message: Any) -> None:
        ended, size = self._ended, 0
        add = message.outcomes.add
        while ended and size < OUTCOMES_BYTES_MAX:
            call_id, reply, error, is_not_begun = ended[0]
            size += len(reply) + 32
            if size > OUTCOMES_BYTES_MAX and message.outcomes:
                return
            del ended[0]
            outcome = add()
            outcome.id = call_id
            if error is None:
                outcome.reply = reply
            else:
                wire = to_wire(error)
                size += len(wire.detail)
                self._shared.errors.fill(outcome.error, wire, is_not_begun=is_not_begun)

    def _take(self, data: bytes) -> bool:
        """Begin the calls of one message. False: it is none, and the stream must end."""
        shared = self._shared
        try:
            message = shared.parse_calls(data)
        except DecodeError:
            return False
        for call_id in message.cancelled:
            self._cancel(call_id)
        if message.calls:
            self._take_calls(message)
        return True

    def _cancel(self, call_id: int) -> None:
        """Give a call up; the stream does not end before its cleaning up has."""
        task = self._tasks.pop(call_id, None)
        if task is not None:
            self._leaving.add(task)
            task.add_done_callback(self._left)
            task.cancel()

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        self.wake()

    def _take_calls(self, message: Any) -> None:
        shared = self._shared
        edge = shared.edge
        try:
            header = message.authorization
            identity = edge.authenticate(header.encode("latin-1", "replace") if header else None)
        except Exception as error:  # noqa: BLE001 - told to the caller; logged when unexpected
            stranger = as_error(error, "authentication")
            for sent in message.calls:
                self._end(sent.id, error=stranger)
            return
        for number, sent in enumerate(message.calls):
            refusal = self._refusal(sent, number)
            if refusal is not None:
                self._end(sent.id, error=refusal, is_not_begun=shared.is_refusing)
                continue
            left_s = sent.timeout_us / 1e6 if sent.timeout_us > 0 else NEVER_S
            call = edge.call(identity, sent.traceparent or None, left_s)
            self._begin(sent.id, sent.method, data=sent.request, call=call)

    def _refusal(self, sent: Any, number: int) -> EmporionError | None:
        if self._shared.is_refusing:
            return Unavailable("the server stops")
        if sent.id in self._tasks:
            return InvalidArgument("two calls have the same id", path="$.calls")
        if number >= CALLS_MAX or len(self._tasks) + len(self._ended) >= UNANSWERED_MAX:
            return ResourceExhausted("too many calls in one stream")
        return None

    def _begin(self, call_id: int, name: str, *, data: bytes, call: Call) -> None:
        method = self._shared.methods.get(name)
        if method is None:
            self._end(call_id, error=UnknownMethod(f"there is no method {name[:100]!r} here"))
            return
        loop = asyncio.get_running_loop()
        self._tasks[call_id] = loop.create_task(self._answer(call_id, method, data=data, call=call))

    async def _answer(self, call_id: int, method: WireMethod, *, data: bytes, call: Call) -> None:
        try:
            self._end(call_id, await method.answer(data, call))
        except Exception as error:  # noqa: BLE001 - told to the caller; logged when unexpected
            self._end(call_id, error=as_error(error, method.name))
        finally:
            self._tasks.pop(call_id, None)

    def _end(
        self,
        call_id: int,
        reply: bytes = b"",
        *,
        error: EmporionError | None = None,
        is_not_begun: bool = False,
    ) -> None:
        self._ended.append((call_id, reply, error, is_not_begun))
        self.wake()
