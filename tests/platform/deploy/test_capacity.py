"""The capacity model and the simulated flash sale: what follows from what."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from emporion.platform.deploy.capacity import database_cores, limits, needs
from emporion.platform.deploy.capacity_page import page, sale_picture
from emporion.platform.deploy.cost import prices
from emporion.platform.deploy.flash_sale import Policy, Sale, simulate, usual_policies
from emporion.platform.deploy.measured import cpu_us_per_order
from emporion.platform.table_file import BadFile
from tests.platform.deploy.shops import committed_deployment
from tests.system.running import ROOT

MEASURED = {"order": 500.0, "payment": 250.0, "postgresql": 320.0}


def tasks_at(rate: int) -> dict[str, int]:
    found = needs(committed_deployment(), rate, measured=MEASURED, of=prices())
    return {need.name: need.tasks for need in found}


def test_tasks_follow_from_cpu_an_order_and_never_fall_below_the_manifest():
    # 10,000 orders/s of 500 us keep 5 cores busy; a task of half a core gives 0.35 at 70 %.
    assert tasks_at(10_000)["order"] == 15
    assert tasks_at(20_000)["order"] == 29
    assert tasks_at(10)["order"] == 2


def test_what_gives_way_first_stands_first():
    deployment = committed_deployment()
    found = needs(deployment, 100_000, measured=MEASURED, of=prices())

    shares = [one.share for one in limits(deployment, 100_000, found=found, measured=MEASURED)]

    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 1
    assert database_cores(100_000, MEASURED) == pytest.approx(32)


def test_the_page_has_every_rate_and_every_service():
    text = page(committed_deployment(), cpu_us_per_order(ROOT / "docs/performance.md"), prices())

    for rate in ("1,000", "10,000", "100,000"):
        assert f"## {rate} orders a second" in text
    for one in committed_deployment().ecs_services:
        assert text.count(f"| {one.name} |") == 3


def test_a_file_without_the_measured_table_says_how_to_measure(tmp_path: Path):
    file = tmp_path / "performance.md"
    file.write_text("# Performance\n")

    with pytest.raises(BadFile) as caught:
        cpu_us_per_order(file)

    assert "make bench-split" in caught.value.mistakes[0].message


def test_the_largest_measured_load_is_taken(tmp_path: Path):
    file = tmp_path / "performance.md"
    file.write_text(
        "| part | CPU us an order at 16 | CPU us an order at 256 | memory |\n|---|--:|--:|--:|\n"
        "| order-1 | 941 | 1,508 | 67 |\n| postgresql | 990 | 323 | 1 |\n\nmore\n"
    )

    assert cpu_us_per_order(file) == {"order": 1_508.0, "postgresql": 323.0}


def test_without_a_sale_nobody_waits_and_no_task_is_added():
    calm = Sale(peak=1_000.0)

    seconds = simulate(calm, Policy("calm", 1_000.0))

    assert sum(second.refused for second in seconds) == 0
    assert {second.tasks for second in seconds} == {2}


@pytest.mark.parametrize("policy", usual_policies(984.0), ids=lambda policy: policy.name)
def test_every_order_of_a_sale_is_taken_refused_or_waiting(policy: Policy):
    seconds = simulate(Sale(), policy)

    came = sum(second.arriving for second in seconds)
    went = sum(second.taken + second.refused for second in seconds)
    assert came - went == pytest.approx(0, abs=1)  # at the end nobody waits
    assert max(second.tasks for second in seconds) <= policy.tasks_max


def test_scaling_by_cpu_adds_tasks_only_after_minutes():
    seconds = simulate(Sale(), Policy("cpu", 984.0))

    first_s = next(at for at, second in enumerate(seconds) if second.tasks > 2)
    assert 180 <= first_s - Sale().starts_s <= 300
    assert seconds[-1].tasks < max(second.tasks for second in seconds)  # fewer again afterwards


def test_tasks_that_were_asked_for_in_time_refuse_nobody():
    late, low, scheduled = (simulate(Sale(), policy) for policy in usual_policies(984.0))

    def refused(seconds):
        return sum(second.refused for second in seconds)

    assert refused(scheduled) == 0
    assert refused(late) > refused(low) > 0


def test_the_picture_is_an_svg_with_a_curve_for_each_policy():
    root = ET.fromstring(sale_picture({"order": 508.0}))  # noqa: S314 - ours

    curves = [one for one in root.iter() if one.tag.endswith("polyline")]
    assert root.tag.endswith("svg")
    assert len(curves) == 3 * 3 + 1


def test_a_steeper_target_needs_more_task_hours():
    low = replace(usual_policies(984.0)[0], cpu_target=35.0)

    hours = [sum(s.tasks for s in simulate(Sale(), p)) for p in (usual_policies(984.0)[0], low)]

    assert hours[1] > hours[0]
