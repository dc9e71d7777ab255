"""What a contract is made of: messages, events, and services whose methods carry their rules.

A contract is declared once, in Python, and gives every surface: the local call, gRPC, REST with
OpenAPI, the .proto and AsyncAPI descriptions. Nothing here runs a call; `chassis.calls` does.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

import msgspec

from emporion.kernel.errors import EmporionError


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A value on the wire: immutable, validated when decoded, unknown fields ignored."""


class Request(Message, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What a caller sends. Unknown fields are refused, so that a misspelt one is noticed."""


class Part(Message, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A value inside a request. Unknown fields are refused there too: a price is no line's."""


class Reply(Message, frozen=True, kw_only=True, gc=False):
    """What a service answers. Unknown fields are ignored, so that services can evolve."""

    @property
    def is_pending(self) -> bool:
        """Whether the outcome of the command is still open: it then answers HTTP 202."""
        return False


class Empty(Reply, frozen=True, kw_only=True, gc=False):
    """Nothing to say beyond "done" (HTTP 204)."""


class Event(Message, frozen=True, kw_only=True, gc=False):
    """An integration event: something that happened, published for whoever subscribes."""

    SPEC: ClassVar["EventSpec"]


@dataclass(frozen=True, slots=True)
class EventSpec:
    """How an event travels.

    Args:
        name: `<topic>.<past participle>`, e.g. `orders.created`; the CloudEvents type.
        key: the field whose value orders deliveries: events of one key arrive in order.
        version: raised when a change would break a subscriber that knows the version before.
    """

    name: str
    key: str
    version: int = 1

    @property
    def topic(self) -> str:
        """The stream it is published on: the part before the first dot."""
        return self.name.partition(".")[0]


class Retry(StrEnum):
    """What a caller's chain may do when the outcome of a call is unknown."""

    SAFE = "safe"
    """A query: changes nothing, may be repeated."""
    KEYED = "keyed"
    """A command that names its idempotency key: may be repeated with the same key."""
    NEVER = "never"
    """A command without a key: never repeated automatically."""


class Audience(StrEnum):
    """Who may call a method."""

    PUBLIC = "public"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call, and whose things they may touch.

    Args:
        audience: from outside (REST and gRPC) or only from another service.
        scope: what the caller's token must carry; None: no token is needed.
        is_owner_checked: whether the implementation answers only for the caller's own things.
        reason: why there is no scope or no ownership check.
        is_signed: whether what is sent proves by itself who sent it, so that no limit on how often
            an address may ask stands before it.
    """

    audience: Audience
    scope: str | None
    is_owner_checked: bool
    reason: str
    is_signed: bool = False


def owner(scope: str) -> Access:
    """Signed-in callers with `scope`, each for their own things only."""
    return Access(Audience.PUBLIC, scope, is_owner_checked=True, reason="")


def staff(scope: str) -> Access:
    """Operators with `scope`; the things belong to the shop."""
    return Access(Audience.PUBLIC, scope, is_owner_checked=False, reason="belongs to the shop")


def anyone(reason: str) -> Access:
    """No token is needed, and `reason` says why."""
    return Access(Audience.PUBLIC, None, is_owner_checked=False, reason=reason)


def signed(reason: str) -> Access:
    """No token is needed: the implementation checks a signature, and `reason` says whose."""
    return Access(Audience.PUBLIC, None, is_owner_checked=False, reason=reason, is_signed=True)


def internal() -> Access:
    """Only other services, with a service identity; never routed from outside."""
    return Access(
        Audience.INTERNAL, "internal", is_owner_checked=False, reason="service to service"
    )


BODY_BYTES_MAX = 256 * 1024
BULK_BYTES_MAX = 2 * 1024 * 1024
"""For methods that take many things at once."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The REST surface of a method.

    Path parameters in braces name fields of the request. On GET and DELETE the other fields are
    query parameters; otherwise they form the JSON body. The idempotency key of a keyed command
    that has no place in the path travels in the `Idempotency-Key` header. A longer body than
    `body_bytes_max` is refused.

    Args:
        raw: the field, of bytes, that takes the body as it was sent, whatever its form: for what
            was signed as bytes. Then no other field travels in the body.
        headers: fields that travel in headers, each with the header's name.
    """

    verb: str
    path: str
    status: int = 200
    body_bytes_max: int = BODY_BYTES_MAX
    raw: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def get(path: str) -> Rest:
    """GET."""
    return Rest("GET", path)


def post(path: str, *, status: int = 200, body_bytes_max: int = BODY_BYTES_MAX) -> Rest:
    """POST, answering `status` (201 when it creates)."""
    return Rest("POST", path, status, body_bytes_max)


def post_raw(path: str, *, raw: str, headers: tuple[tuple[str, str], ...] = ()) -> Rest:
    """POST of a body that is not read here."""
    return Rest("POST", path, raw=raw, headers=headers)


def put(path: str) -> Rest:
    """PUT."""
    return Rest("PUT", path)


def patch(path: str) -> Rest:
    """PATCH: fields left out stay as they are."""
    return Rest("PATCH", path)


def delete(path: str) -> Rest:
    """DELETE."""
    return Rest("DELETE", path)


@dataclass(frozen=True, slots=True)
class Rpc:
    """One method of a contract, as declared.

    Args:
        name: the Python name; CamelCase of it is the gRPC name.
        request, reply: message classes.
        retry: see Retry.
        key: the request's field that is its idempotency key; None unless `retry` is KEYED.
        key_in_header: the REST surface takes the key from `Idempotency-Key`.
        is_key_required: REST refuses the call (400) when that header is missing.
        access: who may call.
        rest: the REST surface; None: none.
        timeout_s: how long a caller waits when it has no deadline of its own.
        raises: the named refusals a caller can expect, beside those of the chain.
        summary: the docstring.
    """

    name: str
    request: type[Request]
    reply: type[Message]
    retry: Retry
    key: str | None
    key_in_header: bool
    is_key_required: bool
    access: Access
    rest: Rest | None
    timeout_s: float
    raises: tuple[type[EmporionError], ...]
    summary: str

    @property
    def grpc_name(self) -> str:
        """The method's name on the wire: `PlaceOrder`."""
        return "".join(part.capitalize() for part in self.name.split("_"))


class Service(Protocol):
    """Base of service interfaces: their methods carry `@query` or `@command` and no body.

    An implementation subclasses the interface and defines every method. `NAME` is the service's
    one-word name everywhere: folder, database, metrics, gRPC package. Its messages stand in its
    own module, and in those named in `MODULES` when that one would grow too long.
    """

    NAME: ClassVar[str]
    VERSION: ClassVar[int] = 1
    SUMMARY: ClassVar[str] = ""
    MODULES: ClassVar[tuple[str, ...]] = ()


S = TypeVar("S", bound=Callable[..., Awaitable[Message]])
_MARK = "__rpc_declaration__"


@dataclass(frozen=True, slots=True)
class _Declaration:
    retry: Retry
    key: str | None
    key_in_header: bool
    is_key_required: bool
    access: Access
    rest: Rest | None
    timeout_s: float
    raises: tuple[type[EmporionError], ...]


def query(
    *,
    access: Access,
    rest: Rest | None = None,
    timeout_s: float = 2.0,
    raises: tuple[type[EmporionError], ...] = (),
) -> Callable[[S], S]:
    """Declare a method that reads and changes nothing: safe to repeat."""
    return _declare(
        _Declaration(
            Retry.SAFE,
            None,
            key_in_header=False,
            is_key_required=False,
            access=access,
            rest=rest,
            timeout_s=timeout_s,
            raises=raises,
        )
    )


def command(  # noqa: PLR0913 - the rules of a method are said in one place, by keyword
    *,
    access: Access,
    key: str | None = None,
    is_key_required: bool = True,
    rest: Rest | None = None,
    timeout_s: float = 5.0,
    raises: tuple[type[EmporionError], ...] = (),
) -> Callable[[S], S]:
    """Declare a method that changes something.

    With `key`, a field of the request, it may be repeated: the same key gives the same outcome
    and the effect happens once. Without it, it is never repeated automatically.
    """
    in_path = rest is not None and key is not None and f"{{{key}}}" in rest.path
    return _declare(
        _Declaration(
            Retry.KEYED if key else Retry.NEVER,
            key,
            key_in_header=rest is not None and key is not None and not in_path,
            is_key_required=is_key_required,
            access=access,
            rest=rest,
            timeout_s=timeout_s,
            raises=raises,
        )
    )


def _declare(declaration: _Declaration) -> Callable[[S], S]:
    def mark(method: S) -> S:
        setattr(method, _MARK, declaration)
        return method

    return mark


_rpcs: dict[type[Service], dict[str, Rpc]] = {}


def rpcs(contract: type[Service]) -> dict[str, Rpc]:
    """The methods of a contract by name, in the order of declaration; those of its parts last.

    Raises TypeError when a method is not `async def (self, request: Request) -> Message`, names a
    key or path parameter that is no field of its request, or has no docstring.
    """
    if contract not in _rpcs:
        _rpcs[contract] = {
            name: _rpc(contract, name, method)
            for part in contract.__mro__
            for name, method in vars(part).items()
            if hasattr(method, _MARK)
        }
    return _rpcs[contract]


def _rpc(contract: type[Service], name: str, method: Callable[..., Any]) -> Rpc:
    declared: _Declaration = getattr(method, _MARK)
    where = f"{contract.__name__}.{name}"
    hints = get_type_hints(method)
    request, reply = hints.get("request"), hints.get("return")
    if not (isinstance(request, type) and issubclass(request, Request)):
        raise TypeError(f"{where}: the parameter `request` must be a Request")
    if not (isinstance(reply, type) and issubclass(reply, Message)):
        raise TypeError(f"{where}: the return type must be a Message")
    if not inspect.iscoroutinefunction(method) or not method.__doc__:
        raise TypeError(f"{where}: must be `async def` and have a docstring")
    fields = request.__struct_fields__
    named = [declared.key] if declared.key else []
    if declared.rest:
        named += path_parameters(declared.rest.path)
        named += [declared.rest.raw] if declared.rest.raw else []
        named += [field for field, _ in declared.rest.headers]
    for field in named:
        if field not in fields:
            raise TypeError(f"{where}: {request.__name__} has no field {field!r}")
    return Rpc(
        name=name,
        request=request,
        reply=reply,
        retry=declared.retry,
        key=declared.key,
        key_in_header=declared.key_in_header,
        is_key_required=declared.is_key_required,
        access=declared.access,
        rest=declared.rest,
        timeout_s=declared.timeout_s,
        raises=declared.raises,
        summary=inspect.cleandoc(method.__doc__),
    )


def path_parameters(path: str) -> list[str]:
    """The names in braces: `/api/orders/{order_id}` -> ["order_id"]."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{") and part.endswith("}")]
