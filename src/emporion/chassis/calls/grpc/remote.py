"""Services in other processes over gRPC: found, balanced, asked, and their errors ours again."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import grpc
import msgspec
from google.protobuf.message import DecodeError

from emporion.chassis.auth.identity import Identity
from emporion.chassis.calls.balancer import Balancer, EjectionLimits, Instance
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call
from emporion.chassis.calls.grpc.errors import ErrorForm, NotBegun
from emporion.chassis.calls.grpc.peer import Links, Peer
from emporion.chassis.calls.grpc.schema import Schema, method_name
from emporion.chassis.calls.grpc.serving import MESSAGE_BYTES_MAX
from emporion.chassis.calls.grpc.stream import Caller, Forms, Sent
from emporion.chassis.calls.grpc.tls import TlsFiles
from emporion.chassis.calls.outbound import Attempt
from emporion.chassis.calls.wire import ErrorTable, invalid
from emporion.chassis.discovery.resolver import Endpoint, Resolver
from emporion.chassis.telemetry.sampling import SLOW_S
from emporion.chassis.telemetry.spans import OK, Kind, Span
from emporion.chassis.telemetry.telemetry import outcome_of
from emporion.contracts.contract import Message, Request, Rpc, Service
from emporion.kernel.errors import (
    DeadlineExceeded,
    EmporionError,
    Internal,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)

MOVES_MAX: Final = 3
"""To so many instances a call goes that the ones before have not begun."""
REQUEST_BYTES_MAX: Final = MESSAGE_BYTES_MAX - 16 * 1024
_INVALID: Final = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What the encoder raises about a request that is not what its type says."""
_UNREADABLE: Final = (DecodeError, msgspec.MsgspecError, ValueError, OverflowError)
_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """How other processes are called.

    Args:
        authorization: the `authorization` of a caller right now; empty for none.
        tls: the files of mutual TLS; None: no TLS.
        is_coalescing: whether concurrent calls travel together.
        ejection: when an instance is left out.
    """

    authorization: Callable[[Identity], str]
    tls: TlsFiles | None = None
    is_coalescing: bool = True
    ejection: EjectionLimits = EjectionLimits()  # noqa: RUF009 - frozen


class GrpcRemotes:
    """The services that this process calls elsewhere; one for the process, closed at its end."""

    def __init__(
        self, chain: Chain, schema: Schema, resolver: Resolver, *, settings: RemoteSettings
    ) -> None:
        self.chain = chain
        self.schema = schema
        self.errors = ErrorForm(schema)
        self.settings = settings
        self._resolver = resolver
        self._links = Links(
            clock=chain.runtime.clock,
            forms=Forms(schema),
            tls=settings.tls,
            is_coalescing=settings.is_coalescing,
        )
        self._remotes: dict[type[Service], GrpcRemote] = {}
        self._callers: dict[Identity, Caller] = {}

    def remote(self, contract: type[Service]) -> "GrpcRemote":
        """The way to a service, for `Directory.add_remote`; the same object each time."""
        if contract not in self._remotes:
            self._remotes[contract] = GrpcRemote(
                contract, self, resolver=self._resolver, links=self._links
            )
        return self._remotes[contract]

    def caller(self, identity: Identity) -> Caller:
        """The one object for that identity."""
        if identity not in self._callers:
            self._callers[identity] = Caller(identity, self.settings.authorization)
        return self._callers[identity]

    async def close(self) -> None:
        """Let calls under way finish, and end all connections."""
        await asyncio.gather(*(remote.close() for remote in self._remotes.values()))


