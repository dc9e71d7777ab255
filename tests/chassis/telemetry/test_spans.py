"""Spans: who caused what, for how long, with which outcome."""

import pytest

from emporion.chassis.calls.context import Call, Trace, current_call, enter, leave
from emporion.chassis.telemetry.forbidden import ForbiddenField
from emporion.chassis.telemetry.spans import NO_PARENT, Span, Spans
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.time import START_MS, ManualClock, manual_runtime
from emporion.kernel.errors import NotFound


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def telemetry(clock: ManualClock) -> Telemetry:
    return Telemetry(manual_runtime(clock))


def test_nested_work_forms_one_trace(telemetry: Telemetry, clock: ManualClock) -> None:
    with telemetry.span("order", "outer", order_id="ord_1"):
        clock.advance(1)
        with telemetry.span("order", "inner"):
            clock.advance(2)

    inner, outer = telemetry.spans.ring
    assert (outer.name, outer.parent_id, outer.duration_s) == ("outer", NO_PARENT, 3.0)
    assert (inner.name, inner.parent_id, inner.duration_s) == ("inner", outer.span_id, 2.0)
    assert inner.trace_id == outer.trace_id
    assert outer.fields == {"order_id": "ord_1"}
    assert telemetry.spans.of_trace(outer.trace_id) == [outer, inner]
    clock.advance(5)
    assert telemetry.spans.instant_ms(inner) == START_MS + 1000
    assert current_call() == Call()


def test_the_outcome_is_the_category_of_the_error(telemetry: Telemetry) -> None:
    with pytest.raises(NotFound), telemetry.span("order", "look up"):
        raise NotFound
    with pytest.raises(ZeroDivisionError), telemetry.span("order", "divide"):
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), telemetry.span("order", "wait"):
        raise KeyboardInterrupt

    assert [span.outcome for span in telemetry.spans.ring] == ["NotFound", "Internal", "cancelled"]


def test_unsampled_work_is_recorded_only_when_it_fails(telemetry: Telemetry) -> None:
    token = enter(Call(trace=Trace("a" * 32, "b" * 16, is_sampled=False)))
    with telemetry.span("order", "fine"):
        pass
    with pytest.raises(NotFound), telemetry.span("order", "not fine"):
        raise NotFound
    leave(token)

    assert [span.name for span in telemetry.spans.ring] == ["not fine"]


def test_defect_14_card_data_cannot_be_put_on_a_span(telemetry: Telemetry) -> None:
    with pytest.raises(ForbiddenField):
        telemetry.span("payment", "charge", card_number="4242424242424242")


def test_the_ring_is_bounded_and_hooks_see_every_span() -> None:
    spans = Spans(ManualClock(), size=10)
    seen: list[str] = []
    spans.add_hook(lambda span: seen.append(span.name))

    for number in range(100):
        spans.record(Span("a", "b", "c", "order", str(number), "", 0.0, 0.0, "ok"))

    assert [span.name for span in spans.ring] == [str(number) for number in range(90, 100)]
    assert len(seen) == 100
