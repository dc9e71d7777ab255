"""Two versions of one contract side by side: what the older one knows keeps its meaning."""

import importlib.util
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from emporion.chassis.auth.identity import ANONYMOUS
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.directory import Directory
from emporion.chassis.calls.grpc.remote import GrpcRemotes, RemoteSettings
from emporion.chassis.calls.grpc.schema import Committed, Schema, committed_in
from emporion.chassis.calls.grpc.server import GrpcServer, GrpcSettings, Offer
from emporion.chassis.calls.grpc.serving import GrpcEdge
from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.discovery.static import StaticResolver
from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.surfaces.published import BreakingChange, generate
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.contracts.contract import Service
from emporion.kernel.errors import Unavailable

OLD = '''
"""A contract as it was."""

from typing import ClassVar, Protocol

from emporion.contracts.contract import *


class Bake(Request, frozen=True, kw_only=True):
    """What to bake."""

    pieces: int
    name: str = ""


class Loaf(Reply, frozen=True, kw_only=True):
    """A loaf."""

    name: str
    weight: int = 500


class BakeryService(Service, Protocol):
    """Bread."""

    NAME: ClassVar[str] = "bakery"

    @query(access=anyone("a sample"))
    async def bake(self, request: Bake) -> Loaf:
        """Bake it."""
'''
SLICE = '''
    @query(access=anyone("a sample"))
    async def slice(self, request: Bake) -> Loaf:
        """Cut it."""
'''
ADDED = (
    ("    pieces: int\n", "    crust: str = 'soft'\n    pieces: int\n"),
    ("    weight: int = 500\n", "    crust: str = ''\n    weight: int = 500\n"),
    ('        """Bake it."""\n', f'        """Bake it."""\n{SLICE}'),
)
_counter = itertools.count()
Version = tuple[type[Service], Schema]


@pytest.fixture
def published(tmp_path: Path) -> Callable[..., Version]:
    """`published()` and then `published(*ADDED)`: the contract, and the wire form it has then."""
    folder = tmp_path / "contracts"

    def publish(*changes: tuple[str, str]) -> Version:
        source = OLD
        for old, new in changes:
            assert source.count(old) == 1, old
            source = source.replace(old, new)
        name = f"versioned_{next(_counter)}"
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        contract: type[Service] = module.BakeryService
        generate([contract], folder, title="Bakery", version="1")
        return contract, Schema([contract], committed(folder))

    return publish


def committed(folder: Path) -> Committed:
    """The numbers that stand in the folder now."""
    return committed_in(folder / "proto")


class Baker:
    """Implements any version: answers with what it was told."""

    def __init__(self, contract: type[Service]) -> None:
        self._module: Any = sys.modules[contract.__module__]

    async def bake(self, request: Any) -> Any:
        known = {"crust": request.crust} if hasattr(request, "crust") else {}
        return self._module.Loaf(name=f"{request.pieces} {request.name}", weight=400, **known)

    slice = bake


@asynccontextmanager
async def talking(client_side: Version, server_side: Version) -> AsyncIterator[tuple[Any, Any]]:
    """A client of one version whose callee is of another, and the client's messages."""
    runtime = system_runtime()
    telemetry = Telemetry(runtime)
    contract, schema = server_side
    serving = Directory(Chain.of(runtime, telemetry))
    implementation: Any = Baker(contract)
    serving.add(contract, implementation)
    edge = GrpcEdge(runtime, lambda _: ANONYMOUS, telemetry.trace_of)
    settings = GrpcSettings(drain_grace_s=0.0)
    server = GrpcServer(Offer(serving.inbounds, schema), edge, settings)
    await server.start()
    contract, schema = client_side
    resolver = StaticResolver({"bakery": [Endpoint("127.0.0.1", server.port)]})
    chain = Chain.of(runtime, Telemetry(runtime))
    remotes = GrpcRemotes(chain, schema, resolver, settings=RemoteSettings(lambda _: ""))
    calling = Directory(chain)
    calling.add_remote(contract, remotes.remote(contract))
    try:
        yield calling.clients("tester").get(contract), sys.modules[contract.__module__]
    finally:
        await remotes.close()
        await server.drain()
        assert isinstance(runtime.tasks, SystemTasks)
        await runtime.tasks.cancel_all()


async def test_an_older_client_is_served_by_a_newer_server(published):
    old, new = published(), published(*ADDED)
    async with talking(old, new) as (client, words):
        loaf = await client.bake(words.Bake(pieces=3, name="rye"))
        assert loaf == words.Loaf(name="3 rye", weight=400)


async def test_a_newer_client_is_served_by_an_older_server(published):
    old, new = published(), published(*ADDED)
    async with talking(new, old) as (client, words):
        loaf = await client.bake(words.Bake(pieces=3, name="rye", crust="hard"))
        assert loaf == words.Loaf(name="3 rye", weight=400, crust="")


async def test_a_method_that_the_older_server_does_not_have_is_unavailable_until_it_has(published):
    old, new = published(), published(*ADDED)
    async with talking(new, old) as (client, words):
        with pytest.raises(Unavailable, match="Slice"):
            await client.slice(words.Bake(pieces=3))


async def test_two_of_the_newer_version_use_all_of_it(published):
    published()
    new = published(*ADDED)
    async with talking(new, new) as (client, words):
        loaf = await client.slice(words.Bake(pieces=3, name="rye", crust="hard"))
        assert loaf == words.Loaf(name="3 rye", weight=400, crust="hard")


async def test_a_field_that_takes_another_ones_place_in_the_text_takes_no_others_number(published):
    old = published()
    moved = published(
        ('    pieces: int\n    name: str = ""\n', '    name: str = ""\n    pieces: int\n')
    )
    async with talking(moved, old) as (client, words):
        assert (await client.bake(words.Bake(pieces=3, name="rye"))).name == "3 rye"


def test_a_change_that_would_break_the_older_version_is_not_published(published):
    published()
    with pytest.raises(BreakingChange, match="new and required"):
        published(("    pieces: int\n", "    pieces: int\n    crust: str\n"))
