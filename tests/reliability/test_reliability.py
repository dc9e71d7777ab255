"""The short form of the drills: one split shop, killed, rolled and ended under load."""

import psutil
import pytest

from emporion.platform.topology.model import ENGINES_OF
from tests.reliability.drills import drill
from tests.reliability.faults import killed, rolled
from tests.reliability.split_shop import SplitShop

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]
BEFORE_S, AFTER_S = 0.5, 1.0
THREE = """\
processes:
  order: [order]
  payment: [payment, inventory]
  rest: [{rest}]
engines: postgres
bus: nats
edge: envoy
"""
"""Calls and events cross processes, and there are as few to start and to roll as can be."""


async def test_a_split_shop_is_killed_at_rolled_and_ended_and_loses_nothing(tmp_path):
    """One test, as one shop takes a while to start and its life has an order."""
    rest = [name for name in ENGINES_OF if name not in ("order", "payment", "inventory")]
    topology = tmp_path / "three.yaml"
    topology.write_text(THREE.format(rest=", ".join(rest)))
    shop = SplitShop(tmp_path / "shop", ("up", "--topology", str(topology)))
    async with shop:
        outcomes = [
            await drill(shop, fault, before_s=BEFORE_S, after_s=AFTER_S)
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