class GrpcRemote:
    """One service elsewhere: its instances, and the methods that are called."""

    def __init__(
        self, contract: type[Service], parts: GrpcRemotes, *, resolver: Resolver, links: Links
    ) -> None:
        self.contract = contract
        self.parts = parts
        self._resolver = resolver
        self._links = links
        self.balancer: Balancer[Peer] = Balancer(
            contract.NAME, parts.chain.runtime, self._connect, limits=parts.settings.ejection
        )
        self.is_resolved = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        gauge = parts.chain.telemetry.metrics.gauge
        balancer, name = self.balancer, contract.NAME
        gauge("remote_instances", "Instances known.", lambda: len(balancer.instances), service=name)
        gauge(
            "remote_ejections", "Instances left out so far.", lambda: balancer.ejections,
            service=name,
        )  # fmt: skip

    def attempt(self, rpc: Rpc, identity: Identity) -> Attempt:
        """See `calls.remote.Remote`."""
        return RemoteMethod(self, rpc, self.parts.caller(identity)).attempt

    def follow(self) -> None:
        """Keep up with discovery from now on."""
        if self._following is None:
            name = f"instances of {self.contract.NAME}"
            self._following = self.parts.chain.runtime.tasks.spawn(name, self._follow())

    async def close(self) -> None:
        """Stop following, and leave every instance."""
        for task in (self._following, self._looking):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        await self.balancer.close()

    async def look_again(self) -> None:
        """Ask discovery now, once for all who want it: no instance that is known takes calls."""
        if self._looking is None or self._looking.done():
            name = f"instances of {self.contract.NAME}, again"
            self._looking = self.parts.chain.runtime.tasks.spawn(name, self._look())
        await asyncio.wait([self._looking])

    async def _look(self) -> None:
        try:
            endpoints = await self._resolver.endpoints(self.contract.NAME)
        except EmporionError as error:
            _log.info("discovery does not answer for %s: %s", self.contract.NAME, error.detail)
            return
        self.balancer.update(endpoints)

    async def _follow(self) -> None:
        async for endpoints in self._resolver.changes(self.contract.NAME):
            self.balancer.update(endpoints)
            self.is_resolved.set()

    def _connect(self, endpoint: Endpoint) -> Peer:
        peer = Peer(endpoint, self.contract, self._links)
        peer.on_drain = lambda: self._drained(endpoint)
        return peer

    def _drained(self, endpoint: Endpoint) -> None:
        for instance in self.balancer.instances:
            if instance.endpoint == endpoint:
                self.balancer.leave_out(instance, "it is about to stop")
                return


