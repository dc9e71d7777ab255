"""Whatever happens to an order in whatever order: its figures stay within what was bought."""

import contextlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import OrderId, ReturnId, ShipmentId, Sku, UserId, WarehouseId
from emporion.kernel.money import Money
from emporion.services.order.domain import (
    Counted,
    Detail,
    Order,
    OrderLine,
    Piece,
    ReturnRequested,
    ReturnStatus,
    Status,
    Units,
)
from emporion.services.order.domain.returns import priced

SKUS = [Sku("bread"), Sku("tea")]
MAIN = WarehouseId("main")
SHIPMENTS = [ShipmentId(f"shp_{n:032x}") for n in range(4)]
RETURNS = [ReturnId(f"ret_{n:032x}") for n in range(4)]
LINES = st.lists(
    st.builds(
        OrderLine,
        st.sampled_from(SKUS),
        st.just("x"),
        st.integers(1, 4),
        st.just(Money(199, "EUR")),
    ),
    min_size=1,
    max_size=3,
)
UNITS = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 4), min_size=1).map(
    lambda units: tuple(Units(sku, number) for sku, number in units.items())
)
SHIPMENT, RETURN = st.sampled_from(SHIPMENTS), st.sampled_from(RETURNS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay")),
        st.tuples(st.just("reject"), st.just("slug"), st.just("")),
        st.tuples(st.just("cancel"), st.just("")),
        st.tuples(st.just("clear"), SHIPMENT),
        st.tuples(st.just("ship"), SHIPMENT, UNITS),
        st.tuples(st.just("deliver"), SHIPMENT),
        st.tuples(st.just("ask_return"), RETURN, UNITS),
        st.tuples(st.just("approve_return"), RETURN),
        st.tuples(st.just("refuse_return"), RETURN, st.just("no")),
        st.tuples(st.just("receive_return"), RETURN, UNITS),
        st.tuples(st.just("reopen_return"), RETURN, st.just("no")),
        st.tuples(st.just("refund_return"), RETURN),
    ),
    max_size=40,
)


def taken(order: Order, name: str, *args: object) -> None:
    """Take a step; what the rules refuse changes nothing."""
    before = (order.version, order.status)
    try:
        if name == "ask_return":
            return_id, units = args
            order.ask_return(ReturnRequested(return_id, str(return_id), units, "", 0))  # type: ignore[arg-type]
        elif name == "receive_return":
            return_id, units = args
            pieces = [Piece(sku, number, is_restocked=True) for sku, number in units]  # type: ignore[attr-defined]
            counted = order.priced(return_id, pieces)  # type: ignore[arg-type]
            order.receive_return(return_id, MAIN, counted)  # type: ignore[arg-type]
        else:
            getattr(order, name)(*args)
    except (EmporionError, KeyError):
        assert (order.version, order.status) == before


@given(LINES, STEPS)
def test_no_more_is_shipped_returned_or_refunded_than_was_bought(lines, steps):
    order = Order("ord_1")
    order.create(UserId("usr_1"), tuple(lines))

    for step in [("pay",), *steps]:
        taken(order, *step)
        shipped, arrived, bound = order.shipped(), order.delivered(), order.returns.bound()
        for sku in SKUS:
            assert 0 <= bound[sku] <= arrived[sku] <= shipped[sku] <= order.ordered()[sku]
        refunded = sum(each.refund_minor for each in order.returns)
        assert refunded <= order.total.amount_minor
        if order.cleared:
            assert order.status is not Status.CANCELLED
        is_whole = order.status in {Status.RETURNED, Status.REFUNDED}
        assert is_whole == (refunded == order.total.amount_minor)
        if order.status is Status.REFUNDED:
            assert {each.status for each in order.returns} <= {
                ReturnStatus.REFUNDED,
                ReturnStatus.REFUSED,
            }

    again = Order.from_history(order.id, order.pending)
    assert (again.status, again.version) == (order.status, order.version)
    assert list(again.returns) == list(order.returns)
    assert again.shipments == order.shipments


@given(LINES, st.sampled_from(["clear", "ship", "deliver", "cancel", "pay", "reject"]))
def test_a_refused_order_takes_no_further_step(lines, step):
    order = Order("ord_1")
    order.create(UserId("usr_1"), tuple(lines))
    order.reject("slug", "detail")
    args = {"ship": (SHIPMENTS[0], (Units(lines[0].sku, 1),)), "reject": ("slug", "")}
    arguments = args.get(step, () if step == "pay" else (SHIPMENTS[0],))

    with contextlib.suppress(EmporionError):
        getattr(order, step)(*arguments)
        raise AssertionError(step)


@given(st.permutations([(0, 2), (0, 1), (1, 1)]), st.integers(0, 900))
def test_an_order_that_comes_back_whole_costs_nothing_its_delivery_included(parts, off_minor):
    """Promotions took something off a line, and delivery was paid on top."""
    bread = OrderLine(SKUS[0], "x", 3, Money(333, "EUR"), off_minor, 0, 999 - off_minor)
    tea = OrderLine(SKUS[1], "y", 1, Money(199, "EUR"))
    delivery = Detail("delivery", "parcel", "", Money(490, "EUR"), is_included=False)
    goods = Detail("goods", "", "", bread.total + tea.total, is_included=False)
    order = Order("ord_1")
    order.create(UserId("usr_1"), (bread, tea), (goods, delivery))
    order.pay()
    order.ship(SHIPMENTS[0], (Units(SKUS[0], 3), Units(SKUS[1], 1)))
    order.deliver(SHIPMENTS[0])

    for return_id, (which, units) in zip(RETURNS, parts, strict=False):
        order.ask_return(ReturnRequested(return_id, return_id, (Units(SKUS[which], units),), "", 0))
        order.approve_return(return_id)
        pieces = [Piece(SKUS[which], units, is_restocked=False)]
        order.receive_return(return_id, MAIN, order.priced(return_id, pieces))
        assert sum(each.refund_minor for each in order.returns) <= order.total.amount_minor
        order.refund_return(return_id)

    assert order.status is Status.REFUNDED
    assert sum(each.refund_minor for each in order.returns) == order.total.amount_minor


@given(
    st.integers(1, 20),
    st.integers(0, 10_000),
    st.lists(st.integers(1, 5), min_size=1, max_size=20),
)
def test_refunds_of_all_units_are_exactly_what_was_paid_however_they_come_back(
    units, paid_minor, parts
):
    """Also where the units were not paid for evenly: nothing is lost to rounding, nor made."""
    bread, left = SKUS[0], units
    before: list[Counted] = []
    for part in parts:
        quantity = min(part, left)
        if quantity:
            left -= quantity
            piece = Piece(bread, quantity, is_restocked=True)
            before += priced([piece], paid={bread: (units, paid_minor)}, before=before)
        refunded = sum(each.refund_minor for each in before)
        assert refunded == paid_minor * (units - left) // units
    returned = Counter({bread: units - left})
    assert returned[bread] <= units


def test_an_order_is_called_off_only_while_nothing_leaves():
    order = Order(OrderId("ord_1"))
    order.create(UserId("usr_1"), (OrderLine(SKUS[0], "x", 1, Money(1, "EUR")),))
    order.pay()
    order.clear(SHIPMENTS[0])
    with contextlib.suppress(NotInThisState):
        order.cancel("")
        raise AssertionError
    assert order.status is Status.PAID
