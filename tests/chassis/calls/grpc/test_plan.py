# ruff: noqa: RUF012 - msgspec copies an empty default
"""Codecs: what was encoded comes back, is validated, and is what any protobuf peer reads."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol

import msgspec
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from emporion.chassis.calls.grpc.schema import Schema
from emporion.contracts.contract import Empty, Message, Reply, Request, Service, anyone, query
from emporion.kernel.money import Money


class Mood(StrEnum):
    """How it is."""

    GOOD = "good"
    BAD = "not-good"


class Leaf(Message, frozen=True, kw_only=True):
    """A part."""

    name: str
    weight: int = 0


class Hollow(Message, frozen=True, kw_only=True):
    """A part of which nothing may be sent."""

    name: str | None = None


class Tree(Request, frozen=True, kw_only=True):
    """A field of each form that a contract may have."""

    name: str
    count: int
    is_tall: bool
    share: float
    seal: bytes
    mood: Mood
    leaf: Leaf
    planted_at: datetime
    price: Money
    felled_at: datetime | None
    crown: Leaf | None
    note: str = ""
    rings: int = 12
    height: int | None = None
    is_shown: bool = True
    worst: Mood = Mood.BAD
    maybe: Mood | None = None
    hollow: Hollow | None = None
    leaves: list[Leaf] = []
    moods: list[Mood] = []
    years: list[int] = []
    days: list[datetime] = []
    sizes: dict[str, int] = {}
    branches: dict[str, Leaf] = {}
    limited: Annotated[int, Meta(ge=1, le=9)] = 5


class ForestService(Service, Protocol):
    """Trees."""

    NAME: ClassVar[str] = "forest"

    @query(access=anyone("a sample"))
    async def plant(self, request: Tree) -> Empty:
        """Plant it."""


FULL = Tree(
    name="grün ☘", count=-(2**63), is_tall=True, share=0.1, seal=b"\x00\xff", mood=Mood.GOOD,
    leaf=Leaf(name="a", weight=1), planted_at=datetime(1969, 7, 20, 1, 2, 3, 456789, UTC),
    price=Money(-1230, "EUR"), felled_at=datetime(1970, 1, 1, tzinfo=UTC),
    crown=Leaf(name=""), note="n", rings=0, height=0, is_shown=False, worst=Mood.GOOD,
    maybe=Mood.GOOD, hollow=Hollow(), leaves=[Leaf(name="x"), Leaf(name="y", weight=9)],
    moods=[Mood.BAD, Mood.GOOD], years=[0, -1, 2**62],
    days=[datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))],
    sizes={"a": 1, "": 0}, branches={"b": Leaf(name="z")}, limited=1,
)  # fmt: skip
BARE = Tree(
    name="", count=0, is_tall=False, share=0.0, seal=b"", mood=Mood.BAD, leaf=Leaf(name=""),
    planted_at=datetime(1970, 1, 1, tzinfo=UTC), price=Money(0, "JPY"), felled_at=None, crown=None,
)  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema([ForestService])


@pytest.mark.parametrize("tree", [FULL, BARE], ids=["full", "bare"])
def test_every_form_of_field_comes_back_as_it_was_sent(schema, tree):
    codec = schema.codec(Tree)
    assert codec.decode(codec.encode(tree)) == tree


def test_what_was_not_sent_takes_the_default_of_the_message(schema):
    form: Any = schema.form("emporion.forest.v1.Tree")
    message = form.FromString(schema.codec(Tree).encode(BARE))
    for name in ("rings", "is_shown", "worst", "limited"):
        message.ClearField(name)

    tree = schema.codec(Tree).decode(message.SerializeToString())

    assert (tree.rings, tree.is_shown, tree.worst, tree.limited) == (12, True, Mood.BAD, 5)


WHOLE = st.integers(-(2**63), 2**63 - 1)
INSTANTS = st.datetimes(timezones=st.just(UTC))
LEAVES = st.builds(Leaf, name=st.text(), weight=WHOLE)
TREES = st.builds(
    Tree, name=st.text(), count=WHOLE, is_tall=st.booleans(), share=st.floats(allow_nan=False),
    seal=st.binary(), mood=st.sampled_from(Mood), leaf=LEAVES, planted_at=INSTANTS,
    price=st.just(Money(1, "EUR")), felled_at=st.none() | INSTANTS, crown=st.none() | LEAVES,
    rings=WHOLE, height=st.none() | WHOLE, years=st.lists(WHOLE), leaves=st.lists(LEAVES),
    sizes=st.dictionaries(st.text(), WHOLE),
)  # fmt: skip


@given(TREES)
def test_any_value_comes_back(tree):
    codec = FOREST.codec(Tree)
    assert codec.decode(codec.encode(tree)) == tree


FOREST = Schema([ForestService])


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"limited": 10}, "$.limited"),
        ({"leaf": Leaf(name="x"), "price": Money(1, "EUR"), "limited": 0}, "$.limited"),
    ],
)
def test_a_request_that_breaks_its_contract_is_refused_with_the_path(schema, change, path):
    data = schema.codec(Tree).encode(msgspec.structs.replace(BARE, **change))
    with pytest.raises(msgspec.ValidationError, match=path.replace("$", r"\$")):
        schema.codec(Tree).decode(data)


def test_a_message_that_must_be_there_is_missed(schema):
    form: Any = schema.form("emporion.forest.v1.Tree")
    message = form.FromString(schema.codec(Tree).encode(BARE))
    message.ClearField("leaf")
    with pytest.raises(msgspec.ValidationError, match="leaf"):
        schema.codec(Tree).decode(message.SerializeToString())


@pytest.mark.parametrize("number", [0, 99])
def test_a_value_that_this_version_does_not_know_is_refused_and_not_guessed(schema, number):
    form: Any = schema.form("emporion.forest.v1.Tree")
    message = form.FromString(schema.codec(Tree).encode(BARE))
    message.mood = number
    with pytest.raises(msgspec.ValidationError, match="mood"):
        schema.codec(Tree).decode(message.SerializeToString())


def test_an_unknown_field_of_a_newer_peer_is_left_alone(schema):
    data = schema.codec(Tree).encode(BARE) + b"\xfa\x3e\x03new"  # field 1007, a string
    assert schema.codec(Tree).decode(data) == BARE


def test_bytes_that_are_no_message_are_said(schema):
    with pytest.raises(DecodeError):
        schema.codec(Tree).decode(b"\xff\xff\xff")


@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
def test_an_instant_beyond_the_calendar_is_refused(schema, seconds):
    form: Any = schema.form("emporion.forest.v1.Tree")
    message = form.FromString(schema.codec(Tree).encode(BARE))
    message.planted_at.seconds = seconds
    with pytest.raises(OverflowError):
        schema.codec(Tree).decode(message.SerializeToString())


class Forgetful(Reply, frozen=True, kw_only=True):
    """None and the default would look the same on the wire."""

    size: int | None = 3


class ForgetfulService(Service, Protocol):
    """Forgets."""

    NAME: ClassVar[str] = "forgetful"

    @query(access=anyone("a sample"))
    async def forget(self, request: Tree) -> Forgetful:
        """Forget."""


def test_a_field_whose_none_would_get_lost_is_refused_at_the_start():
    with pytest.raises(TypeError, match="None"):
        Schema([ForgetfulService]).codec(Forgetful)


def test_every_message_of_the_shop_has_a_codec():
    from emporion.contracts.contract import rpcs
    from emporion.platform.contracts import CONTRACTS
    from emporion.platform.wire import wire_schema

    schema = wire_schema()
    for contract in CONTRACTS:
        for rpc in rpcs(contract).values():
            schema.codec(rpc.request)
            schema.codec(rpc.reply)
