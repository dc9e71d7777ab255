"""So many traces of a second are recorded, and the decision is kept wherever a trace goes."""

from emporion.chassis.calls.context import NO_TRACE, Call, Trace, enter, leave
from emporion.chassis.telemetry.sampling import BURST_S, OUTSIDE_FACTOR, SLOW_S, Sampler
from emporion.chassis.telemetry.spans import NO_PARENT
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.time import ManualClock, manual_runtime


def test_so_many_a_second_are_taken_and_after_a_quiet_time_a_burst():
    clock = ManualClock()
    sampler = Sampler(clock, per_s=2)

    assert [sampler.takes() for _ in range(2 * BURST_S + 3)].count(True) == 2 * BURST_S
    assert sampler.skipped == 3
    clock.advance(1.0)
    assert [sampler.takes() for _ in range(3)] == [True, True, False]
    clock.advance(3_600.0)
    assert [sampler.takes() for _ in range(100)].count(True) == 2 * BURST_S


def test_none_and_all_are_possible():
    assert not Sampler(ManualClock(), per_s=0).takes()
    assert Sampler(ManualClock()).takes()


def test_a_new_trace_that_is_not_recorded_stays_the_same_trace():
    telemetry = Telemetry(manual_runtime(), traces_per_s=1)
    recorded, *_, skipped = (telemetry.trace_of(None) for _ in range(BURST_S + 1))

    assert recorded.is_sampled
    assert not skipped.is_sampled
    child = telemetry.child_of(skipped)
    assert (child.trace_id, child.is_sampled) == (skipped.trace_id, False)
    assert Trace.parse(child.header()) == child
    assert not telemetry.child_of(NO_TRACE).is_sampled


def test_the_callers_decision_counts_whatever_was_taken_already():
    telemetry = Telemetry(manual_runtime(), traces_per_s=0)

    assert telemetry.trace_of(f"00-{'a' * 32}-{'b' * 16}-01").is_sampled
    assert telemetry.sampler.skipped == 0


def test_what_clients_want_recorded_has_a_bound_of_its_own():
    telemetry = Telemetry(manual_runtime(), traces_per_s=2)
    bound = 2 * OUTSIDE_FACTOR * BURST_S

    wanted = [telemetry.outside_trace_of(f"00-{n:032x}-{'b' * 16}-01") for n in range(1, bound + 9)]
    assert [trace.is_sampled for trace in wanted].count(True) == bound
    assert wanted[-1] == Trace(f"{bound + 8:032x}", "b" * 16, is_sampled=False)
    assert telemetry.outside_trace_of(None).is_sampled
    everything = Telemetry(manual_runtime())
    assert all(everything.outside_trace_of(wanted[0].header()).is_sampled for _ in range(500))


def test_slow_work_is_recorded_in_whatever_trace():
    clock = ManualClock()
    telemetry = Telemetry(manual_runtime(clock))
    token = enter(Call(trace=Trace("a" * 32, "b" * 16, is_sampled=False)))
    for name, lasts_s in (("quick", SLOW_S / 2), ("slow", SLOW_S)):
        with telemetry.span("order", name):
            clock.advance(lasts_s)
    leave(token)

    assert [span.name for span in telemetry.spans.ring] == ["slow"]


def test_x_rays_header_is_continued_where_that_is_set():
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    header = f"Self=1-67891234-12456789abcdef012345678;{root};Parent=53995c3f42cd8ad8;Sampled=0"
    trace_id = "5759e988bd862e3fe1be46a994272793"
    telemetry = Telemetry(manual_runtime(), is_xray=True)

    assert telemetry.trace_of(header) == Trace(trace_id, "53995c3f42cd8ad8", is_sampled=False)
    assert telemetry.trace_of(root) == Trace(trace_id, NO_PARENT)
    assert telemetry.trace_of(f"{root};Sampled=?") == Trace(trace_id, NO_PARENT)
    for bad in ("Root=1-zz-aa", "Root=", "Root=1-5759e988-bd862e3fe1be46a99427279", f"x{root}"):
        assert telemetry.trace_of(bad).trace_id != trace_id
    assert Telemetry(manual_runtime()).trace_of(header).trace_id != trace_id
