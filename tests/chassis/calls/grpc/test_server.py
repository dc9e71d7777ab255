"""The server as any gRPC client sees it: plain calls, health, reflection, limits, drain."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.calls.grpc.server import GrpcServer, GrpcSettings
from emporion.chassis.calls.grpc.serving import MESSAGE_BYTES_MAX
from emporion.chassis.http.health import Health
from emporion.chassis.http.listener import AddressInUse
from emporion.chassis.testing.sample_service import Echo, SampleShop
from emporion.kernel.errors import Unavailable
from tests.chassis.calls.grpc.wired import Wired, wired

SAMPLE = "emporion.sample.v1.SampleService"
TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"
health_forms: Any = health_pb2
SERVING = health_forms.HealthCheckResponse.SERVING
NOT_SERVING = health_forms.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def ends(tmp_path) -> AsyncIterator[Wired]:
    async with wired(tmp_path) as made:
        yield made


class Stranger:
    """A client that knows the published messages and nothing of ours."""

    def __init__(self, ends: Wired, server: GrpcServer) -> None:
        self.channel: Any = grpc.aio.insecure_channel(
            f"127.0.0.1:{server.port}",
            options=[("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)],
        )
        self._schema = ends.schema
        token = ends.credentials.authorization(service_identity("tester"))
        self.metadata = (("authorization", token), ("traceparent", TRACEPARENT))

    def form(self, name: str) -> Any:
        return self._schema.form(f"emporion.sample.v1.{name}")

    async def ask(self, method: str, request: Any, *, reply: str = "Echoed", **options: Any) -> Any:
        options.setdefault("metadata", self.metadata)
        options.setdefault("timeout", 10)
        data = await self.channel.unary_unary(f"/{SAMPLE}/{method}")(
            request.SerializeToString(), **options
        )
        return self.form(reply).FromString(data)

    async def error(self, method: str, request: Any, **options: Any) -> grpc.aio.AioRpcError:
        try:
            reply = await self.ask(method, request, **options)
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError(f"{method} answered {reply}")

    def echo(self, text: str = "hello") -> Any:
        return self.form("Echo")(text=text)

    async def health(self, service: str) -> int:
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check")
        asked = health_forms.HealthCheckRequest(service=service).SerializeToString()
        found = health_forms.HealthCheckResponse.FromString(await check(asked))
        return int(found.status)


async def stranger(ends: Wired, server: GrpcServer) -> Stranger:
    made = Stranger(ends, server)
    ends.at_end(made.channel.close)
    return made


async def test_identity_trace_and_deadline_come_from_the_metadata(ends):
    client = await stranger(ends, await ends.serve(SampleShop(ends.runtime)))

    reply = await client.ask("InternalEcho", client.echo(), timeout=1.0)

    assert (reply.text, reply.caller, reply.trace_id) == ("hello", "service:tester", "a" * 32)
    # gRPC writes a timeout with three digits and rounds it up: 1.01 s may arrive for 1 s.
    assert 0 < reply.time_left_s <= 1.01
    [span] = ends.telemetry.spans.of_trace("a" * 32)
    assert span.parent_id == "b" * 16


async def test_a_caller_without_credential_is_refused_at_internal_methods_only(ends):
    client = await stranger(ends, await ends.serve(SampleShop(ends.runtime)))

    assert (await client.ask("Echo", client.echo(), metadata=())).caller == "anonymous:"
    error = await client.error("InternalEcho", client.echo(), metadata=())
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("header", ["Bearer a.b.c", "nonsense", "Bearer", "Basic eDp5"])
async def test_a_credential_that_is_none_is_refused_everywhere(ends, header):
    client = await stranger(ends, await ends.serve(SampleShop(ends.runtime)))
    for method in ("Echo", "InternalEcho"):
        error = await client.error(method, client.echo(), metadata=(("authorization", header),))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_error_has_a_code_for_everybody_and_a_trailer_that_tells_all(ends):
    client = await stranger(ends, await ends.serve(SampleShop(ends.runtime)))

    error = await client.error("Refuse", client.echo("here"))

    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "90 dB")
    trailer = dict(error.trailing_metadata())["emporion-error-bin"]
    told: Any = ends.schema.form("emporion.calls.v1.Error").FromString(trailer)
    assert (told.slug, told.category) == ("too-loud", "FailedPrecondition")
    assert told.fields == '{"decibel":90,"where":"here","hints":["whisper"]}'


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("RefuseUndeclared", grpc.StatusCode.ABORTED),
        ("Crash", grpc.StatusCode.INTERNAL),
        ("StaffEcho", grpc.StatusCode.PERMISSION_DENIED),
        ("Abandon", grpc.StatusCode.UNAVAILABLE),
        ("Hang", grpc.StatusCode.DEADLINE_EXCEEDED),
        ("Nothing", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
async def test_every_category_has_its_own_code(ends, method, code):
    client = await stranger(ends, await ends.serve(SampleShop(ends.runtime)))
    assert (await client.error(method, client.echo())).code() is code


async def test_bytes_that_are_no_request_are_an_invalid_argument(ends):
    client = await stranger(ends, await ends.serve(SampleShop(ends.runtime)))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await client.channel.unary_unary(f"/{SAMPLE}/Echo")(b"\xff\xff\xff")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    error = await client.error("Echo", client.echo("x" * 51))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_that_is_too_long_is_refused_before_it_is_looked_at(ends):
    client = await stranger(ends, await ends.serve(SampleShop(ends.runtime)))
    error = await client.error("Echo", client.echo("x" * MESSAGE_BYTES_MAX))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_reflection_describes_every_service_so_that_generic_tools_can_call_it(ends):
    client = await stranger(ends, await ends.serve(SampleShop(ends.runtime)))
    call = client.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    )()

    async def ask(**asked: Any) -> reflection_pb2.ServerReflectionResponse:
        await call.write(reflection_pb2.ServerReflectionRequest(**asked).SerializeToString())
        return reflection_pb2.ServerReflectionResponse.FromString(await call.read())

    listed = await ask(list_services="")
    assert {one.name for one in listed.list_services_response.service} == {
        SAMPLE,
        "emporion.calls.v1.CallsService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    found = await ask(file_containing_symbol=SAMPLE)
    files = [
        FileDescriptorProto.FromString(data)
        for data in found.file_descriptor_response.file_descriptor_proto
    ]
    names = {method.name for file in files for one in file.service for method in one.method}
    assert {"Echo", "InternalEcho", "PutUnkeyed"} <= names
    call.cancel()


class Patient:
    """A probe that fails while `problem` says something."""

    problem = ""

    async def __call__(self) -> None:
        if self.problem:
            raise Unavailable(self.problem)


async def test_health_answers_for_each_service_from_its_probes(ends):
    patient = Patient()
    server = await ends.serve(
        SampleShop(ends.runtime), Health({"sample": {"database": patient}, "other": {}})
    )
    client = await stranger(ends, server)
    assert [await client.health(name) for name in ("", "sample", SAMPLE)] == [SERVING] * 3

    patient.problem = "the database is away"
    assert [await client.health(name) for name in ("", "sample", SAMPLE)] == [NOT_SERVING] * 3
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await client.health("nobody")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_process_that_takes_no_traffic_yet_is_not_serving(ends):
    server = await ends.serve(SampleShop(ends.runtime), Health({}, closed=lambda: "starting"))
    assert await (await stranger(ends, server)).health("sample") == NOT_SERVING


async def test_a_watcher_of_health_learns_of_the_drain(ends):
    server = await ends.serve(SampleShop(ends.runtime))
    client = await stranger(ends, server)
    asked = health_forms.HealthCheckRequest(service="sample").SerializeToString()
    watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")(asked)

    async def told() -> int:
        return int(health_forms.HealthCheckResponse.FromString(await watch.read()).status)

    assert await told() == SERVING
    draining = asyncio.ensure_future(server.drain())
    assert await told() == NOT_SERVING
    assert await watch.read() is grpc.aio.EOF
    await draining


async def test_a_call_under_way_is_finished_by_the_drain_and_no_other_is_begun(tmp_path):
    settings = GrpcSettings(drain_grace_s=0.0)
    async with wired(tmp_path, settings=settings) as ends:
        shop = SampleShop(ends.runtime)
        server = await ends.serve(shop)
        client = await stranger(ends, server)
        hanging = asyncio.ensure_future(client.error("Hang", client.echo()))
        await shop.is_hanging.wait()

        draining = asyncio.ensure_future(server.drain())
        late = await client.error("PutUnkeyed", client.form("Put")(put_key="late"), reply="Done")

        assert late.code() is grpc.StatusCode.UNAVAILABLE
        assert not shop.attempts
        assert (await hanging).code() is grpc.StatusCode.DEADLINE_EXCEEDED  # its own, not ours
        await draining


async def test_a_call_that_never_ends_holds_the_drain_no_longer_than_its_timeout(tmp_path):
    settings = GrpcSettings(drain_grace_s=0.0, drain_timeout_s=0.05)
    async with wired(tmp_path, settings=settings) as ends:
        shop = SampleShop(ends.runtime)
        server = await ends.serve(shop)
        waiting = asyncio.ensure_future(ends.client(server).hang(Echo(text="x")))
        await shop.is_hanging.wait()

        started_s = ends.runtime.clock.monotonic_s()
        await server.drain()

        assert ends.runtime.clock.monotonic_s() - started_s < 2
        assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], Unavailable)


async def test_a_port_that_is_taken_is_said(ends):
    server = await ends.serve(SampleShop(ends.runtime))
    ends.settings = GrpcSettings(port=server.port)
    with pytest.raises(AddressInUse):
        await ends.server(SampleShop(ends.runtime)).start()


async def test_draining_twice_or_without_a_start_does_nothing(ends):
    await ends.server(SampleShop(ends.runtime)).drain()
    server = await ends.serve(SampleShop(ends.runtime))
    await server.drain()
    await server.drain()
