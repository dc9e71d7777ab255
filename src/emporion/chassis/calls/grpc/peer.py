"""The way to one instance: a channel, and a stream for each caller of this process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2

from emporion.chassis.calls.grpc.schema import service_name
from emporion.chassis.calls.grpc.serving import MESSAGE_BYTES_MAX, METADATA_BYTES_MAX
from emporion.chassis.calls.grpc.stream import Caller, CallStream, Exchangeless, Forms, Sent
from emporion.chassis.calls.grpc.tls import TlsFiles
from emporion.chassis.discovery.resolver import Endpoint
from emporion.contracts.contract import Service
from emporion.kernel.clock import Clock

PROBE_S_MAX: Final = 1.0
CLOSE_S_MAX: Final = 30.0
"""How long calls under way may take when an instance is left."""
PING_MS: Final = 10_000
PING_TIMEOUT_MS: Final = 3_000
"""So long an instance that was cut off is taken for a slow one."""
_NO_HEALTH: Final = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND)
HEALTH_PATH: Final = "/grpc.health.v1.Health/Check"


@dataclass(frozen=True, slots=True)
class Links:
    """What the peers of one process share.

    Args:
        clock: for deadlines.
        forms: the messages of an exchange.
        tls: the files of mutual TLS; None: no TLS.
        is_coalescing: whether calls travel together; otherwise each is a plain gRPC call.
    """

    clock: Clock
    forms: Forms
    tls: TlsFiles | None = None
    is_coalescing: bool = True


class Peer:
    """One instance of one service."""

    def __init__(self, endpoint: Endpoint, contract: type[Service], links: Links) -> None:
        self._service = service_name(contract)
        self._links = links
        self._streams: dict[Caller, CallStream] = {}
        self._leaving: set[CallStream] = set()
        self._is_plain = not links.is_coalescing
        self._singles: dict[str, Any] = {}
        self._channel = _channel(endpoint.address, contract.NAME, links.tls)
        self.on_drain: Callable[[], None] = _nothing

    async def ask(self, caller: Caller, sent: Sent) -> Any:
        """The outcome: a form with `reply`, and `error` when it has one.

        Raises NotBegun, Unavailable or ResourceExhausted; AioRpcError from a callee that takes
        single calls only.
        """
        if self._is_plain:
            return await self._single(caller, sent)
        stream = self._streams.get(caller)
        if stream is None or stream.is_closing:
            stream = self._open(caller)
        stream.send(sent)
        try:
            return await sent.outcome
        except asyncio.CancelledError:
            stream.give_up(sent)
            raise
        except Exchangeless:
            self._is_plain = True
        return await self._single(caller, sent)

    async def probe(self) -> bool:
        """Whether the instance says that the service is well; a stranger without health is."""
        channel: Any = self._channel
        check = channel.unary_unary(HEALTH_PATH)
        asked = health_pb2.HealthCheckRequest(service=self._service).SerializeToString()
        try:
            data = await check(asked, timeout=PROBE_S_MAX)
        except grpc.aio.AioRpcError as error:
            return error.code() in _NO_HEALTH
        found = health_pb2.HealthCheckResponse.FromString(data)
        return bool(found.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Let calls under way finish, at most CLOSE_S_MAX; then end the connection."""
        streams = [*self._streams.values(), *self._leaving]
        self._streams.clear()
        for stream in streams:
            stream.close()
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await asyncio.gather(*(stream.ended() for stream in streams))
        except TimeoutError:
            for stream in streams:
                stream.abort()
        await self._channel.close()

    def _open(self, caller: Caller) -> CallStream:
        before = self._streams.get(caller)
        if before is not None:
            # It still waits for outcomes; it ends by itself.
            self._leaving = {one for one in self._leaving if not one.is_ended}
            self._leaving.add(before)
        stream = CallStream(
            self._channel,
            self._links.forms,
            clock=self._links.clock,
            caller=caller,
            on_drain=self._drain,
        )
        self._streams[caller] = stream
        return stream

    def _drain(self) -> None:
        self.on_drain()

    async def _single(self, caller: Caller, sent: Sent) -> Any:
        ask = self._singles.get(sent.method)
        if ask is None:
            ask = self._singles[sent.method] = self._channel.unary_unary(f"/{sent.method}")
        metadata = [("traceparent", sent.traceparent)]
        authorization = caller.authorization()
        if authorization:
            metadata.append(("authorization", authorization))
        left_s = max(sent.deadline_s - self._links.clock.monotonic_s(), 0.001)
        return Answered(await ask(sent.request, metadata=metadata, timeout=left_s))


class Answered:
    """The reply of a single call, in the form of an outcome."""

    __slots__ = ("reply",)

    def __init__(self, reply: bytes) -> None:
        self.reply = reply

    def HasField(self, _: str) -> bool:  # noqa: N802 - protobuf's name
        """There is no error: that would have been raised."""
        return False


def _nothing() -> None:
    """Nobody wants to know."""


def _channel(address: str, service: str, tls: TlsFiles | None) -> grpc.aio.Channel:
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.keepalive_time_ms", PING_MS),
        ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MS),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.service_config_disable_resolution", 1),  # a name's TXT records are none of ours
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    options.append(("grpc.ssl_target_name_override", service))
    return grpc.aio.secure_channel(address, tls.client(), options=options)
