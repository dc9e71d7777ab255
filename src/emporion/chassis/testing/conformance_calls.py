# ruff: noqa: S101 - a check speaks by assert; its name is the sentence
"""What every binding of a call must do, as checks over a sample service.

A binding is done when all of `CHECKS` pass over it; what it cannot do it declares, by leaving out
a feature, and the checks of that feature are left out by name. Checks run in real time, with
deadlines of a fraction of a second.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from emporion.chassis.auth.identity import ANONYMOUS, Identity, Kind, service_identity
from emporion.chassis.calls.context import Call, Trace
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.sample_service import (
    HANG_S,
    SECRET,
    Done,
    Echo,
    Echoed,
    Put,
    SampleService,
    SampleShop,
    TooLoud,
    Word,
)
from emporion.contracts.contract import Message, Request, rpcs
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import (
    Conflict,
    DeadlineExceeded,
    EmporionError,
    Internal,
    InvalidArgument,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from emporion.kernel.money import Money


class Feature(StrEnum):
    """What a binding may lack."""

    RETRIES = "retries"
    """It is a client with a retry layer; a bare edge is not."""
    VALIDATION = "validation"
    """It can be given an invalid request; an edge decodes, and so validates, before."""
    CARRIES_IDENTITY = "carries identity"
    """The call arrives with the identity it was made with, like an edge's."""
    CARRIES_DEADLINE = "carries deadline"
    """The callee knows how much time its caller has left; over REST only the caller knows."""
    OWN_IDENTITY = "own identity"
    """The call arrives with the identity of the calling service, like a client's."""


@dataclass(frozen=True)
class CallsUnderTest:
    """A binding with a sample service at its end.

    `send(method, request, call)` makes a call as `call` describes: on behalf of that identity,
    within that deadline, as part of that trace.
    """

    runtime: Runtime
    telemetry: Telemetry
    shop: SampleShop
    send: Callable[[str, Request, Call], Awaitable[Message]]
    features: frozenset[Feature] = field(default_factory=lambda: frozenset(Feature))

    async def echo(
        self, method: str = "echo", request: Echo | None = None, **call: object
    ) -> Echoed:
        """An echo's reply."""
        reply = await self.send(method, request or Echo(text="hello"), self.call(**call))
        assert isinstance(reply, Echoed)
        return reply

    async def put(self, method: str, request: Put) -> Done:
        """A put's reply."""
        reply = await self.send(method, request, self.call())
        assert isinstance(reply, Done)
        return reply

    async def error(self, method: str, request: Request, call: Call | None = None) -> EmporionError:
        """The error that a call must end with."""
        try:
            reply = await self.send(method, request, call or self.call())
        except EmporionError as error:
            return error
        raise AssertionError(f"{method} answered {reply}")

    async def at_rest(self) -> None:
        """Nothing hangs any more; a callee in another process is told within a moment."""
        async with asyncio.timeout(AT_REST_S_MAX):
            await self.shop.is_at_rest.wait()
        assert self.shop.hung == 0

    def call(self, **given: object) -> Call:
        """A call by a service, sampled, with a deadline in the far future."""
        identity = given.get("identity", service_identity("tester"))
        trace = given.get("trace", Trace("a" * 32, "b" * 16))
        left_s = given.get("left_s", 60.0)
        assert isinstance(identity, Identity)
        assert isinstance(trace, Trace)
        assert isinstance(left_s, float)
        return Call(identity, trace, self.runtime.clock.monotonic_s() + left_s)


AT_REST_S_MAX = 5.0
ECHO_TIMEOUT_S = rpcs(SampleService)["echo"].timeout_s
Check = Callable[[CallsUnderTest], Awaitable[None]]


async def a_reply_comes_back_as_it_was_given(calls: CallsUnderTest) -> None:
    """Money, instants, lists and text survive."""
    request = Echo(
        text="grüße ☕",
        words=[Word(text="a", times=2), Word(text="b")],
        price=Money(1230, "EUR"),
        at=to_datetime(1_767_225_600_123),
    )
    reply = await calls.echo(request=request)
    assert (reply.text, reply.words) == (request.text, request.words)
    assert (reply.price, reply.at) == (request.price, request.at)


async def a_declared_refusal_is_the_same_class_with_its_fields(calls: CallsUnderTest) -> None:
    """So that a caller can catch it by name."""
    error = await calls.error("refuse", Echo(text="here"))
    assert type(error) is TooLoud
    assert error.detail == "90 dB"
    assert dict(error.fields) == {"decibel": 90, "where": "here", "hints": ["whisper"]}


async def an_undeclared_condition_arrives_as_its_category(calls: CallsUnderTest) -> None:
    """A caller cannot depend on what the contract does not name."""
    error = await calls.error("refuse_undeclared", Echo(text="here"))
    assert type(error) is Conflict
    assert (error.detail, dict(error.fields)) == ("changed", {"version": 3})


