"""The short form of the drills: one split shop, killed, rolled and ended under load."""

import psutil
import pytest

from tests.reliability.drills import drill
from tests.reliability.faults import killed, rolled
from tests.reliability.split_shop import SplitShop

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]
BEFORE_S, AFTER_S = 0.5, 1.0
SHOPPERS = 2
"""Enough that an order is under way in every instant; more would only take the tests' cores."""
IN_THREE = """\
processes:
  shop: [order, inventory, giftcard, user, vault, catalog]
  payment: [payment]
  rest: [email, fraud, webhook, recommendation, analytics, shipping]
engines: {default: postgres, inventory: mongodb}
bus: nats
discovery: registry
edge: envoy
"""
"""As much of everything as the fully split shop, in fewer processes: they start and roll sooner."""


@pytest.mark.parametrize(
    "topology", [IN_THREE, pytest.param("", marks=pytest.mark.engines)], ids=["three", "split"]
)
async def test_a_split_shop_is_killed_at_rolled_and_ended_and_loses_nothing(tmp_path, topology):
    """One test, as one shop takes long to start and its life has an order."""
    file = tmp_path / "topology.yaml"
    file.write_text(topology)
    words = ("up", "--topology", str(file)) if topology else ("split",)
    shop = SplitShop(tmp_path / "shop", words)
    async with shop:
        outcomes = [
            await drill(shop, fault, before_s=BEFORE_S, after_s=AFTER_S, shoppers=SHOPPERS)
            for fault in (killed("payment-1"), killed("nats"), rolled())
        ]
        for outcome in outcomes:
            assert outcome.paid, outcome.fault
            assert outcome.failed == 0, outcome.fault
            assert outcome.violations == [], outcome.fault
        assert outcomes[-1].retried == 0, "a roll fails no request at all"
        assert shop.process is not None
        family = psutil.Process(shop.process.pid).children(recursive=True)
        assert family

        assert await shop.stop() == 0

    assert [process for process in family if process.is_running()] == []
    assert list((shop.data / "run").glob("*.pid")) == []
    logs = [file for file in (shop.data / "logs").glob("*.log") if "-1" in file.name]
    assert [file.name for file in logs if "failed to stop" in file.read_text()] == []
