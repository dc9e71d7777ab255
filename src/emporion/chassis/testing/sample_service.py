# ruff: noqa: D102 - the contract says what the methods of the shop do
"""A sample service with a method for each thing that can happen to a call."""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.chassis.calls.context import current_call
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.contract import (
    Message,
    Reply,
    Request,
    Service,
    anyone,
    command,
    internal,
    post,
    query,
    staff,
)
from emporion.kernel.errors import (
    Conflict,
    FailedPrecondition,
    Unavailable,
)
from emporion.kernel.money import Money

SECRET = "the secret is 42"  # noqa: S105 - what must not leak
HANG_S = 0.15


class TooLoud(FailedPrecondition):
    """A declared refusal, with fields."""

    slug = "too-loud"
    title = "That is too loud"


class Undeclared(Conflict):
    """A condition that the contract does not name."""

    slug = "undeclared"


class Word(Message, frozen=True, kw_only=True):
    """A word, so many times."""

    text: Annotated[str, Meta(min_length=1, max_length=20)]
    times: Annotated[int, Meta(ge=1, le=9)] = 1


class Echo(Request, frozen=True, kw_only=True):
    """What to say back."""

    text: Annotated[str, Meta(min_length=1, max_length=50)]
    words: list[Word] = []  # noqa: RUF012 - msgspec copies an empty default
    price: Money | None = None
    at: datetime | None = None


class Echoed(Reply, frozen=True, kw_only=True):
    """What was said, and how the call looked to the service."""

    text: str
    words: list[Word]
    price: Money | None
    at: datetime | None
    trace_id: str
    span_id: str
    caller: str
    time_left_s: float


class Put(Request, frozen=True, kw_only=True):
    """A command with a key; the first `failures` attempts are lost, after their effect."""

    put_key: str
    failures: int = 0


class Done(Reply, frozen=True, kw_only=True):
    """How often the effect was asked for."""

    attempts: int


class SampleService(Service, Protocol):
    """A method for each thing that can happen to a call."""

    NAME: ClassVar[str] = "sample"
    SUMMARY: ClassVar[str] = "Shows how calls behave."

    @query(access=anyone("a sample"), rest=post("/api/sample/echo"))
    async def echo(self, request: Echo) -> Echoed:
        """Say it back."""

    @query(access=internal())
    async def internal_echo(self, request: Echo) -> Echoed:
        """Say it back to services."""

    @query(access=staff("sample:read"), rest=post("/api/sample/staff_echo"))
    async def staff_echo(self, request: Echo) -> Echoed:
        """Say it back to staff."""

    @query(access=anyone("a sample"), raises=(TooLoud,), rest=post("/api/sample/refuse"))
    async def refuse(self, request: Echo) -> Echoed:
        """Raises TooLoud."""

    @query(access=anyone("a sample"), rest=post("/api/sample/refuse_undeclared"))
    async def refuse_undeclared(self, request: Echo) -> Echoed:
        """Raises what is not declared."""

    @command(access=anyone("a sample"), rest=post("/api/sample/crash"))
    async def crash(self, request: Echo) -> Echoed:
        """Fails with an error of no kind we know."""

    @command(access=anyone("a sample"), rest=post("/api/sample/answer_wrongly"))
    async def answer_wrongly(self, request: Echo) -> Echoed:
        """Answers with a message of another class."""

    @query(access=anyone("a sample"), timeout_s=HANG_S, rest=post("/api/sample/hang"))
    async def hang(self, request: Echo) -> Echoed:
        """Never answers."""

    @query(access=anyone("a sample"), rest=post("/api/sample/abandon"))
    async def abandon(self, request: Echo) -> Echoed:
        """What it waits for is cancelled under it."""

    @command(access=anyone("a sample"), key="put_key", rest=post("/api/sample/put"))
    async def put(self, request: Put) -> Done:
        """Keyed: may be repeated."""

    @command(access=anyone("a sample"), rest=post("/api/sample/put_unkeyed"))
    async def put_unkeyed(self, request: Put) -> Done:
        """Not keyed: is never repeated automatically."""


class SampleShop(SampleService):
    """The sample's implementation; `attempts` counts by key what was asked, `effects` what is."""

    def __init__(self, runtime: Runtime) -> None:
        self._clock = runtime.clock
        self.attempts: Counter[str] = Counter()
        self.effects: set[str] = set()
        self.hung = 0
        self.is_hanging = asyncio.Event()
        self.is_at_rest = asyncio.Event()

    async def echo(self, request: Echo) -> Echoed:
        call = current_call()
        return Echoed(
            text=request.text,
            words=request.words,
            price=request.price,
            at=request.at,
            trace_id=call.trace.trace_id,
            span_id=call.trace.span_id,
            caller=f"{call.identity.kind}:{call.identity.subject}",
            time_left_s=call.deadline_s - self._clock.monotonic_s(),
        )

    internal_echo = staff_echo = echo

    async def refuse(self, request: Echo) -> Echoed:
        raise TooLoud("90 dB", decibel=90, where=request.text, hints=["whisper"])

    async def refuse_undeclared(self, request: Echo) -> Echoed:
        raise Undeclared("changed", version=3)

    async def crash(self, request: Echo) -> Echoed:
        raise ZeroDivisionError(SECRET)

    async def answer_wrongly(self, request: Echo) -> Echoed:
        return Done(attempts=1)  # type: ignore[return-value] # the mistake that is to be noticed

    async def hang(self, request: Echo) -> Echoed:
        self.hung += 1
        self.is_hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.hung -= 1
            if not self.hung:
                self.is_at_rest.set()
        raise AssertionError

    async def abandon(self, request: Echo) -> Echoed:
        gone: asyncio.Future[Echoed] = asyncio.get_running_loop().create_future()
        gone.cancel()
        return await gone

    async def put(self, request: Put) -> Done:
        self.attempts[request.put_key] += 1
        self.effects.add(request.put_key)
        if self.attempts[request.put_key] <= request.failures:
            raise Unavailable("the answer was lost")
        return Done(attempts=self.attempts[request.put_key])

    put_unkeyed = put
