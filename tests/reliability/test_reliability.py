"""The short form of the drills: one split shop, killed, rolled and ended under load."""

import psutil
import pytest

from tests.reliability.drills import drill
from tests.reliability.faults import killed, rolled
from tests.reliability.split_shop import SplitShop

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]
AFTER_S = 1.0


async def test_a_split_shop_is_killed_at_rolled_and_ended_and_loses_nothing(tmp_path):
    """One test, as one shop takes half a minute to start and its life has an order."""
    shop = SplitShop(tmp_path / "shop")
    async with shop:
        outcomes = [
            await drill(shop, fault, after_s=AFTER_S)
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
