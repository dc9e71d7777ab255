"""Orders at a promotion's price: explained, counted once, and given back when they fail."""

import pytest

from emporion.contracts.inventory import Line, OutOfStock
from emporion.contracts.order import CallOffOrder, OrderOf, PlaceOrder
from emporion.contracts.order_carts import Checkout
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.payment import PaymentDeclined
from emporion.contracts.pricing import CodeUsedUp, UnknownCode
from emporion.contracts.refusals import KeyReused
from emporion.kernel.ids import Sku
from tests.services.order.fakes import ADA


def half_off(key: str = "k", *, sku: str = "bread", token: str = "tok_ok", **fields) -> PlaceOrder:
    wishes = {"codes": ["HALF"]} | fields
    line = Line(sku=Sku(sku), quantity=2)
    return PlaceOrder(idempotency_key=key, lines=[line], payment_token=token, **wishes)


async def test_an_order_with_a_code_is_paid_at_its_price_and_explains_it(shop) -> None:
    async with shop() as s:
        order = await s.as_user(ADA, s.api.place_order(half_off()))

        assert order.status is OrderStatus.PAID
        assert str(order.total) == "2.50 EUR"
        assert [(one.kind.value, str(one.amount)) for one in order.details] == [
            ("goods", "5.00 EUR"),
            ("promotion", "-2.50 EUR"),
        ]
        (line,) = order.lines
        assert (str(line.off), str(line.total)) == ("2.50 EUR", "2.50 EUR")
        assert s.payments.captured == {order.order_id: 250}
        assert await s.as_user(ADA, s.api.get_order(OrderOf(order_id=order.order_id))) == order
        assert s.catalog.used == {order.order_id}
        assert await s.books_balance()


async def test_the_same_key_with_another_code_is_another_request(shop) -> None:
    async with shop() as s:
        order = await s.as_user(ADA, s.api.place_order(half_off()))

        assert await s.as_user(ADA, s.api.place_order(half_off())) == order
        for codes, country in (list[str](), ""), (["HALF"], "DE"):
            other = half_off(codes=codes, country=country)
            with pytest.raises(KeyReused):
                await s.as_user(ADA, s.api.place_order(other))
        assert s.catalog.used == {order.order_id}


async def test_a_code_that_was_used_up_meanwhile_leaves_nothing_behind(shop) -> None:
    async with shop() as s:
        await s.as_user(ADA, s.api.place_order(half_off("first")))

        with pytest.raises(CodeUsedUp):
            await s.as_user(ADA, s.api.place_order(half_off("second")))
        with pytest.raises(CodeUsedUp):
            await s.as_user(ADA, s.api.place_order(half_off("second")))

        assert len(s.catalog.used) == len(s.inventory.held) == len(s.payments.captured) == 1
        assert s.engine.active == 0
        assert await s.books_balance()


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [({"token": "tok_declined"}, PaymentDeclined), ({"sku": "tea"}, OutOfStock)],
)
async def test_an_order_that_is_refused_gives_its_code_back(shop, fields, refusal) -> None:
    async with shop() as s:
        s.inventory.stock[Sku("tea")] = 1

        with pytest.raises(refusal):
            await s.as_user(ADA, s.api.place_order(half_off(**fields)))

        assert s.catalog.used == set()
        again = await s.as_user(ADA, s.api.place_order(half_off("again")))
        assert again.status is OrderStatus.PAID


async def test_a_code_nobody_knows_is_refused_before_anything_is_done(shop) -> None:
    async with shop() as s:
        with pytest.raises(UnknownCode):
            await s.as_user(ADA, s.api.place_order(half_off(codes=["NOTHING"])))

        assert s.inventory.held == {}


async def test_an_order_that_costs_nothing_is_not_charged(shop) -> None:
    async with shop() as s:
        s.catalog.off_bp = 10_000

        order = await s.as_user(ADA, s.api.place_order(half_off()))

        assert order.status is OrderStatus.PAID
        assert order.total.amount_minor == 0
        assert s.payments.captured == {}
        assert await s.books_balance()


async def test_a_cart_is_checked_out_with_a_code(shop) -> None:
    async with shop() as s:
        await s.add("bread", 2)
        request = Checkout(idempotency_key="k", payment_token="tok_ok", codes=["HALF"])

        order = await s.as_user(ADA, s.api.checkout(request))

        assert str(order.total) == "2.50 EUR"
        assert await s.as_user(ADA, s.api.checkout(request)) == order
        assert await s.cart() == {}


async def test_an_order_with_a_code_that_is_called_off_in_time_is_not_charged(shop) -> None:
    async with shop() as s:
        s.payments.outages = 1
        order = await s.as_user(ADA, s.api.place_order(half_off()))

        await s.api.call_off(CallOffOrder(order_id=order.order_id, reason="changed my mind"))
        s.engine._runtime.clock.advance(5)
        await s.engine.run_due()

        assert s.payments.charges == 0
        assert s.catalog.used == set()
        ended = await s.as_user(ADA, s.api.get_order(OrderOf(order_id=order.order_id)))
        assert ended.status is OrderStatus.REJECTED
        assert await s.books_balance()
