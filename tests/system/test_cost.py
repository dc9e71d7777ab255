"""What a shop costs to run: seconds to the first order, memory, and what it does when idle."""

import asyncio

import pytest

from tests.system import drills

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cost(tmp_path_factory) -> drills.Cost:
    return asyncio.run(drills.cost(tmp_path_factory.mktemp("cost") / "data"))


def test_the_first_order_is_taken_soon_after_the_start(cost):
    assert cost.first_order_cpu_s < 3.0  # a busy machine makes it wait, not work
    assert cost.first_order_s < 10.0


def test_memory_stays_small_after_two_thousand_orders(cost):
    assert cost.memory_mib * 1.048576 < 150


def test_an_idle_shop_hardly_uses_the_core(cost):
    assert cost.idle_share < 0.03
