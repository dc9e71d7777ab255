"""Checkout on a split shop does not need who only listens."""

import pytest

from tests.reliability.bystanders import EVERYBODY, down, hung
from tests.reliability.split_shop import SplitShop

pytestmark = [pytest.mark.system, pytest.mark.engines, pytest.mark.timeout(280)]
SECONDS = 4.0


async def test_orders_go_on_at_the_first_try_while_all_who_listen_are_down_or_hung(tmp_path):
    async with SplitShop(tmp_path / "shop") as shop:
        for state in (hung, down):
            async with state(shop, EVERYBODY):
                with shop.load(seconds=SECONDS) as load:
                    report = await load.report()
            assert report["paid"], report
            assert report["errors"] == report["retries"] == {}, report
        await shop.until_quiet()
        books = await shop.settled_books()
        assert [each for each in books["findings"] if each["violations"]] == []
