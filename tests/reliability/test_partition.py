"""The short form of the partition: payment and inventory out of everybody's reach, and back."""

import os
from pathlib import Path

import pytest

from emporion.platform.topology.model import ENGINES_OF
from tests.reliability.drills import drill
from tests.reliability.partition import NetworksRefused, hosts, partitions, shop_on_hosts

pytestmark = [pytest.mark.system, pytest.mark.engines, pytest.mark.timeout(280)]
CUT_S, AFTER_S = 4.0, 3.0


async def test_hosts_are_cut_off_from_each_other_under_load_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    """As root; anybody else is told that networks are refused, and why."""
    if os.geteuid() != 0:
        with pytest.raises(NetworksRefused, match="Operation not permitted"), hosts():
            pass
        return
    with shop_on_hosts(tmp_path, tuple(ENGINES_OF)) as (shop, made):
        async with shop:
            for fault in partitions(made, CUT_S)[:2]:
                outcome = await drill(shop, fault, after_s=AFTER_S)

                assert outcome.paid, outcome.fault
                assert outcome.failed == 0, outcome.fault
                assert outcome.violations == [], outcome.fault


def test_a_machine_without_the_tool_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(NetworksRefused, match="apt-get install iproute2"), hosts():
        pass