async def an_unexpected_error_is_internal_and_tells_nothing(calls: CallsUnderTest) -> None:
    """Its text stays in the log, under the trace id."""
    error = await calls.error("crash", Echo(text="here"))
    assert type(error) is Internal
    assert SECRET not in f"{error} {error.detail} {dict(error.fields)}"
    assert error.fields["trace_id"] == "a" * 32


async def a_reply_of_the_wrong_class_is_internal(calls: CallsUnderTest) -> None:
    """Our mistake, not the caller's."""
    assert type(await calls.error("answer_wrongly", Echo(text="here"))) is Internal


async def an_invalid_request_is_refused_with_its_path(calls: CallsUnderTest) -> None:
    """Objects made in Python are validated like bytes from outside."""
    for request, path in (
        (Echo(text=""), "$.text"),
        (Echo(text="x" * 51), "$.text"),
        (Echo(text="x", words=[Word(text="a"), Word(text="b", times=10)]), "$.words[1].times"),
        (Echo(text=7), "$.text"),  # type: ignore[arg-type] # a caller's mistake
        (Echo(text="x", price=12.5), "$.price"),  # type: ignore[arg-type] # same
        (Put(put_key="x"), "$"),
    ):
        error = await calls.error("echo", request)
        assert type(error) is InvalidArgument, request
        assert error.fields["path"] == path, error.fields
    for unsendable in ("\ud800", 2**80, object()):
        error = await calls.error("echo", Echo(text=unsendable))  # type: ignore[arg-type] # same
        assert type(error) is InvalidArgument
    assert not calls.shop.attempts


async def the_callee_cannot_reach_into_its_callers_lists(calls: CallsUnderTest) -> None:
    """A request arrives as a copy."""
    words = [Word(text="a")]
    reply = await calls.echo(request=Echo(text="x", words=words))
    assert reply.words is not words


async def a_hung_callee_gives_deadline_exceeded_after_its_timeout(calls: CallsUnderTest) -> None:
    """Nobody hangs along; and the callee is told to stop."""
    started_s = calls.runtime.clock.monotonic_s()
    error = await calls.error("hang", Echo(text="x"))
    took_s = calls.runtime.clock.monotonic_s() - started_s
    assert type(error) is DeadlineExceeded
    assert HANG_S * 0.9 <= took_s < HANG_S * 10
    await calls.at_rest()


async def a_caller_with_less_time_waits_no_longer(calls: CallsUnderTest) -> None:
    """However long the callee would take."""
    error = await calls.error("hang", Echo(text="x"), calls.call(left_s=0.02))
    assert type(error) is DeadlineExceeded


async def the_callee_knows_how_much_time_is_left(calls: CallsUnderTest) -> None:
    """The deadline of a call is narrowed, never widened."""
    reply = await calls.echo(left_s=1.0)
    assert 0 < reply.time_left_s <= 1.0
    reply = await calls.echo()
    assert 1.0 < reply.time_left_s <= ECHO_TIMEOUT_S


async def a_call_without_time_left_is_not_begun(calls: CallsUnderTest) -> None:
    """What cannot finish is refused."""
    error = await calls.error("put", Put(put_key="late"), calls.call(left_s=-0.001))
    assert type(error) is DeadlineExceeded
    assert not calls.shop.attempts


async def a_cancelled_caller_cancels_the_callee(calls: CallsUnderTest) -> None:
    """A cancellation stays one: it does not turn into an error."""
    waiting = asyncio.ensure_future(calls.error("hang", Echo(text="x")))
    await calls.shop.is_hanging.wait()
    waiting.cancel()
    done, _ = await asyncio.wait([waiting], timeout=5)
    assert done
    assert waiting.cancelled()
    await calls.at_rest()


async def work_cancelled_under_the_callee_is_unavailable(calls: CallsUnderTest) -> None:
    """The caller was not cancelled, so it must see an error."""
    assert type(await calls.error("abandon", Echo(text="x"))) is Unavailable


async def an_internal_method_answers_services_only(calls: CallsUnderTest) -> None:
    """Whatever a person's token says."""
    person = Identity(Kind.PERSON, "usr_1", frozenset({"internal"}))
    request = Echo(text="x")
    error = await calls.error("internal_echo", request, calls.call(identity=ANONYMOUS))
    assert type(error) is Unauthenticated
    error = await calls.error("internal_echo", request, calls.call(identity=person))
    assert type(error) is PermissionDenied
    reply = await calls.echo("internal_echo")
    assert reply.caller == "service:tester"


