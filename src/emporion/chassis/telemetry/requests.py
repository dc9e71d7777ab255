"""Spans of requests from outside: in our process, and before that in the proxy in front of it."""

from typing import Final

from emporion.chassis.http.app import CLIENT_GONE, Served
from emporion.chassis.telemetry.spans import OK, Kind, Span
from emporion.chassis.telemetry.telemetry import Telemetry

EDGE: Final = "edge"
HTTP: Final = "http"
CLIENT: Final = "client"
BEFORE_S_MAX: Final = 60.0
"""A request that is said to have waited longer in front of us came from a wrong clock."""


class RequestSpans:
    """Records an answered request.

    Args:
        is_behind_edge: whether our own proxy is in front, whose word on when it took the request
            counts. Then there are two spans: `edge` around `http`. Otherwise this process is the
            edge.
    """

    def __init__(self, telemetry: Telemetry, *, is_behind_edge: bool) -> None:
        self._spans = telemetry.spans
        self._span_id = telemetry.ids.span_id
        self._clock = telemetry.clock
        self._is_behind_edge = is_behind_edge

    def record(self, served: Served) -> None:
        """One span, or two."""
        now_s = self._clock.monotonic_s()
        started_s = now_s - served.duration_s
        before_s = self._before_s(served, started_s, now_s)
        parent_id, service = served.parent_id, EDGE
        if before_s is not None:
            service, parent_id = HTTP, self._span_id()
            self._add(
                served, (parent_id, served.parent_id), (EDGE, started_s - before_s), now_s=now_s
            )
        self._add(served, (served.trace.span_id, parent_id), (service, started_s), now_s=now_s)

    def _add(
        self, served: Served, ids: tuple[str, str], begun: tuple[str, float], *, now_s: float
    ) -> None:
        service, started_s = begun
        span = Span(
            served.trace.trace_id, *ids, service, f"{served.verb} {served.route}",
            CLIENT if service == EDGE else EDGE, started_s, now_s - started_s,
            _outcome(served.status), {"status": served.status}, Kind.EDGE,
        )  # fmt: skip
        self._spans.record(span)

    def _before_s(self, served: Served, started_s: float, now_s: float) -> float | None:
        """How long the proxy had the request before us; None: there is none, or it did not say."""
        if not self._is_behind_edge or not served.began:
            return None
        try:
            began_ms = float(served.began) * 1000
        except ValueError:
            return None
        arrived_ms = self._clock.now_ms() - (now_s - started_s) * 1000
        before_s = (arrived_ms - began_ms) / 1000
        return min(max(before_s, 0.0), BEFORE_S_MAX) if before_s == before_s else None  # noqa: PLR0124 - nan


def _outcome(status: int) -> str:
    if status == CLIENT_GONE:
        return "cancelled"
    return OK if status < 400 else f"HTTP {status}"  # noqa: PLR2004 - HTTP's boundary of errors
