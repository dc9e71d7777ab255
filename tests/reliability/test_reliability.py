"""The short form of the drills: one split shop, killed, rolled and ended under load."""

import asyncio

import psutil
import pytest

from tests.reliability.drills import drill
from tests.reliability.faults import killed, rolled
from tests.reliability.split_shop import SplitShop

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]
AFTER_S = 1.0


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A split shop that runs; ended, whatever happened."""
    shop = SplitShop(tmp_path_factory.mktemp("reliability") / "shop")
    asyncio.run(shop.start())
    yield shop
    asyncio.run(shop.stop())


@pytest.mark.parametrize("part", ["payment-1", "nats"])
async def test_a_part_killed_under_load_costs_no_order_and_leaves_the_books_clean(shop, part):
    outcome = await drill(shop, killed(part), after_s=AFTER_S)

    assert outcome.paid
    assert outcome.failed == 0
    assert outcome.violations == []


async def test_a_shop_rolled_under_load_fails_no_request_at_all(shop):
    outcome = await drill(shop, rolled(), after_s=AFTER_S)

    assert outcome.paid
    assert (outcome.failed, outcome.retried) == (0, 0)
    assert outcome.violations == []


async def test_a_shop_that_was_killed_at_and_rolled_still_ends_cleanly(shop):
    family = psutil.Process(shop.process.pid).children(recursive=True)
    assert family

    assert await shop.stop() == 0

    assert [process for process in family if process.is_running()] == []
    assert list((shop.data / "run").glob("*.pid")) == []
