"""Ids of traces and spans."""

from emporion.chassis.calls.context import NO_TRACE, Trace
from emporion.chassis.telemetry.spans import NO_PARENT
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.telemetry.trace_ids import TraceIds
from emporion.chassis.testing.time import START_MS, ManualClock, SeededRandomness, manual_runtime


def ids(seed: int) -> TraceIds:
    return TraceIds(ManualClock(), SeededRandomness(seed))


def test_ids_do_not_repeat_within_a_process_nor_between_two() -> None:
    many, others = ids(1), ids(2)
    made = [many.span_id() for _ in range(50_000)] + [others.span_id() for _ in range(50_000)]

    assert len(set(made)) == len(made)
    assert all(len(one) == 16 and int(one, 16) for one in made[:1000])


def test_every_bit_of_a_span_id_is_as_often_set_as_not() -> None:
    many = ids(3)
    numbers = [int(many.span_id(), 16) for _ in range(4000)]

    for bit in range(64):
        assert 1800 < sum(number >> bit & 1 for number in numbers) < 2200


def test_a_trace_id_is_valid_w3c_and_begins_with_its_second() -> None:
    trace_id = ids(4).trace_id()

    parsed = Trace.parse(f"00-{trace_id}-{'1' * 16}-01")

    assert parsed is not None
    assert int(trace_id[:8], 16) == START_MS // 1000


def test_a_valid_header_is_continued_and_any_other_starts_a_new_trace() -> None:
    telemetry = Telemetry(manual_runtime())
    header = f"00-{'a' * 32}-{'b' * 16}-01"

    assert telemetry.trace_of(header) == Trace("a" * 32, "b" * 16)
    for bad in (None, "", "nonsense", header.upper(), f"00-{'0' * 32}-{'b' * 16}-01"):
        fresh = telemetry.trace_of(bad)
        assert fresh.span_id == NO_PARENT
        assert fresh.is_sampled
        assert int(fresh.trace_id, 16)


def test_a_child_keeps_trace_and_sampling_and_has_a_span_of_its_own() -> None:
    telemetry = Telemetry(manual_runtime())
    parent = Trace("a" * 32, "b" * 16, is_sampled=False)

    child = telemetry.child_of(parent)

    assert (child.trace_id, child.is_sampled) == (parent.trace_id, False)
    assert child.span_id != parent.span_id
    assert telemetry.child_of(NO_TRACE).trace_id != NO_TRACE.trace_id
