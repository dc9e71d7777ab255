"""Every event that was reacted to can be found in the trace of whoever published it."""

import pytest

from emporion.chassis.calls.context import Trace
from emporion.chassis.events.bus import Delivery
from emporion.chassis.events.subscription import Received
from emporion.chassis.telemetry.deliveries import DeliverySpans
from emporion.chassis.telemetry.spans import Kind
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.bus_rig import StepDone
from emporion.chassis.testing.time import START_MS, ManualClock, manual_runtime

HOUR_MS = 3_600_000

PUBLISHED_MS = START_MS + 9_500 - HOUR_MS
TRACES = {key: Trace(key * 32, key * 16) for key in "abc"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def telemetry(clock) -> Telemetry:
    return Telemetry(manual_runtime(clock))


def delivery(*headers: str, elapsed_s: float = 0.5) -> Delivery:
    received = [
        Received(StepDone(thing="a", step=step), f"evt_{step}", PUBLISHED_MS, header)
        for step, header in enumerate(headers)
    ]
    return Delivery("shop", "mail", received, elapsed_s)


def test_each_event_of_a_batch_has_a_span_under_the_call_that_published_it(telemetry, clock):
    clock.advance(10.0)

    DeliverySpans(telemetry).record(delivery(*(trace.header() for trace in TRACES.values())))

    ended_s = clock.monotonic_s()
    for key, trace in TRACES.items():
        (span,) = telemetry.spans.of_trace(trace.trace_id)
        assert (span.parent_id, span.service, span.caller) == (key * 16, "mail", "shop")
        assert (span.name, span.outcome) == ("react to things.step_done", "ok")
        assert (span.started_s, span.duration_s) == (ended_s - 0.5, 0.5)
        assert span.fields == {"events": 3, "waited_ms": HOUR_MS}
        assert span.kind is Kind.REACTION
    assert len({span.span_id for span in telemetry.spans.ring}) == 3


def test_events_without_a_sampled_trace_leave_no_span(telemetry):
    unsampled = Trace("a" * 32, "b" * 16, is_sampled=False)

    DeliverySpans(telemetry).record(delivery("", unsampled.header()))

    assert not telemetry.spans.ring
