"""Where the boundaries of a shop should run: judged by who waits for whom, in real traces."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

import msgspec

from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import (
    CallEdge,
    SearchTraces,
    ServiceMapOf,
    SpanOfTrace,
    TraceDetails,
    TraceOf,
)
from emporion.kernel.errors import NotFound

OUTSIDE: Final = frozenset({"edge", "platform", "http", "client"})
"""Callers that are no services."""
LOOKS: Final = frozenset({"operations"})
"""What is asked to look at the shop is not the shop."""
SHARE_MIN: Final = 0.8
PER_REQUEST_MIN: Final = 0.5
CALLS_MIN: Final = 20
"""Of fewer calls nothing is concluded."""


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """What goes from one service to another.

    Args:
        kind: local, remote or event.
        calls, errors: in the window.
        share: of all synchronous calls that the callee answers, also from outside.
        per_request: how often in a traced request in which the caller took part.
        waited_share: of the time of those requests, spent waiting for these calls.
        way_ms: there and back between processes, in the middle; none for what stays in one.
    """

    kind: str
    caller: str
    service: str
    calls: int
    errors: int
    p50_ms: float
    p99_ms: float
    share: float
    per_request: float
    waited_share: float
    way_ms: float | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A conclusion about one service, or about two."""

    services: list[str]
    why: str


class Boundaries(msgspec.Struct, frozen=True, kw_only=True):
    """The report.

    Args:
        requests: traced requests that were looked at.
        talks: every edge, those waited for the longest first.
        one: pairs that talk so much that they are one service.
        first: what could be extracted first, the easiest first.
    """

    window_s: int
    requests: int
    talks: list[Talk]
    one: list[Verdict]
    first: list[Verdict]
    missing: list[str]


async def boundaries_of(desk: OperationsService, *, window_s: int, traces: int) -> Boundaries:
    """Ask the shop for its map and for so many of its newest traced requests."""
    told = await desk.service_map(ServiceMapOf(window_s=window_s))
    found = await desk.search_traces(SearchTraces(contains="edge ", limit=traces))
    ids = [each.trace_id for each in found.traces]
    looked = [trace for trace in await asyncio.gather(*(_trace(desk, one) for one in ids)) if trace]
    missing = sorted({*told.missing, *found.missing})
    return judged(told.edges, looked, window_s=window_s, missing=missing)


def judged(
    edges: Sequence[CallEdge],
    traces: Sequence[TraceDetails],
    *,
    window_s: int,
    missing: Sequence[str] = (),
) -> Boundaries:
    """The report on these edges and requests."""
    edges = [edge for edge in edges if not {edge.caller, edge.service} & LOOKS]
    answered = _answered(edges)
    seen = [_Seen(trace.spans) for trace in traces]
    talks = [
        _talk(edge, seen, answered=answered.get(edge.service, 0))
        for edge in edges
        if edge.caller not in OUTSIDE
    ]
    return Boundaries(
        window_s=window_s,
        requests=len(seen),
        talks=sorted(talks, key=lambda talk: (-talk.waited_share, -talk.calls)),
        one=_one(talks),
        first=_first(talks, {edge.service for edge in edges}),
        missing=list(missing),
    )


async def _trace(desk: OperationsService, trace_id: str) -> TraceDetails | None:
    try:
        return await desk.get_trace(TraceOf(trace_id=trace_id))
    except NotFound:
        return None  # it was forgotten since it was found


class _Seen:
    """One traced request: who asked whom, for how long."""

    def __init__(self, spans: Sequence[SpanOfTrace]) -> None:
        self.whole_us = max((s.duration_us for s in spans if s.kind == "edge"), default=0)
        self.services = {span.service for span in spans}
        self.asked: dict[tuple[str, str], list[int]] = {}
        self.ways: dict[tuple[str, str], list[int]] = {}
        served = {span.parent_id: span for span in spans if span.kind == "served"}
        for span in spans:
            if span.kind == "asked":
                pair = (span.service, span.caller)
                self.asked.setdefault(pair, []).append(span.duration_us)
                answer = served.get(span.span_id)
                if answer is not None:
                    self.ways.setdefault(pair, []).append(span.duration_us - answer.duration_us)
            elif span.kind == "served" and span.caller not in OUTSIDE | {"remote"}:
                self.asked.setdefault((span.caller, span.service), []).append(span.duration_us)


def _answered(edges: Iterable[CallEdge]) -> Mapping[str, int]:
    """How many synchronous calls each service answers, from services and from outside."""
    found: dict[str, int] = {}
    for edge in edges:
        if edge.kind != "event":
            found[edge.service] = found.get(edge.service, 0) + edge.calls
    return found


def _talk(edge: CallEdge, seen: Sequence[_Seen], *, answered: int) -> Talk:
    pair = (edge.caller, edge.service)
    is_event = edge.kind == "event"
    with_caller = [one for one in seen if edge.caller in one.services and not is_event]
    calls = [us for one in with_caller for us in one.asked.get(pair, ())]
    ways = [us for one in seen for us in one.ways.get(pair, ())]
    whole_us = sum(one.whole_us for one in with_caller)
    return Talk(
        kind=edge.kind,
        caller=edge.caller,
        service=edge.service,
        calls=edge.calls,
        errors=edge.errors,
        p50_ms=edge.p50_ms,
        p99_ms=edge.p99_ms,
        share=0.0 if is_event or not answered else round(edge.calls / answered, 3),
        per_request=round(len(calls) / len(with_caller), 2) if with_caller else 0.0,
        waited_share=round(sum(calls) / whole_us, 3) if whole_us else 0.0,
        way_ms=round(median(ways) / 1000, 3) if ways and edge.kind == "remote" else None,
    )


def _one(talks: Sequence[Talk]) -> list[Verdict]:
    found = [
        Verdict(
            services=[talk.caller, talk.service],
            why=f"{talk.share:.0%} of what {talk.service} answers is asked by {talk.caller}, "
            f"{talk.per_request:g} times in each of its requests, "
            f"which waits {talk.waited_share:.0%} of its time for it",
        )
        for talk in talks
        if talk.kind != "event"
        and talk.calls >= CALLS_MIN
        and talk.share >= SHARE_MIN
        and talk.per_request >= PER_REQUEST_MIN
    ]
    return sorted(found, key=lambda verdict: verdict.services)


def _first(talks: Sequence[Talk], services: Iterable[str]) -> list[Verdict]:
    """Services that nobody waits for, those that wait for few others themselves first."""
    waits = [talk for talk in talks if talk.kind != "event"]
    waited_for = {talk.service for talk in waits} | OUTSIDE
    found = []
    for service in set(services) - waited_for:
        own = [talk for talk in waits if talk.caller == service]
        asks = sorted({talk.service for talk in own})
        calls = sum(talk.calls for talk in own)
        found.append((len(asks), calls, service, _why(service, asks, talks)))
    return [Verdict(services=[service], why=why) for _, _, service, why in sorted(found)]


def _why(service: str, asks: Sequence[str], talks: Sequence[Talk]) -> str:
    hears = sorted(
        {talk.caller for talk in talks if talk.kind == "event" and talk.service == service}
    )
    why = f"no service waits for it; it asks {', '.join(asks) if asks else 'nobody'}"
    return f"{why} and hears events of {', '.join(hears)}" if hears else why
