"""Metrics: bounded, cheap, and in the format that Prometheus reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from emporion.chassis.telemetry.forbidden import ForbiddenField
from emporion.chassis.telemetry.metrics import (
    BOUNDS_S,
    SERIES_MAX,
    Durations,
    Metrics,
    TooManySeries,
)


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_gauges_and_durations_are_exposed() -> None:
    metrics = Metrics()
    metrics.count("mails_sent", "Mails sent.", service="email").add(3)
    metrics.gauge("queue_length", "Waiting.", lambda: 7.0, service="order")
    durations = metrics.durations("commit_seconds", "Commits.", service="order")
    for duration_s in (0.0001, 0.004, 99.0):
        durations.observe(duration_s)

    found = samples(metrics)

    order = ("service", "order")
    assert found["emporion_mails_sent_total", (("service", "email"),)] == 3
    assert found["emporion_queue_length", (order,)] == 7
    assert found["emporion_commit_seconds_count", (order,)] == 3
    assert found["emporion_commit_seconds_sum", (order,)] == pytest.approx(99.0041)
    assert found["emporion_commit_seconds_bucket", (("le", "0.005"), order)] == 2
    assert found["emporion_commit_seconds_bucket", (("le", "+Inf"), order)] == 3


def test_cpu_and_memory_of_the_process_are_exposed() -> None:
    found = samples(Metrics())

    assert found["process_cpu_seconds_total", ()] > 0
    assert found["process_resident_memory_bytes", ()] > 1_000_000


def test_the_same_labels_give_the_same_cell() -> None:
    metrics = Metrics()

    one = metrics.count("orders", "Orders.", service="order", outcome="paid")
    same = metrics.count("orders", "Orders.", outcome="paid", service="order")

    assert one is same


@pytest.mark.parametrize(
    "value", ["ord_0192f3a4b5c6d7e8f90123456789abcd", "4bf92f3577b34da6a3ce929d0e0e4736", "x" * 65]
)
def test_pitfall_9_ids_are_refused_as_labels(value: str) -> None:
    with pytest.raises(ValueError, match="bounded"):
        Metrics().count("orders", "Orders.", order=value)


def test_labels_that_smell_of_secrets_are_refused() -> None:
    with pytest.raises(ForbiddenField):
        Metrics().count("sign_ins", "Sign-ins.", password="x")


def test_the_number_of_series_is_bounded() -> None:
    metrics = Metrics()
    for number in range(SERIES_MAX):
        metrics.count("orders", "Orders.", shop=f"shop-{number}").add()

    metrics.count("orders", "Orders.", shop="shop-1").add()
    with pytest.raises(TooManySeries):
        metrics.count("orders", "Orders.", shop="one too many")


def test_one_name_is_one_kind_of_metric() -> None:
    metrics = Metrics()
    metrics.count("orders", "Orders.")

    with pytest.raises(TypeError):
        metrics.gauge("orders", "Orders.", lambda: 1.0)
    with pytest.raises(TypeError):
        metrics.durations("orders", "Orders.")


@given(st.lists(st.floats(0, 60), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(
    durations_s: list[float], share: float
) -> None:
    durations = Durations()
    for duration_s in durations_s:
        durations.observe(duration_s)
    rank = max(1, -int(-share * len(durations_s) // 1))
    true_s = sorted(durations_s)[min(rank, len(durations_s)) - 1]

    estimate_s = durations.quantile_s(share)

    below = max((bound for bound in (0.0, *BOUNDS_S) if bound < true_s), default=0.0)
    above = min((bound for bound in BOUNDS_S if bound >= true_s), default=BOUNDS_S[-1])
    assert below - 1e-9 <= estimate_s <= above + 1e-9


def test_a_quantile_of_nothing_is_zero() -> None:
    assert Durations().quantile_s(0.99) == 0.0
