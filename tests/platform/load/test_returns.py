"""Which sales of a load run are sent back."""

from typing import Any, cast

import pytest

from emporion.kernel.ids import OrderId
from emporion.platform.load.options import RunId
from emporion.platform.load.returns import Returns, Sale

RUN = RunId.parse("3f9c2a71d04b-32")


def returns(run_id: RunId = RUN) -> Returns:
    return Returns(cast("Any", None), run_id, {}, patience_s=1.0)


def sales(count: int) -> list[Sale]:
    return [Sale(number, OrderId(f"ord_{number}"), cast("Any", None)) for number in range(count)]


@pytest.mark.parametrize(("percent", "count"), [(0.0, 0), (2.0, 189), (100.0, 9_464)])
def test_as_many_sales_come_back_as_the_share_says(percent, count):
    chosen = returns().chosen(sales(9_464), percent)
    assert len({sale.number for sale in chosen}) == count


def test_a_repeated_run_sends_the_same_ones_back_in_whatever_order_they_were_sold():
    sold = sales(500)
    assert returns().chosen(sold, 10) == returns().chosen(sold[::-1], 10)
    assert returns().chosen(sold, 10) != returns(RunId.new(32)).chosen(sold, 10)
