"""Metrics in CloudWatch's embedded metric format: JSON lines that its agent turns into metrics."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from emporion.chassis.telemetry.metrics import Count, Durations, Labels, Metrics
from emporion.platform.telling.edges import FAULTS, add, ms

NAMESPACE: Final = "Emporion"
EVERY_MS: Final = 60_000
SOLD: Final = frozenset({"orders", "revenue_minor", "order_refusals"})
Numbers = Mapping[str, tuple[float, str]]
"""Values with their units, by name."""


class EmbeddedMetrics:
    """Writes a line for each service, for the process, and for what is sold, every minute.

    Each name and set of dimensions is a metric that CloudWatch asks money for: so services are
    told as a whole, and their methods at `/metrics`.

    Args:
        write: takes a line, without its end.
    """

    def __init__(self, metrics: Metrics, process: str, write: Callable[[str], object]) -> None:
        self._metrics = metrics
        self._process = process
        self._write = write
        self._told_ms = 0
        self._counts: dict[tuple[str, Labels], int] = {}
        self._durations: dict[tuple[str, Labels], Durations] = {}

    def tell(self, now_ms: int) -> None:
        """Write what came in the last minute, if one is over."""
        if self._told_ms and now_ms - self._told_ms < EVERY_MS:
            return
        self._told_ms = now_ms
        calls: dict[str, Durations] = {}
        errors: dict[str, list[int]] = {}
        process: dict[str, tuple[float, str]] = {}
        for name, labels, cell in self._metrics.cells():
            known = dict(labels)
            match cell:
                case Durations():
                    more = self._longer(name, labels, cell)
                    if name == "call_seconds":
                        add(calls.setdefault(known["service"], Durations()), more)
                case Count():
                    self._counted(now_ms, name, known, self._grown(name, labels, cell), errors)
                case _ if not labels and name.startswith(("process_", "loop_lag")):
                    process[name] = (cell(), "None")
                case _:
                    continue
        for service, held in sorted(calls.items()):
            self._of_service(now_ms, service, held, errors=errors.get(service, [0, 0]))
        self._line(now_ms, {"process": self._process}, process)

    def _counted(  # noqa: PLR0917 - a part of `tell`
        self,
        now_ms: int,
        name: str,
        known: Mapping[str, str],
        grown: int,
        errors: dict[str, list[int]],
    ) -> None:
        if name == "call_failures":
            counted = errors.setdefault(known["service"], [0, 0])
            counted[0] += grown
            counted[1] += grown if known["outcome"] in FAULTS else 0
        elif name in SOLD and grown:
            self._line(now_ms, known, {name: (float(grown), "Count")})

    def _of_service(self, now_ms: int, service: str, held: Durations, *, errors: list[int]) -> None:
        if not held.count:
            return
        numbers = {
            "requests": (float(held.count), "Count"),
            "errors": (float(errors[0]), "Count"),
            "faults": (float(errors[1]), "Count"),
            **{
                f"latency_ms_{name}": (ms(held.quantile_s(share)), "Milliseconds")
                for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
            },
        }
        self._line(now_ms, {"service": service}, numbers)

    def _line(self, now_ms: int, dimensions: Mapping[str, str], numbers: Numbers) -> None:
        told = {
            "_aws": {
                "Timestamp": now_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [sorted(dimensions)],
                        "Metrics": [
                            {"Name": name, "Unit": unit} for name, (_, unit) in numbers.items()
                        ],
                    }
                ],
            },
            **dimensions,
            **{name: value for name, (value, _) in numbers.items()},
        }
        self._write(msgspec.json.encode(told).decode())

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
