"""A contract as a file that a test may change between two generations."""

import importlib.util
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emporion.contracts.contract import Service

SOURCE = '''
"""A sample contract."""

from enum import StrEnum
from typing import Annotated, Protocol

from msgspec import Meta

from emporion.contracts.contract import *
from emporion.contracts.words import *
from emporion.contracts.words import IdempotencyKey, Instant
from emporion.kernel.errors import FailedPrecondition, NotFound
from emporion.kernel.money import Money


class TooHot(FailedPrecondition):
    """The oven is too hot."""

    slug = "too-hot"
    title = "Too hot"


class Crust(StrEnum):
    """How hard."""

    SOFT = "soft"
    HARD = "hard"


class Bake(Request, frozen=True, kw_only=True):
    """What to bake.

    In one go.
    """

    key: IdempotencyKey
    name: Annotated[str, Meta(min_length=3, description="What it is called.")]
    pieces: Annotated[int, Meta(ge=1)] = 12
    crust: Crust = Crust.SOFT
    note: str = ""
    prices: list[Money] = []


class Loaf(Reply, frozen=True, kw_only=True):
    """A loaf."""

    loaf_id: str
    crust: Crust
    baked_at: Instant
    eaten_at: Instant | None
    weights: dict[str, int] = {}


class LoafOf(Request, frozen=True, kw_only=True):
    """Which loaf."""

    loaf_id: str


class ListLoaves(Request, frozen=True, kw_only=True):
    """Which loaves."""

    crust: Crust | None = None
    limit: Annotated[int, Meta(ge=1, le=9, description="How many.")] = 5


class Loaves(Reply, frozen=True, kw_only=True):
    """Loaves."""

    loaves: list[Loaf]


class LoafBaked(Event, frozen=True, kw_only=True):
    """A loaf is ready. It smells."""

    SPEC = EventSpec("loaves.baked", key="loaf_id")

    loaf_id: str
    baked_at: Instant


class BakeryService(Service, Protocol):
    """Bread."""

    NAME = "bakery"
    SUMMARY = "Bread."

    @command(
        access=owner("loaves:write"),
        key="key",
        rest=post("/api/loaves", status=201),
        raises=(TooHot, NotFound),
    )
    async def bake(self, request: Bake) -> Loaf:
        """Bake a loaf. Slowly.

        With care.
        """

    @query(access=anyone("bread is public"), rest=get("/api/loaves/{loaf_id}"))
    async def get_loaf(self, request: LoafOf) -> Loaf:
        """One loaf."""

    @query(access=anyone("bread is public"), rest=get("/api/loaves"))
    async def list_loaves(self, request: ListLoaves) -> Loaves:
        """Loaves."""

    @command(access=owner("loaves:write"), key="loaf_id", rest=delete("/api/loaves/{loaf_id}"))
    async def eat(self, request: LoafOf) -> Empty:
        """Eat it."""

    @query(access=internal())
    async def smell(self, request: LoafOf) -> Loaf:
        """Only for services."""
'''
_counter = itertools.count()


@pytest.fixture
def bakery(tmp_path: Path) -> Callable[..., type[Service]]:
    """`bakery(("old", "new"), ...)`: the contract with these texts replaced."""

    def load(*changes: tuple[str, str]) -> type[Service]:
        source = SOURCE
        for old, new in changes:
            assert source.count(old) == 1, old
            source = source.replace(old, new)
        name = f"bakery_{next(_counter)}"
        path = tmp_path / f"{name}.py"
        path.write_text(source, "utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        contract: type[Service] = module.BakeryService
        return contract

    return load
