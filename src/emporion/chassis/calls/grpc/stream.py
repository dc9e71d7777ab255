"""The caller's end of an exchange: whatever waits to be sent travels in one message."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import grpc
import msgspec

from emporion.chassis.auth.identity import Identity
from emporion.chassis.calls.grpc.errors import NotBegun
from emporion.chassis.calls.grpc.schema import Schema
from emporion.chassis.calls.grpc.serving import EXCHANGE_PATH, MESSAGE_BYTES_MAX, OPENED
from emporion.chassis.surfaces.proto_calls import CALLS, OUTCOMES
from emporion.kernel.clock import Clock
from emporion.kernel.errors import ResourceExhausted, Unavailable

_log = logging.getLogger(__name__)
BATCH_CALLS_MAX: Final = 250
"""In one message: more would keep the callee's loop from everything else for too long. Fewer are
never split: what comes together is worked on together at the other side (see `convoys.py`)."""
BATCH_BYTES_MAX: Final = MESSAGE_BYTES_MAX // 4
"""From this size on a message takes no further call; a single one may be larger."""
WAITING_MAX: Final = 4_096
"""Calls of one stream that wait to be sent or for their outcome."""
OPEN_S_MAX: Final = 2.0
"""How long an instance may take to accept a stream."""


class Exchangeless(Exception):
    """The callee does not know the batch method: it takes single calls only."""


class Sent(msgspec.Struct, eq=False, gc=False):
    """A call that waits to be sent, or for its outcome: the encoded reply, or an Error message."""

    method: str
    request: bytes
    deadline_s: float
    traceparent: str
    outcome: asyncio.Future[Any]
    call_id: int = 0


class Caller:
    """Who calls: one object for each identity, so that it is found without comparing."""

    __slots__ = ("_authorization", "identity")

    def __init__(self, identity: Identity, authorization: Callable[[Identity], str]) -> None:
        self.identity = identity
        self._authorization = authorization

    def authorization(self) -> str:
        """The `authorization` right now; empty for none."""
        return self._authorization(self.identity)


class Forms:
    """Protobuf's classes of the messages of an exchange."""

    def __init__(self, schema: Schema) -> None:
        self.calls: Any = schema.form(CALLS)
        self.parse_outcomes: Any = schema.form(OUTCOMES).FromString


