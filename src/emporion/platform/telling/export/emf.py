"""Metrics in CloudWatch's embedded metric format: JSON lines that its agent turns into metrics."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from emporion.chassis.telemetry.metrics import Count, Durations, Labels, Metrics
from emporion.platform.telling.edges import FAULTS, add, ms

NAMESPACE: Final = "Emporion"
EVERY_MS: Final = 60_000
SOLD: Final = frozenset({"orders", "revenue_minor", "order_refusals"})
OWN_FAULT: Final = 500
"""From this status of HTTP on the fault is ours."""
WORST: Final = frozenset({"sagas_oldest_seconds", "events_oldest_seconds"})
"""Gauges of which a process tells the worst of its services."""
SUMMED: Final = frozenset({"sagas_open", "dead_letters"})
"""Gauges that a process tells for all its services together."""
Numbers = Mapping[str, tuple[float, str]]
"""Values with their units, by name."""


class EmbeddedMetrics:
    """Writes lines for each service, for the process, and for what is sold, every minute.

    Each name and set of dimensions is a metric that CloudWatch asks money for: so services are
    told as a whole, and instances of a process have their dimension in common. Each route of REST
    that was asked has a line without metrics, for queries over the log.

    Args:
        process: what all instances of the process are called.
        write: takes a line, without its end.
        place: which instance this is, and where; stands in every line, and is no dimension.
    """

    def __init__(
        self,
        metrics: Metrics,
        process: str,
        write: Callable[[str], object],
        *,
        place: Mapping[str, str],
    ) -> None:
        self._metrics = metrics
        self._process = process
        self._write = write
        self._place = place
        self._told_ms = 0
        self._counts: dict[tuple[str, Labels], int] = {}
        self._durations: dict[tuple[str, Labels], Durations] = {}

    def tell(self, now_ms: int) -> None:
        """Write what came in the last minute, if one is over."""
        if self._told_ms and now_ms - self._told_ms < EVERY_MS:
            return
        self._told_ms = now_ms
        minute = _Minute()
        for name, labels, cell in self._metrics.cells():
            known = dict(labels)
            match cell:
                case Durations():
                    minute.took(name, known, self._longer(name, labels, cell))
                case Count():
                    self._counted(now_ms, name, known, self._grown(name, labels, cell), minute)
                case _:
                    minute.stands(name, known, cell)
        for service in sorted(minute.calls):
            if minute.calls[service].count:
                self._of_service(now_ms, service, minute)
        for (verb, route), answered in sorted(minute.routes.items()):
            if answered.held.count:
                self._of_route({"at_ms": now_ms, "verb": verb, "route": route}, answered)
        process = {name: (value, "None") for name, value in minute.process.items()}
        self._line(now_ms, {"process": self._process}, process)

    def _counted(  # noqa: PLR0917 - a part of `tell`
        self, now_ms: int, name: str, known: Mapping[str, str], grown: int, minute: "_Minute"
    ) -> None:
        if name == "call_failures":
            minute.failed(known, grown)
        elif name in SOLD and grown:
            self._line(now_ms, known, {name: (float(grown), "Count")})

    def _of_service(self, now_ms: int, service: str, minute: "_Minute") -> None:
        held, errors = minute.calls[service], minute.errors.get(service, [0, 0])
        numbers = {
            "requests": (float(held.count), "Count"),
            "errors": (float(errors[0]), "Count"),
            "faults": (float(errors[1]), "Count"),
            **{name: (value, "Milliseconds") for name, value in _latency(held).items()},
        }
        self._line(now_ms, {"service": service}, numbers)

    def _of_route(self, asked: Mapping[str, object], answered: "_Answered") -> None:
        told = {
            "kind": "route",
            "process": self._process,
            **self._place,
            **asked,
            "requests": answered.held.count,
            "faults": answered.faults,
            **_latency(answered.held),
        }
        self._write(msgspec.json.encode(told).decode())

    def _line(self, now_ms: int, dimensions: Mapping[str, str], numbers: Numbers) -> None:
        self._write(embedded(now_ms, dimensions, numbers, place=self._place))

    def _grown(self, name: str, labels: Labels, cell: Count) -> int:
        before = self._counts.get((name, labels), 0)
        self._counts[name, labels] = cell.value
        return cell.value - before

    def _longer(self, name: str, labels: Labels, cell: Durations) -> Durations:
        before = self._durations.setdefault((name, labels), Durations())
        more = Durations()
        more.counts = [now - was for now, was in zip(cell.counts, before.counts, strict=True)]
        more.total_s = cell.total_s - before.total_s
        before.counts, before.total_s = list(cell.counts), cell.total_s
        return more


class _Answered:
    """Requests of one route: how long they took, and how many we failed."""

    __slots__ = ("faults", "held")

    def __init__(self) -> None:
        self.held = Durations()
        self.faults = 0


class _Minute:
    """What came in one minute, put together by service, by route, and for the process."""

    def __init__(self) -> None:
        self.calls: dict[str, Durations] = {}
        self.errors: dict[str, list[int]] = {}
        self.routes: dict[tuple[str, str], _Answered] = {}
        self.process: dict[str, float] = {}

    def took(self, name: str, known: Mapping[str, str], more: Durations) -> None:
        """Durations that were observed."""
        if name == "call_seconds":
            add(self.calls.setdefault(known["service"], Durations()), more)
        elif name == "http_request_seconds":
            answered = self.routes.setdefault((known["verb"], known["route"]), _Answered())
            add(answered.held, more)
            answered.faults += more.count if int(known["status"]) >= OWN_FAULT else 0

    def failed(self, known: Mapping[str, str], grown: int) -> None:
        """Calls that ended with an error."""
        counted = self.errors.setdefault(known["service"], [0, 0])
        counted[0] += grown
        counted[1] += grown if known["outcome"] in FAULTS else 0

    def stands(self, name: str, known: Mapping[str, str], read: Callable[[], float]) -> None:
        """A gauge, of the process or of one of its services."""
        if name in WORST:
            self.process[name] = max(self.process.get(name, 0.0), read())
        elif name in SUMMED:
            self.process[name] = self.process.get(name, 0.0) + read()
        elif not known and name.startswith(("process_", "loop_lag")):
            self.process[name] = read()


def embedded(
    now_ms: int,
    dimensions: Mapping[str, str],
    numbers: Numbers,
    *,
    place: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A line of metrics with these dimensions; what is in `place` stands in it and is none."""
    metrics = [{"Name": name, "Unit": unit} for name, (_, unit) in numbers.items()]
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [sorted(dimensions)],
        "Metrics": metrics,
    }
    told = {
        "_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]},
        **place,
        **dimensions,
        **{name: value for name, (value, _) in numbers.items()},
    }
    return msgspec.json.encode(told).decode()


def _latency(held: Durations) -> dict[str, float]:
    shares = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    return {f"latency_ms_{name}": ms(held.quantile_s(share)) for name, share in shares}
