"""Calls between two processes: ours, coalesced and single, beside bare grpc.aio in the same run.

`python bench/calls.py` starts the server's process itself. What counts is the ratio to bare
grpc.aio, which carries bytes of the same length and does nothing else: no validation, deadline,
identity, trace, metrics or balancing.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import uvloop

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.auth.services import (
    Credentials,
    ServiceVerifier,
    Trust,
    trust_text,
    trusted,
)
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call, Trace, enter
from emporion.chassis.calls.directory import Directory
from emporion.chassis.calls.grpc.remote import GrpcRemotes, RemoteSettings
from emporion.chassis.calls.grpc.schema import Schema
from emporion.chassis.calls.grpc.server import GrpcServer, GrpcSettings, Offer
from emporion.chassis.calls.grpc.serving import GrpcEdge
from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.discovery.static import StaticResolver
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.sample_service import Echo, SampleService, SampleShop

DURATION_S = 2.0
IN_FLIGHT = (1, 16, 64, 256)
KEY = SigningKey.from_secret("a key for this benchmark only 32b")
BARE = "/bench.Bare/Echo"
REQUEST = Echo(text="hello, this is a request of some forty-eight bytes")
UNTIL_S = 3_600.0


class Bare(grpc.GenericRpcHandler):
    """Answers with bytes of the length of an Echoed."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        async def echo(_: bytes, __: object) -> bytes:
            return b"x" * 140

        return grpc.unary_unary_rpc_method_handler(echo)


async def serve(folder: Path) -> None:
    """The server's process: ours on one port, bare grpc.aio on another; CPU time on request."""
    runtime = system_runtime()
    telemetry = Telemetry(runtime)
    directory = Directory(Chain.of(runtime, telemetry))
    directory.add(SampleService, SampleShop(runtime))
    verifier = ServiceVerifier(Trust(folder / "trusted.json", runtime.clock), runtime.clock)
    edge = GrpcEdge(runtime, verifier.authenticate, telemetry.trace_of)
    server = GrpcServer(Offer(directory.inbounds, Schema([SampleService])), edge, GrpcSettings())
    await server.start()
    bare = grpc.aio.server(handlers=[Bare()])
    port = bare.add_insecure_port("127.0.0.1:0")
    await bare.start()
    print(server.port, port, flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(time.process_time(), flush=True)
    await server.drain()
    await bare.stop(0)


async def rate(work: Callable[[], Awaitable[object]], in_flight: int) -> float:
    """Calls per second."""
    done = 0
    end_s = time.perf_counter() + DURATION_S

    async def worker() -> None:
        nonlocal done
        while time.perf_counter() < end_s:
            await work()
            done += 1

    started_s = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return done / (time.perf_counter() - started_s)


class Server:
    """The other process."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "serve", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port, self.bare_port = (int(word) for word in self._line().split())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def cpu_s(self) -> float:
        """CPU seconds it has used."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


async def measure(server: Server) -> None:
    """Print the table."""
    runtime = system_runtime()
    schema = Schema([SampleService])
    credentials = Credentials(KEY, runtime.clock, runtime.ids)
    resolver = StaticResolver({"sample": [Endpoint("127.0.0.1", server.port)]})
    works: dict[str, Callable[[], Awaitable[object]]] = {}
    remotes = []
    for name, is_coalescing in (("ours, coalesced", True), ("ours, single", False)):
        settings = RemoteSettings(credentials.authorization, is_coalescing=is_coalescing)
        chain = Chain.of(runtime, Telemetry(runtime))
        found = GrpcRemotes(chain, schema, resolver, settings=settings)
        remotes.append(found)
        directory = Directory(chain)
        directory.add_remote(SampleService, found.remote(SampleService))
        client = directory.clients("bench").get(SampleService)
        works[name] = partial(client.internal_echo, REQUEST)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.bare_port}")
    open_call: Any = channel.unary_unary
    bare = open_call(BARE)

    async def call_bare() -> None:
        await bare(b"x" * 50)

    works["bare grpc.aio"] = call_bare
    enter(
        Call(
            service_identity("bench"),
            Trace("a" * 32, "b" * 16),
            runtime.clock.monotonic_s() + UNTIL_S,
        )
    )
    print(
        f"{'':18}{'in flight':>10}{'calls/s':>10}{'us client':>11}{'us server':>11}"
        f"{'x calls':>9}{'x CPU':>7}"
    )
    for in_flight in IN_FLIGHT:
        rows = {}
        for name, work in works.items():
            await rate(work, in_flight) if in_flight == IN_FLIGHT[0] else None
            mine_s, theirs_s = time.process_time(), server.cpu_s()
            per_s = await rate(work, in_flight)
            mine_s, theirs_s = time.process_time() - mine_s, server.cpu_s() - theirs_s
            calls = per_s * DURATION_S
            rows[name] = (per_s, mine_s / calls * 1e6, theirs_s / calls * 1e6)
        bare_per_s, bare_mine_us, bare_theirs_us = rows["bare grpc.aio"]
        bare_us = bare_mine_us + bare_theirs_us
        for name, (per_s, mine_us, theirs_us) in rows.items():
            print(
                f"{name:18}{in_flight:10}{per_s:10,.0f}{mine_us:11.0f}{theirs_us:11.0f}"
                f"{per_s / bare_per_s:9.1f}{bare_us / (mine_us + theirs_us):7.1f}"
            )
    await asyncio.gather(*(one.close() for one in remotes))
    await channel.close()


def main() -> None:
    """Both sides."""
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(serve(Path(sys.argv[2])))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "trusted.json").write_text(trust_text([trusted(KEY, ["bench"])]))
        server = Server(folder)
        try:
            uvloop.run(measure(server))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
