"""A sample service with every kind of route, and a client of the application in front of it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Protocol

import pytest
from msgspec import Meta, field

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, Trace
from emporion.chassis.http.app import Edge, HttpApp, HttpLimits, Served
from emporion.chassis.http.routes import Page
from emporion.chassis.http.throttle import ThrottleLimits
from emporion.chassis.testing.asgi import AsgiClient
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.contract import (
    Empty,
    Message,
    Reply,
    Request,
    Rpc,
    Service,
    anyone,
    command,
    delete,
    get,
    internal,
    owner,
    post,
    post_raw,
    put,
    query,
    signed,
)
from emporion.contracts.words import IdempotencyKey
from emporion.kernel.errors import EmporionError, NotFound, Unauthenticated
from emporion.kernel.money import Money

Code = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,20}$(?!\n)")]


class Mood(StrEnum):
    OPEN = "open"
    DONE = "done"


class Part(Message, frozen=True, kw_only=True):
    """A part."""

    code: Code
    units: Annotated[int, Meta(ge=1, le=9)]


class MakeThing(Request, frozen=True, kw_only=True):
    """What to make."""

    key: IdempotencyKey
    parts: Annotated[list[Part], Meta(min_length=1)]
    price: Money | None = None


class Thing(Reply, frozen=True, kw_only=True):
    """A thing."""

    code: str
    mood: Mood = Mood.DONE
    made_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    @property
    def is_pending(self) -> bool:
        return self.mood is Mood.OPEN


class ThingOf(Request, frozen=True, kw_only=True):
    """Which thing."""

    code: Code


class PutThing(Request, frozen=True, kw_only=True):
    """What it shall be."""

    code: Code
    units: int = 1


class ListThings(Request, frozen=True, kw_only=True):
    """Which things."""

    mood: Mood | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    is_old: bool = False
    codes: Annotated[list[Code], Meta(max_length=9, examples=[["a"]])] = field(default_factory=list)


class Things(Reply, frozen=True, kw_only=True):
    """Things."""

    said: str


class Knock(Request, frozen=True, kw_only=True):
    """Nothing but a name."""

    name: str


class Bell(Request, frozen=True, kw_only=True):
    """Something signed."""

    code: Code
    mark: Annotated[str, Meta(min_length=3)]
    content: bytes


class AddPart(Request, frozen=True, kw_only=True):
    """A part more; the key may be left out."""

    key: IdempotencyKey = ""
    code: Code


class SampleService(Service, Protocol):
    """A sample."""

    NAME: ClassVar[str] = "sample"
    SUMMARY: ClassVar[str] = "A sample."

    @command(access=owner("things:write"), key="key", rest=post("/api/things", status=201))
    async def make_thing(self, request: MakeThing) -> Thing:
        """Make a thing."""

    @query(access=owner("things:read"), rest=get("/api/things/{code}"), raises=(NotFound,))
    async def get_thing(self, request: ThingOf) -> Thing:
        """One thing."""

    @query(access=anyone("a sample"), rest=get("/api/things"))
    async def list_things(self, request: ListThings) -> Things:
        """Things."""

    @command(access=owner("things:write"), key="code", rest=put("/api/things/{code}"))
    async def put_thing(self, request: PutThing) -> Thing:
        """Change a thing."""

    @command(access=owner("things:write"), key="code", rest=delete("/api/things/{code}"))
    async def drop_thing(self, request: ThingOf) -> Empty:
        """Forget a thing."""

    @query(access=owner("things:read"), rest=get("/api/things/all/newest"))
    async def newest(self, request: ListThings) -> Thing:
        """The newest thing."""

    @command(access=anyone("a sample"), rest=post("/api/doors"))
    async def knock(self, request: Knock) -> Things:
        """Knock."""

    @command(
        access=owner("things:write"),
        key="key",
        is_key_required=False,
        rest=post("/api/parts", body_bytes_max=500),
    )
    async def add_part(self, request: AddPart) -> Things:
        """Add a part."""

    @command(
        access=signed("a sample"),
        rest=post_raw("/api/bells/{code}", raw="content", headers=(("mark", "X-Mark"),)),
    )
    async def ring(self, request: Bell) -> Empty:
        """Ring."""

    @query(access=internal())
    async def secret(self, request: ThingOf) -> Thing:
        """Only for services."""

    @query(access=internal(), rest=get("/api/secret/{code}"))
    async def misplaced(self, request: ThingOf) -> Thing:
        """An internal method with a route by mistake."""


PERSON = Identity(Kind.PERSON, "usr_" + "1" * 32, frozenset({"things:read", "things:write"}))
READER = Identity(Kind.PERSON, "usr_" + "2" * 32, frozenset({"things:read"}))
TRACE_ID = "ab" * 16
NO_SAMPLE = "00000000000000000000000000000000"


class SampleDoor:
    """Answers with what the test put in; remembers what came."""

    contract: type[Service] = SampleService

    def __init__(self) -> None:
        self.calls: list[tuple[Request, Call]] = []
        self.error: BaseException | None = None
        self.reply: Message | None = None
        self.before: Callable[[], Awaitable[None]] | None = None

    def method(self, rpc: Rpc) -> Callable[[Any, Call], Awaitable[Any]]:
        async def answer(request: Request, call: Call) -> Message:
            self.calls.append((request, call))
            if self.before is not None:
                await self.before()
            if self.error is not None:
                raise self.error
            if self.reply is not None:
                return self.reply
            return {Thing: Thing(code="t-1"), Things: Things(said="x"), Empty: Empty()}[rpc.reply]

        return answer


def authenticate(header: bytes | None) -> Identity:
    if header == b"Bearer person":
        return PERSON
    if header == b"Bearer reader":
        return READER
    raise Unauthenticated


@pytest.fixture
def sample():
    """`door`, `clock`, `served`, `app`, and clients: `person`, `reader`, `nobody`."""
    clock, door, served = ManualClock(), SampleDoor(), list[Served]()

    def trace_of(header: str | None) -> Trace:
        return (Trace.parse(header) if header else None) or Trace(TRACE_ID, "cd" * 8)

    edge = Edge(
        runtime=manual_runtime(clock),
        authenticate=authenticate,
        trace_of=trace_of,
        record=served.append,
        limits=HttpLimits(
            body_timeout_s=5.0, throttle=ThrottleLimits(rate_per_s=0.5, burst=3, clients_max=4)
        ),
    )

    def build(pages: tuple[Page, ...] = ()) -> HttpApp:
        return HttpApp([door], edge, pages)

    app = build()
    return SimpleNamespace(
        app=app,
        build=build,
        clock=clock,
        door=door,
        edge=edge,
        served=served,
        person=AsgiClient(app, headers={"authorization": "Bearer person"}),
        reader=AsgiClient(app, headers={"authorization": "Bearer reader"}),
        nobody=AsgiClient(app),
        MakeThing=MakeThing,
        Thing=Thing,
        Mood=Mood,
        error=EmporionError,
    )
