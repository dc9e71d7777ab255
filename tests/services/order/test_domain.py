"""The rules of orders, over all orders there could be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.ids import Sku, UserId
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.order.domain import (
    EmptyOrder,
    Order,
    OrderEvent,
    OrderLine,
    Status,
    is_overfull,
    total_of,
)

ADA = UserId("usr_" + "a" * 32)
lines = st.lists(
    st.builds(
        OrderLine,
        st.sampled_from([Sku("bread"), Sku("tea")]),
        st.just("a name"),
        st.integers(1, 10_000),
        st.builds(Money, st.integers(1, 10**6), st.just("EUR")),
    ),
    min_size=1,
    max_size=20,
).map(tuple)


@given(lines)
def test_an_order_costs_the_sum_of_its_lines(ordered: tuple[OrderLine, ...]) -> None:
    expected = sum(line.unit_price.amount_minor * line.quantity for line in ordered)
    assert total_of(ordered) == Money(expected, "EUR")


@given(lines)
def test_lines_in_two_currencies_are_no_order(ordered: tuple[OrderLine, ...]) -> None:
    foreign = OrderLine(Sku("sake"), "Sake", 1, Money(1, "JPY"))
    with pytest.raises(CurrencyMismatch):
        total_of((*ordered, foreign))


def test_an_order_without_lines_is_refused() -> None:
    with pytest.raises(EmptyOrder):
        Order("ord_x").create(ADA, ())


@given(lines, st.lists(st.sampled_from(["pay", "reject", "cancel", "create"]), max_size=8))
def test_no_sequence_of_commands_leaves_the_lifecycle(
    ordered: tuple[OrderLine, ...], commands: list[str]
) -> None:
    """An order is paid at most once, is never both paid and rejected, and ends for good."""
    order = Order("ord_x")
    order.create(ADA, ordered)
    events: list[OrderEvent] = list(order.pending)
    for command in commands:
        act = {
            "pay": order.pay,
            "reject": lambda: order.reject("out-of-stock", "none left"),
            "cancel": lambda: order.cancel("changed my mind"),
            "create": lambda: order.create(ADA, ordered),
        }[command]
        before = (order.status, order.version)
        try:
            act()
        except NotInThisState:
            assert (order.status, order.version) == before
            continue
        events = list(order.pending)
    names = [type(event).__name__ for event in events]
    assert names in (
        ["Created"],
        ["Created", "Paid"],
        ["Created", "Rejected"],
        ["Created", "Paid", "Cancelled"],
    )
    replayed = Order.from_history("ord_x", events)
    assert (replayed.status, replayed.total, replayed.units) == (
        order.status,
        order.total,
        order.units,
    )
    assert (order.refusal is not None) == (order.status is Status.REJECTED)


@given(st.integers(0, 300), st.integers(0, 20_000))
def test_a_cart_has_bounds(count: int, units: int) -> None:
    cart = {Sku(f"sku{number}"): units for number in range(count)}
    assert is_overfull(cart) == (count > 200 or (count > 0 and units > 10_000))
