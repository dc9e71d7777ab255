"""From counted calls to the edges of a service map, of one process or of several together."""

from collections.abc import Iterable
from typing import Final

from emporion.chassis.calls.inbound import REMOTE
from emporion.chassis.telemetry.metrics import BOUNDS_S, Durations
from emporion.contracts.operations_telemetry import CallEdge
from emporion.platform.telling.store.reading import StoredSeries

KINDS: Final = {
    "call_seconds": "local",
    "remote_call_seconds": "remote",
    "reaction_seconds": "event",
}
FAILURES: Final = {"call_failures": "local", "remote_call_failures": "remote"}
NAMES: Final = (*KINDS, *FAILURES)
FAULTS: Final = frozenset(
    {"Unavailable", "DeadlineExceeded", "Internal", "ResourceExhausted", "cancelled"}
)
"""What is not the caller's doing."""
Key = tuple[str, str, str, str]


def edges_of(
    series: Iterable[StoredSeries], *, window_s: int, is_by_method: bool
) -> list[CallEdge]:
    """The edges, each with what was counted in the window.

    What another process calls is told by that one: it knows who called, and the way there.
    """
    durations: dict[Key, Durations] = {}
    errors: dict[Key, int] = {}
    faults: dict[Key, int] = {}
    for each in series:
        kind = KINDS.get(each.name) or FAILURES[each.name]
        labels = each.labels
        if labels["caller"] == REMOTE:
            continue
        method = labels.get("method", "") if is_by_method else ""
        key = (kind, labels["caller"], labels["service"], method)
        for point in each.points:
            if point.durations is not None:
                add(durations.setdefault(key, Durations()), point.durations)
            else:
                errors[key] = errors.get(key, 0) + round(point.value)
                if labels.get("outcome") in FAULTS:
                    faults[key] = faults.get(key, 0) + round(point.value)
    return [
        edge(key, held, errors=(errors.get(key, 0), faults.get(key, 0)), window_s=window_s)
        for key, held in sorted(durations.items())
    ]


def edge(key: Key, held: Durations, *, errors: tuple[int, int], window_s: int) -> CallEdge:
    """An edge with its rate and quantiles."""
    kind, caller, service, method = key
    return CallEdge(
        kind=kind,
        caller=caller,
        service=service,
        method=method,
        calls=held.count,
        errors=errors[0],
        faults=errors[1],
        rate_per_s=round(held.count / window_s, 3),
        p50_ms=ms(held.quantile_s(0.5)),
        p95_ms=ms(held.quantile_s(0.95)),
        p99_ms=ms(held.quantile_s(0.99)),
        total_ms=ms(held.total_s),
        buckets=list(held.counts),
    )


def together(edges: Iterable[CallEdge], *, window_s: int) -> list[CallEdge]:
    """The edges of several processes: what two tell of one edge is added up."""
    durations: dict[Key, Durations] = {}
    errors: dict[Key, tuple[int, int]] = {}
    for each in edges:
        key = (each.kind, each.caller, each.service, each.method)
        held = durations.setdefault(key, Durations())
        for index, count in enumerate(each.buckets[: len(BOUNDS_S) + 1]):
            held.counts[index] += count
        held.total_s += each.total_ms / 1000
        known = errors.get(key, (0, 0))
        errors[key] = (known[0] + each.errors, known[1] + each.faults)
    return [
        edge(key, held, errors=errors[key], window_s=window_s)
        for key, held in sorted(durations.items())
    ]


def add(to: Durations, more: Durations) -> None:
    """Count what `more` counted, too."""
    for index, count in enumerate(more.counts):
        to.counts[index] += count
    to.total_s += more.total_s


def ms(duration_s: float) -> float:
    """In milliseconds, to the microsecond."""
    return round(duration_s * 1000, 3)