class RemoteMethod:
    """One method of a service elsewhere, for one caller; everything is resolved beforehand."""

    def __init__(self, remote: GrpcRemote, rpc: Rpc, caller: Caller) -> None:
        parts = remote.parts
        self._caller = caller
        self._remote = remote
        self._rpc = rpc
        self._service = remote.contract.NAME
        self._name = method_name(remote.contract, rpc)
        self._balancer = remote.balancer
        self._wheel = parts.chain.wheel
        self._monotonic_s = parts.chain.runtime.clock.monotonic_s
        self._encode = parts.schema.codec(rpc.request).encode
        self._decode = parts.schema.codec(rpc.reply).decode
        self._errors = ErrorTable(rpc.raises)
        self._form = parts.errors
        self._validate = msgspec.msgpack.Decoder(rpc.request).decode
        self._spans = parts.chain.telemetry.spans
        self._speaker = caller.identity.subject
        metrics, asked = parts.chain.telemetry.metrics, "Calls to other processes that ended."
        labels = {"service": self._service, "method": rpc.name, "caller": self._speaker}
        self._durations = metrics.durations("remote_call_seconds", asked, **labels)
        self._count = partial(
            metrics.count, "remote_call_failures", "Those of them that failed.", **labels
        )

    async def attempt(self, request: Request, call: Call, parent_id: str) -> Message:
        """Carry one call over once; see `calls.remote.Remote`."""
        data = self._encoded(request)
        started_s = self._monotonic_s()
        flight = self._wheel.enter(call.deadline_s)
        try:
            outcome = await self._carry(data, call, call.trace.header())
        except asyncio.CancelledError as error:
            is_late = self._wheel.has_expired(flight)
            late = DeadlineExceeded(f"{self._service} did not answer in time")
            self._record(call, parent_id, started_s, outcome=outcome_of(late if is_late else error))
            if is_late:
                raise late from None
            raise
        except EmporionError as error:
            self._record(call, parent_id, started_s, outcome=error.category)
            raise
        finally:
            self._wheel.leave(flight)
        self._record(call, parent_id, started_s, outcome=OK)
        try:
            reply: Message = self._decode(outcome.reply)
        except _UNREADABLE as error:
            _log.exception("the reply of %s cannot be read", self._name)
            raise Internal(trace_id=call.trace.trace_id) from error
        return reply

    def _record(self, call: Call, parent_id: str, started_s: float, *, outcome: str) -> None:
        """The call as its caller saw it: with the way there and back, and what never arrived."""
        trace, duration_s = call.trace, self._monotonic_s() - started_s
        self._durations.observe(duration_s)
        if outcome is not OK:
            self._count(outcome=outcome).add()
        elif not trace.is_sampled and duration_s < SLOW_S:
            return
        span = Span(
            trace.trace_id, trace.span_id, parent_id, self._speaker, call.command, self._service,
            started_s, duration_s, outcome, None, Kind.ASKED,
        )  # fmt: skip
        self._spans.record(span)

    def _encoded(self, request: Request) -> bytes:
        if type(request) is not self._rpc.request:
            raise self._refused(request, TypeError(f"not a {self._rpc.request.__name__}"))
        try:
            data = self._encode(request)
        except _INVALID as error:
            raise self._refused(request, error) from error
        if len(data) > REQUEST_BYTES_MAX:
            raise ResourceExhausted(f"the request is longer than {REQUEST_BYTES_MAX} bytes")
        return data

    def _refused(self, request: Request, error: Exception) -> InvalidArgument:
        """What the callee would say, with the path to the mistake."""
        try:
            self._validate(_encode(request))
        except (*_INVALID, msgspec.MsgspecError) as found:
            return invalid(found)
        return invalid(error)

    async def _carry(self, data: bytes, call: Call, traceparent: str) -> Any:
        """Ask one instance after the other until one has begun the call."""
        remote, balancer = self._remote, self._balancer
        if not remote.is_resolved.is_set():
            remote.follow()
            await remote.is_resolved.wait()
        avoid: list[Instance[Peer]] = []
        loop = asyncio.get_running_loop()
        while True:
            instance = balancer.pick(avoid)
            sent = Sent(self._name, data, call.deadline_s, traceparent, loop.create_future())
            outcome, error = await self._ask(instance, sent)
            if error is None:
                balancer.succeeded(instance)
                return outcome
            if not isinstance(error, NotBegun):
                self._tell(instance, error)
                raise error
            balancer.leave_out(instance, error.detail)
            avoid.append(instance)
            if len(avoid) >= MOVES_MAX:
                raise Unavailable(f"{self._service} cannot be reached: {error.detail}") from error
            if all(one in avoid for one in balancer.instances):
                await remote.look_again()

    async def _ask(self, instance: Instance[Peer], sent: Sent) -> tuple[Any, EmporionError | None]:
        """The outcome, or the error; raises Unavailable when the connection broke meanwhile."""
        instance.in_flight += 1
        try:
            outcome = await instance.peer.ask(self._caller, sent)
        except grpc.aio.AioRpcError as error:
            return None, self._form.from_rpc(error, self._errors)
        except NotBegun as error:
            return None, error
        except Unavailable as error:
            self._balancer.leave_out(instance, error.detail)
            raise
        except asyncio.CancelledError:
            if self._monotonic_s() >= sent.deadline_s:
                self._balancer.failed(instance)
            raise
        finally:
            instance.in_flight -= 1
        if not outcome.HasField("error"):
            return outcome, None
        if outcome.error.is_not_begun:
            return None, NotBegun(outcome.error.detail)
        return None, self._errors.from_wire(self._form.read(outcome.error))

    def _tell(self, instance: Instance[Peer], error: EmporionError) -> None:
        if isinstance(error, Unavailable | DeadlineExceeded):
            self._balancer.failed(instance)
        else:
            self._balancer.succeeded(instance)