async def a_scope_is_demanded(calls: CallsUnderTest) -> None:
    """Without a token: 401; without the scope: 403."""
    request = Echo(text="x")
    shopper = Identity(Kind.PERSON, "usr_1", frozenset({"orders:read"}))
    clerk = Identity(Kind.PERSON, "usr_2", frozenset({"sample:read"}))
    error = await calls.error("staff_echo", request, calls.call(identity=ANONYMOUS))
    assert type(error) is Unauthenticated
    for identity in (shopper, service_identity("tester")):
        error = await calls.error("staff_echo", request, calls.call(identity=identity))
        assert type(error) is PermissionDenied
    reply = await calls.echo("staff_echo", identity=clerk)
    assert reply.caller == "person:usr_2"


async def a_client_is_its_service_not_the_person_it_works_for(calls: CallsUnderTest) -> None:
    """A service cannot use a person's rights, nor lose its own."""
    reply = await calls.echo("internal_echo", identity=ANONYMOUS)
    assert reply.caller == "service:tester"
    error = await calls.error("staff_echo", Echo(text="x"))
    assert type(error) is PermissionDenied


async def the_trace_goes_on_in_a_span_of_its_own(calls: CallsUnderTest) -> None:
    """One trace id; the callee's span is the child of the caller's."""
    reply = await calls.echo()
    assert reply.trace_id == "a" * 32
    assert reply.span_id != "b" * 16
    spans = calls.telemetry.spans.of_trace("a" * 32)
    [span] = [one for one in spans if one.span_id == reply.span_id]
    assert (span.service, span.name, span.outcome) == ("sample", "echo", "ok")


async def a_failed_call_is_in_the_trace_with_its_category(calls: CallsUnderTest) -> None:
    """Also when the trace is not sampled."""
    unsampled = Trace("c" * 32, "b" * 16, is_sampled=False)
    await calls.error("refuse", Echo(text="x"), calls.call(trace=unsampled))
    outcomes = {span.outcome for span in calls.telemetry.spans.of_trace("c" * 32)}
    assert outcomes == {"FailedPrecondition"}


async def a_keyed_command_is_repeated_until_it_answers(calls: CallsUnderTest) -> None:
    """With the same key, so that its effect happens once."""
    reply = await calls.put("put", Put(put_key="k", failures=2))
    assert reply.attempts == 3  # noqa: PLR2004 - two lost, one answered
    assert calls.shop.effects == {"k"}


async def a_command_without_a_key_is_never_repeated(calls: CallsUnderTest) -> None:
    """Its caller learns that the outcome is unknown."""
    error = await calls.error("put_unkeyed", Put(put_key="u", failures=1))
    assert type(error) is Unavailable
    assert calls.shop.attempts["u"] == 1


async def retries_end(calls: CallsUnderTest) -> None:
    """After a few attempts the error is the answer."""
    error = await calls.error("put", Put(put_key="never", failures=1_000))
    assert type(error) is Unavailable
    assert calls.shop.attempts["never"] == 4  # noqa: PLR2004 - one and three retries


async def a_refusal_is_not_repeated(calls: CallsUnderTest) -> None:
    """Its outcome is known: asking again would change nothing."""
    await calls.error("refuse", Echo(text="x"))
    spans = calls.telemetry.spans.of_trace("a" * 32)
    assert len([span for span in spans if span.name == "refuse"]) == 1


CHECKS: tuple[tuple[Check, Feature | None], ...] = (
    (a_reply_comes_back_as_it_was_given, None),
    (a_declared_refusal_is_the_same_class_with_its_fields, None),
    (an_undeclared_condition_arrives_as_its_category, None),
    (an_unexpected_error_is_internal_and_tells_nothing, None),
    (a_reply_of_the_wrong_class_is_internal, None),
    (an_invalid_request_is_refused_with_its_path, Feature.VALIDATION),
    (the_callee_cannot_reach_into_its_callers_lists, Feature.VALIDATION),
    (a_hung_callee_gives_deadline_exceeded_after_its_timeout, None),
    (a_caller_with_less_time_waits_no_longer, None),
    (the_callee_knows_how_much_time_is_left, Feature.CARRIES_DEADLINE),
    (a_call_without_time_left_is_not_begun, None),
    (a_cancelled_caller_cancels_the_callee, None),
    (work_cancelled_under_the_callee_is_unavailable, None),
    (an_internal_method_answers_services_only, Feature.CARRIES_IDENTITY),
    (a_scope_is_demanded, Feature.CARRIES_IDENTITY),
    (a_client_is_its_service_not_the_person_it_works_for, Feature.OWN_IDENTITY),
    (the_trace_goes_on_in_a_span_of_its_own, None),
    (a_failed_call_is_in_the_trace_with_its_category, None),
    (a_keyed_command_is_repeated_until_it_answers, Feature.RETRIES),
    (a_command_without_a_key_is_never_repeated, None),
    (retries_end, Feature.RETRIES),
    (a_refusal_is_not_repeated, None),
)
