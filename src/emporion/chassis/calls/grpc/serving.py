"""What a server does for one call, however it came in: decode, enter the door, encode."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
from google.protobuf.message import DecodeError

from emporion.chassis.auth.identity import Identity
from emporion.chassis.calls.context import NEVER_S, Call, Trace
from emporion.chassis.calls.grpc.schema import Schema, method_name
from emporion.chassis.calls.inbound import REMOTE, Inbound
from emporion.chassis.calls.wire import invalid
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.surfaces.proto_calls import EXCHANGE, PACKAGE, SERVICE
from emporion.contracts.contract import Rpc
from emporion.kernel.errors import EmporionError, Internal, InvalidArgument, Unavailable

EXCHANGE_PATH: Final = f"/{PACKAGE}.{SERVICE}/{EXCHANGE}"
METADATA_BYTES_MAX: Final = 16 * 1024
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one gRPC message, either way; both ends refuse a longer one."""
OPENED: Final = "emporion-exchange"
"""In the initial metadata of an exchange: whatever is sent from here on reaches the application."""
REPLY_BYTES_MAX: Final = MESSAGE_BYTES_MAX - 1024
_log = logging.getLogger(__name__)
_INVALID = (DecodeError, msgspec.MsgspecError, ValueError, TypeError, OverflowError)
"""What a decoder raises about bytes that are not a request of that method."""


class UnknownMethod(Unavailable):
    """The server has no such method (yet, or any more)."""

    slug = "unknown-method"


@dataclass(frozen=True, slots=True)
class GrpcEdge:
    """What the server needs from the process around it, as the HTTP edge does.

    Args:
        runtime: clock and tasks.
        authenticate: from the `authorization` metadata to an identity; raises Unauthenticated.
        trace_of: the trace context of a `traceparent`, or a new one (None: absent).
    """

    runtime: Runtime
    authenticate: Callable[[bytes | None], Identity]
    trace_of: Callable[[str | None], Trace]

    def call(self, identity: Identity, traceparent: str | None, time_left_s: float) -> Call:
        """The call as the door wants it; `time_left_s` NEVER_S when the caller gave none."""
        deadline_s = NEVER_S
        if time_left_s != NEVER_S:
            deadline_s = self.runtime.clock.monotonic_s() + time_left_s
        return Call(identity, self.trace_of(traceparent), deadline_s)


class WireMethod:
    """One method from bytes to bytes."""

    __slots__ = ("_admitted", "_authorise", "_bound", "_decode", "_encode", "_rpc", "name")

    def __init__(self, door: Inbound, rpc: Rpc, schema: Schema) -> None:
        self.name = method_name(door.contract, rpc)
        self._rpc = rpc
        self._admitted: Identity | None = None
        self._authorise = door.authorise
        self._bound = door.method(rpc, caller=REMOTE)
        self._decode = schema.codec(rpc.request).decode
        self._encode = schema.codec(rpc.reply).encode

    async def answer(self, data: bytes, call: Call) -> bytes:
        """The encoded reply. Raises EmporionError only, apart from a cancellation."""
        if call.identity is not self._admitted:
            self._authorise(self._rpc, call.identity)
            self._admitted = call.identity
        try:
            request = self._decode(data)
        except _INVALID as error:
            raise _invalid(error) from error
        reply = await self._bound(request, call)
        try:
            encoded = self._encode(reply)
        except Exception as error:
            _log.exception("the reply of %s cannot be encoded", self.name)
            raise Internal(trace_id=call.trace.trace_id) from error
        if len(encoded) > REPLY_BYTES_MAX:
            _log.error("the reply of %s has %d bytes", self.name, len(encoded))
            raise Internal(trace_id=call.trace.trace_id)
        return encoded


def _invalid(error: Exception) -> InvalidArgument:
    if isinstance(error, DecodeError):
        return InvalidArgument("the bytes are not a message of that method", path="$")
    return invalid(error)


def wire_methods(doors: Iterable[Inbound], schema: Schema) -> dict[str, WireMethod]:
    """Every method behind the doors by its full name."""
    methods = [WireMethod(door, rpc, schema) for door in doors for rpc in door.rpcs.values()]
    return {method.name: method for method in methods}


def as_error(error: BaseException, name: str) -> EmporionError:
    """What a caller is told; an unexpected error is logged here and hidden."""
    if isinstance(error, EmporionError):
        return error
    _log.error("%s failed: %s", name, type(error).__name__, exc_info=error)
    return Internal()
