"""The gRPC server of a process: its services, the standard health and reflection services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from emporion.chassis.calls.context import NEVER_S, Call
from emporion.chassis.calls.grpc.errors import CODES, TRAILER, ErrorForm
from emporion.chassis.calls.grpc.exchange import Exchanges
from emporion.chassis.calls.grpc.health import SERVICE as HEALTH
from emporion.chassis.calls.grpc.health import WATCH_S, ProbedHealth
from emporion.chassis.calls.grpc.schema import Schema, service_name
from emporion.chassis.calls.grpc.serving import (
    EXCHANGE_PATH,
    MESSAGE_BYTES_MAX,
    METADATA_BYTES_MAX,
    GrpcEdge,
    WireMethod,
    as_error,
    wire_methods,
)
from emporion.chassis.calls.grpc.tls import TlsFiles
from emporion.chassis.calls.inbound import Inbound
from emporion.chassis.calls.wire import to_wire
from emporion.chassis.http.health import Health
from emporion.chassis.http.listener import AddressInUse
from emporion.chassis.surfaces.proto_calls import PACKAGE
from emporion.chassis.surfaces.proto_calls import SERVICE as CALLS_SERVICE
from emporion.kernel.errors import EmporionError, Unavailable

STREAMS_MAX: Final = 4_096
PING_MIN_MS: Final = 5_000
"""Clients may ask so often whether the connection is alive."""
STOP_S: Final = WATCH_S + 0.5
"""The library may take so long to send the last answers, those to watchers of health included."""


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """How to listen and how long to wait.

    Args:
        host, port: where; port 0 takes a free one.
        tls: the files of mutual TLS; None: no TLS, for one machine or a network that encrypts.
        drain_grace_s: after `drain` begins, how long calls are still taken while callers are told
            to go elsewhere.
        drain_timeout_s: how long calls under way may then still take.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: TlsFiles | None = None
    drain_grace_s: float = 0.2
    drain_timeout_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What is served.

    Args:
        doors: the services, as `Directory.inbounds` has them.
        schema: knows at least their contracts.
        health: the probes of readiness by service, and whether the process is closed.
    """

    doors: Sequence[Inbound]
    schema: Schema
    health: Health = field(default_factory=lambda: Health({}))


class GrpcServer:
    """Serves until it is drained. Start it once, drain it once."""

    def __init__(self, offer: Offer, edge: GrpcEdge, settings: GrpcSettings) -> None:
        self._edge = edge
        self._settings = settings
        self._port = settings.port
        self._offer = offer
        self._names = {service_name(door.contract): door.service for door in offer.doors}
        self._health = ProbedHealth(offer.health, self._names, edge.runtime)
        methods = wire_methods(offer.doors, offer.schema)
        self._exchanges = Exchanges(methods, edge, offer.schema)
        self._router = _Router(methods, self._exchanges, ErrorForm(offer.schema))
        self._server: grpc.aio.Server | None = None

    @property
    def port(self) -> int:
        """The port listened on, once it has started; before, the one asked for."""
        return self._port

    async def start(self) -> None:
        """Listen. Raises AddressInUse, or TlsFileUnreadable."""
        settings = self._settings
        server = grpc.aio.server(
            handlers=[self._router],
            maximum_concurrent_rpcs=STREAMS_MAX,
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_metadata_size", METADATA_BYTES_MAX),
                ("grpc.http2.min_ping_interval_without_data_ms", PING_MIN_MS),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        add_HealthServicer_to_server(self._health, server)
        names = [*self._names, HEALTH, f"{PACKAGE}.{CALLS_SERVICE}", reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, server, pool=self._offer.schema.pool)
        self._port = _listen(server, settings)
        await server.start()
        self._server = server

    async def drain(self) -> None:
        """Stop without failing a call that was begun.

        Health turns NOT_SERVING and callers are told to go elsewhere; for `drain_grace_s` their
        calls are still taken. Then further ones are refused as not begun, so that a caller may
        safely make them elsewhere, and those under way are finished, or cancelled after
        `drain_timeout_s`. The library stops last: a call that it has accepted in the
        instant it is told to is never handed to us, and hangs until it is cancelled by STOP_S.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        self._health.is_draining = True
        self._exchanges.begin_drain()
        await self._edge.runtime.tasks.sleep(self._settings.drain_grace_s)
        self._exchanges.refuse()
        is_at_rest = await self._exchanges.at_rest(self._settings.drain_timeout_s)
        await server.stop(STOP_S if is_at_rest else None)


def _listen(server: grpc.aio.Server, settings: GrpcSettings) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.port}"
    try:
        if settings.tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, settings.tls.server())
    except RuntimeError as error:
        raise AddressInUse(f"cannot listen on {address}") from error


class _Router(grpc.GenericRpcHandler):
    """Finds what answers a path; an unknown one is UNIMPLEMENTED."""

    def __init__(
        self, methods: Mapping[str, WireMethod], exchanges: Exchanges, errors: ErrorForm
    ) -> None:
        self._methods: dict[str, Any] = {
            f"/{name}": grpc.unary_unary_rpc_method_handler(
                _Single(method, exchanges, errors).answer
            )
            for name, method in methods.items()
        }

        async def exchange(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            await exchanges.serve(context)

        self._methods[EXCHANGE_PATH] = grpc.stream_stream_rpc_method_handler(exchange)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """See grpc.GenericRpcHandler."""
        return self._methods.get(handler_call_details.method)


class _Single:
    """One method as a plain gRPC call, the way any client of the published .proto makes it."""

    def __init__(self, method: WireMethod, exchanges: Exchanges, errors: ErrorForm) -> None:
        self._method = method
        self._exchanges = exchanges
        self._errors = errors

    async def answer(self, data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        """The encoded reply; aborts with the error's code and trailer."""
        is_not_begun = self._exchanges.is_refusing
        try:
            if is_not_begun:
                raise Unavailable("the server stops")
            with self._exchanges.under_way():
                return await self._method.answer(data, self._call(context))
        except Exception as error:  # noqa: BLE001 - told to the caller; logged when unexpected
            told = as_error(error, self._method.name)
        await self._abort(context, told, is_not_begun=is_not_begun)
        raise AssertionError  # `abort` has raised

    def _call(self, context: Any) -> Call:
        edge = self._exchanges.edge
        sent: dict[str, Any] = dict(context.invocation_metadata() or ())
        header, trace = sent.get("authorization"), sent.get("traceparent")
        identity = edge.authenticate(_as_bytes(header) if header else None)
        left_s: float | None = context.time_remaining()  # None without a deadline
        return edge.call(identity, trace, NEVER_S if left_s is None else left_s)

    async def _abort(
        self,
        context: grpc.aio.ServicerContext[Any, Any],
        error: EmporionError,
        *,
        is_not_begun: bool,
    ) -> None:
        trailer = self._errors.trailer(to_wire(error), is_not_begun=is_not_begun)
        await context.abort(CODES[error.category], error.detail, ((TRAILER, trailer),))


def _as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")
