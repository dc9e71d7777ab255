"""A request is a span, and the proxy in front another one around it."""

import pytest

from emporion.chassis.calls.context import Trace
from emporion.chassis.http.app import Served
from emporion.chassis.telemetry.requests import BEFORE_S_MAX, RequestSpans
from emporion.chassis.telemetry.spans import NO_PARENT, Kind
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.time import START_MS, ManualClock, manual_runtime

TRACE = Trace("a" * 32, "b" * 16)


def recorded(began: str, *, is_behind_edge: bool = True, status: int = 201):
    """The spans of a request that was taken a second after the start and lasted half of one."""
    clock = ManualClock()
    telemetry = Telemetry(manual_runtime(clock))
    clock.advance(1.5)
    served = Served("POST", "/api/orders", status, 0.5, TRACE, "", NO_PARENT, began)
    RequestSpans(telemetry, is_behind_edge=is_behind_edge).record(served)
    return list(telemetry.spans.ring)


def test_without_a_proxy_the_process_is_the_edge():
    for began in ("", f"{START_MS / 1000:.6f}"):
        (span,) = recorded(began, is_behind_edge=False)
        assert (span.service, span.name, span.caller) == ("edge", "POST /api/orders", "client")
        assert (span.span_id, span.parent_id, span.kind) == ("b" * 16, NO_PARENT, Kind.EDGE)
        assert (span.duration_s, span.outcome, span.fields) == (0.5, "ok", {"status": 201})


def test_the_proxys_span_begins_when_it_took_the_request_and_is_around_ours():
    edge, http = recorded(f"{START_MS / 1000 + 0.9:.6f}")

    assert (edge.service, edge.caller, edge.parent_id) == ("edge", "client", NO_PARENT)
    assert (http.service, http.caller) == ("http", "edge")
    assert (http.parent_id, http.span_id) == (edge.span_id, "b" * 16)
    assert http.duration_s == 0.5
    assert edge.duration_s == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize(("began", "before_s"), [("0", BEFORE_S_MAX), ("9e99", 0.0), ("-1", 60.0)])
def test_a_clock_that_is_wrong_does_not_make_a_span_of_years(began, before_s):
    edge, http = recorded(began)

    assert edge.duration_s - http.duration_s == before_s


@pytest.mark.parametrize("began", ["nan", "", "yesterday", "0x10"])
def test_what_is_no_instant_is_not_read(began):
    assert len(recorded(began)) == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (304, "ok"), (404, "HTTP 404"), (499, "cancelled"), (503, "HTTP 503")],
)
def test_the_outcome_is_the_status(status, outcome):
    assert recorded("", status=status)[0].outcome == outcome
