"""How a method's request is spread over path, query, header and body: derived once.

The binding reads requests by it and the OpenAPI description is drawn from it, so that they
cannot disagree.
"""

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from emporion.contracts.contract import (
    Empty,
    Reply,
    Rest,
    Retry,
    Rpc,
    Service,
    path_parameters,
    rpcs,
)

BODY_VERBS = frozenset({"POST", "PUT", "PATCH"})
KEY_HEADER = "Idempotency-Key"
Field = msgspec.structs.FieldInfo


@dataclass(frozen=True, slots=True)
class RestShape:
    """The REST form of one method.

    Args:
        rpc, rest: the method, and its `rest`, which it must have.
        path, query, header, body: the request's fields by where they travel.
        named: the fields that travel in headers of their own, with the names of these.
        raw: the field that takes the body as it was sent, if one does; then `body` is empty.
        body_type: what the body decodes to: the request itself when all fields travel there;
            None on GET and DELETE.
        status: of a success.
        location: the path template of the GET route that shows what was made, if any.
    """

    rpc: Rpc
    rest: Rest
    path: tuple[Field, ...]
    query: tuple[Field, ...]
    header: Field | None
    named: tuple[tuple[Field, str], ...]
    raw: Field | None
    body: tuple[Field, ...]
    body_type: type[msgspec.Struct] | None
    status: int
    location: str | None

    @property
    def has_body(self) -> bool:
        """Whether there is a body to be read."""
        return self.body_type is not None or self.raw is not None

    @property
    def is_body_optional(self) -> bool:
        """Whether an absent body means `{}`."""
        return not any(field.required for field in self.body)

    @property
    def may_be_pending(self) -> bool:
        """Whether it may answer 202: a command whose reply can say that it is not decided yet."""
        declared = getattr(self.rpc.reply, "is_pending", Reply.is_pending)
        return is_changing(self.rpc) and declared is not Reply.is_pending


def is_changing(rpc: Rpc) -> bool:
    """Whether the method is a command."""
    return rpc.retry is not Retry.SAFE


@cache
def rest_shapes(contract: type[Service]) -> tuple[RestShape, ...]:
    """The REST routes of a contract, in the order of declaration."""
    return tuple(
        _shape(contract, rpc, rpc.rest) for rpc in rpcs(contract).values() if rpc.rest is not None
    )


def _shape(contract: type[Service], rpc: Rpc, rest: Rest) -> RestShape:
    fields = {field.name: field for field in msgspec.structs.fields(rpc.request)}
    path = tuple(fields.pop(name) for name in path_parameters(rest.path))
    header = fields.pop(rpc.key) if rpc.key_in_header and rpc.key else None
    named = tuple((fields.pop(name), title) for name, title in rest.headers)
    raw = fields.pop(rest.raw) if rest.raw else None
    left = tuple(fields.values())
    has_body = rest.verb in BODY_VERBS and raw is None
    return RestShape(
        rpc=rpc,
        rest=rest,
        path=path,
        query=() if has_body else left,
        header=header,
        named=named,
        raw=raw,
        body=left if has_body else (),
        body_type=_body_type(contract, rpc, left) if has_body else None,
        status=204 if issubclass(rpc.reply, Empty) else rest.status,
        location=_location(contract, rpc) if is_changing(rpc) else None,
    )


def _body_type(contract: type[Service], rpc: Rpc, fields: tuple[Field, ...]) -> Any:
    if len(fields) == len(rpc.request.__struct_fields__):
        return rpc.request
    return msgspec.defstruct(
        f"{rpc.grpc_name}Body",
        [definition(field) for field in fields],
        module=contract.__module__,
        namespace={"__doc__": inspect.getdoc(rpc.request)},
        frozen=True,
        kw_only=True,
        gc=False,
        forbid_unknown_fields=True,
    )


def definition(field: Field) -> Any:
    """The field as `msgspec.defstruct` takes it."""
    if field.default is not msgspec.NODEFAULT:
        return field.name, field.type, field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, field.type, msgspec.field(default_factory=field.default_factory)
    return field.name, field.type


def _location(contract: type[Service], rpc: Rpc) -> str | None:
    """The first GET route with the same reply whose parameters the reply can fill."""
    for other in rpcs(contract).values():
        if other.reply is not rpc.reply or other.rest is None or other.rest.verb != "GET":
            continue
        if set(path_parameters(other.rest.path)) <= set(rpc.reply.__struct_fields__):
            return other.rest.path
    return None
