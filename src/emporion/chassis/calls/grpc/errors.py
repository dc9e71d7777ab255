"""Our errors as gRPC carries them: a status code for everybody, a binary trailer for us."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import grpc
import msgspec
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtoMessage

from emporion.chassis.calls.grpc.schema import Schema
from emporion.chassis.calls.wire import ErrorTable, WireError
from emporion.chassis.surfaces.proto_calls import ERROR
from emporion.kernel.errors import EmporionError, Field, Unavailable

TRAILER: Final = "emporion-error-bin"
TRAILER_BYTES_MAX: Final = 6_000
"""A longer one leaves out its members: gRPC refuses 8 KiB of metadata unless told otherwise."""
CODES: Final[Mapping[str, grpc.StatusCode]] = {
    "InvalidArgument": grpc.StatusCode.INVALID_ARGUMENT,
    "Unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "PermissionDenied": grpc.StatusCode.PERMISSION_DENIED,
    "NotFound": grpc.StatusCode.NOT_FOUND,
    "Conflict": grpc.StatusCode.ABORTED,
    "FailedPrecondition": grpc.StatusCode.FAILED_PRECONDITION,
    "ResourceExhausted": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "Internal": grpc.StatusCode.INTERNAL,
    "Unavailable": grpc.StatusCode.UNAVAILABLE,
    "DeadlineExceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
}
CATEGORIES: Final[Mapping[grpc.StatusCode, str]] = {
    **{code: category for category, code in CODES.items()},
    grpc.StatusCode.ALREADY_EXISTS: "Conflict",
    grpc.StatusCode.OUT_OF_RANGE: "InvalidArgument",
    grpc.StatusCode.CANCELLED: "Unavailable",
    # A method that the callee does not have yet: it is being rolled out.
    grpc.StatusCode.UNIMPLEMENTED: "Unavailable",
}
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode


class NotBegun(Unavailable):
    """The callee did not begin the call: it may safely be made again, elsewhere.

    Stays inside this package: what leaves it is Unavailable.
    """

    slug = "not-begun"


class ErrorForm:
    """Errors as messages of `emporion.calls.v1`."""

    def __init__(self, schema: Schema) -> None:
        self._form: Any = schema.form(ERROR)

    def fill(self, form: Any, wire: WireError, *, is_not_begun: bool = False) -> None:
        """Set the members of an Error message."""
        form.slug, form.category, form.detail = wire.slug, wire.category, wire.detail
        if wire.fields:
            form.fields = msgspec.json.encode(wire.fields).decode()
        form.is_retried, form.is_not_begun = wire.is_retried, is_not_begun

    def read(self, form: Any) -> WireError:
        """The error of an Error message; members that cannot be read are left out."""
        fields: dict[str, Field] = {}
        if form.fields:
            try:
                fields = _decode_fields(form.fields)
            except msgspec.MsgspecError:
                fields = {}
        return WireError(form.slug, form.category, form.detail, fields, form.is_retried)

    def trailer(self, wire: WireError, *, is_not_begun: bool) -> bytes:
        """What `emporion-error-bin` holds."""
        form: ProtoMessage = self._form()
        self.fill(form, wire, is_not_begun=is_not_begun)
        data = form.SerializeToString()
        if len(data) > TRAILER_BYTES_MAX:
            short = WireError(
                wire.slug, wire.category, wire.detail[:1_000], is_retried=wire.is_retried
            )
            self.fill(form := self._form(), short, is_not_begun=is_not_begun)
            data = form.SerializeToString()
        return data

    def from_rpc(self, error: grpc.aio.AioRpcError, table: ErrorTable) -> EmporionError:
        """The error of a call that failed: the trailer's, or the status code's of a stranger."""
        data = _trailer(error.trailing_metadata())
        if data is not None:
            try:
                form = self._form.FromString(data)
            except DecodeError:
                pass  # a stranger's trailer: the status code is all there is
            else:
                if form.is_not_begun:
                    return NotBegun(form.detail)
                return table.from_wire(self.read(form))
        category = CATEGORIES.get(error.code(), "Internal")
        return table.from_wire(WireError("", category, error.details() or ""))


def _trailer(metadata: Iterable[tuple[str, str | bytes]] | None) -> bytes | None:
    for key, value in metadata or ():
        if key == TRAILER and isinstance(value, bytes):
            return value
    return None