class CallStream:
    """One stream from one caller to one instance; opened by the first call, and used once.

    A call that cannot be carried ends with NotBegun when it certainly was not begun, otherwise
    with Unavailable.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        forms: Forms,
        *,
        clock: Clock,
        caller: Caller,
        on_drain: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._forms = forms
        self._monotonic_s = clock.monotonic_s
        self._authorization = caller.authorization
        self._on_drain = on_drain
        self._queue: deque[Sent] = deque()
        self._unanswered: dict[int, Sent] = {}
        self._cancelled: list[int] = []
        self._next_id = 1
        self._woken: asyncio.Future[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self.is_closing = False
        """Whether it takes no further call: the callee drains, or the stream is broken."""

    def send(self, sent: Sent) -> None:
        """Have a call sent; its `outcome` will be a form with `reply`, or with `error`.

        Raises ResourceExhausted. The outcome can also be NotBegun, Unavailable or Exchangeless.
        """
        if len(self._queue) + len(self._unanswered) >= WAITING_MAX:
            raise ResourceExhausted("too many calls wait for this service")
        self._queue.append(sent)
        if self._work is None:
            self._work = asyncio.ensure_future(self._run())
        self._wake()

    def give_up(self, sent: Sent) -> None:
        """Nobody waits for the outcome any more: the callee may stop."""
        if self._unanswered.pop(sent.call_id, None) is not None:
            self._cancelled.append(sent.call_id)
            self._wake()

    def close(self) -> None:
        """Take no further call; end the stream when the last one is answered."""
        self.is_closing = True
        self._wake()

    @property
    def is_ended(self) -> bool:
        """Whether it has ended."""
        return self._work is None or self._work.done()

    async def ended(self) -> None:
        """Wait until the stream has ended."""
        if self._work is not None:
            await asyncio.wait([self._work])

    def abort(self) -> None:
        """End the stream now."""
        self.is_closing = True
        if self._work is not None:
            self._work.cancel()

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def _run(self) -> None:
        open_stream: Any = self._channel.stream_stream
        call: Any = open_stream(EXCHANGE_PATH)()
        lost: Exception = Unavailable("the connection was closed")
        try:
            await self._opened(call)
            await self._exchange(call)
            # It ended well: the callee has answered all that it has begun.
            lost = NotBegun("the stream ended")
        except (NotBegun, Exchangeless) as error:
            lost = error
        except grpc.aio.AioRpcError as error:
            lost = Unavailable(f"the connection is broken: {error.details()}")
        except Exception as error:  # noqa: BLE001 - whoever waits must learn of it
            _log.exception("a stream of calls failed")
            lost = Unavailable(f"the connection failed: {type(error).__name__}")
        finally:
            self.is_closing = True
            call.cancel()
            self._lose(lost)

    async def _exchange(self, call: Any) -> None:
        """Write and read until the callee has ended the stream. Raises AioRpcError."""
        reading = asyncio.ensure_future(self._read(call))
        reading.add_done_callback(lambda _: self.close())
        try:
            await self._write(call, reading)
            if not reading.done():
                await call.done_writing()
            await reading
        except asyncio.InvalidStateError:
            # A write met a stream that had ended; how it ended is what the reader knows.
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _opened(self, call: Any) -> None:
        """Wait until the callee has accepted the stream. Raises NotBegun or Exchangeless."""
        try:
            async with asyncio.timeout(OPEN_S_MAX):
                metadata = await call.initial_metadata()
                if OPENED in metadata:
                    return
                code, details = await call.code(), await call.details()
        except TimeoutError:
            raise NotBegun("it does not accept connections") from None
        except grpc.aio.AioRpcError as error:
            code, details = error.code(), error.details()
        if code is grpc.StatusCode.UNIMPLEMENTED:
            raise Exchangeless
        raise NotBegun(details or "it does not accept calls")

    async def _write(self, call: Any, reading: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        while not reading.done():
            if self._queue or self._cancelled:
                data = self._message()
                if data:
                    await call.write(data)
                continue
            if self.is_closing and not self._unanswered:
                return
            self._woken = loop.create_future()
            await self._woken

    def _message(self) -> bytes:
        """The next message; from here on its calls may have been begun."""
        message = self._forms.calls()
        message.authorization = self._authorization()
        now_s, size = self._monotonic_s(), 0
        queue, unanswered, call_id = self._queue, self._unanswered, self._next_id
        end_id = call_id + BATCH_CALLS_MAX
        add = message.calls.add
        while queue and call_id < end_id and size < BATCH_BYTES_MAX:
            sent = queue.popleft()
            if sent.outcome.done():
                continue
            sent.call_id = call_id
            unanswered[call_id] = sent
            part = add()
            part.id = call_id
            part.method = sent.method
            part.request = sent.request
            part.timeout_us = max(int((sent.deadline_s - now_s) * 1e6), 1)
            part.traceparent = sent.traceparent
            size += len(sent.request) + 128
            call_id += 1
        self._next_id = call_id
        if self._cancelled:
            message.cancelled.extend(self._cancelled)
            self._cancelled.clear()
        elif not message.calls:
            return b""
        data: bytes = message.SerializeToString()
        return data

    async def _read(self, call: Any) -> None:
        """Hand out outcomes until the stream ends. Raises AioRpcError when it broke."""
        parse, unanswered = self._forms.parse_outcomes, self._unanswered
        while (data := await call.read()) is not grpc.aio.EOF:
            message = parse(data)
            for outcome in message.outcomes:
                sent = unanswered.pop(outcome.id, None)
                if sent is not None and not sent.outcome.done():
                    sent.outcome.set_result(outcome)
            if message.is_draining:
                self.is_closing = True
                self._on_drain()
            if self.is_closing:
                self._wake()

    def _lose(self, error: Exception) -> None:
        """No outcome will come any more.

        A stream that ended well has answered all that was begun; what was never sent was not
        begun in any case. Each caller gets an error of its own.
        """
        kind, words = type(error), str(error)
        for sent in self._unanswered.values():
            if not sent.outcome.done():
                sent.outcome.set_exception(kind(words))
        unsent = kind if kind is Exchangeless else NotBegun
        for sent in self._queue:
            if not sent.outcome.done():
                sent.outcome.set_exception(unsent(words))
        self._unanswered.clear()
        self._queue.clear()
