"""Orders: taken once, at the catalogue's price, by and for their owner; carts lose nothing."""

import asyncio
import itertools
from datetime import datetime
from typing import Any

import pytest

from emporion.chassis.data.database import Tx
from emporion.chassis.testing.time import ManualClock, SeededIds
from emporion.contracts.catalog import UnknownSku
from emporion.contracts.inventory import OutOfStock
from emporion.contracts.order import CallOffOrder, CancelOrder, ListOrders, OrderOf
from emporion.contracts.order_carts import (
    CartChanged,
    CartFull,
    Checkout,
    EmptyCart,
    RemoveFromCart,
    SetCartLine,
)
from emporion.contracts.order_desk import FindOrders, OrderStatus
from emporion.contracts.payment import PaymentDeclined
from emporion.contracts.refusals import KeyReused, UnknownCursor
from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import OrderId, Sku
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.order import audit
from emporion.services.order.queries import orders as orders_queries
from tests.services.order.fakes import ADA, BOB
from tests.services.order.rig import Shop


def later(shop: Shop, seconds: float) -> datetime:
    """Let that much time go by; ids made from then on begin with the new instant."""
    clock, made = shop.runtime.clock, shop.runtime.ids
    assert isinstance(clock, ManualClock)
    assert isinstance(made, SeededIds)
    clock.advance(seconds)
    made._next = clock.now_ms() << 80
    return to_datetime(clock.now_ms())


async def test_an_order_is_paid_at_the_catalogues_price(shop) -> None:
    """Defect 10: the request has no place for a price."""
    async with shop() as s:
        order = await s.place(lines={"bread": 2, "tea": 1})
        assert order.status is OrderStatus.PAID
        assert order.total == Money(699, "EUR")
        assert s.payments.captured == {order.order_id: 699}
        assert await s.published() == ["orders.created"]
        assert await s.books_balance()


async def test_the_same_key_replays_the_stored_order_also_concurrently(shop) -> None:
    """Defect 2: a client's retry neither charges nor orders twice."""
    async with shop() as s:
        orders = await asyncio.gather(*(s.place() for _ in range(20)))
        assert len({order.order_id for order in orders}) == 1
        assert s.payments.charges == 1
        assert await s.place() == orders[0]
        s.catalog.prices.clear()
        assert await s.place() == orders[0]


async def test_the_same_key_with_another_order_is_refused(shop) -> None:
    async with shop() as s:
        await s.place()
        with pytest.raises(KeyReused):
            await s.place(lines={"tea": 1})
        assert s.payments.charges == 1


async def test_keys_of_two_people_do_not_meet(shop) -> None:
    async with shop() as s:
        ada, bob = await s.place(user=ADA), await s.place(user=BOB)
        assert ada.order_id != bob.order_id


@pytest.mark.parametrize(
    ("lines", "token", "error"),
    [({"bread": 101}, "tok_ok", OutOfStock), ({"bread": 1}, "tok_declined", PaymentDeclined)],
)
async def test_a_refused_order_is_undone_and_its_retry_meets_the_same_refusal(
    shop, lines, token, error
) -> None:
    """Defects 1 and 3: nothing stays charged or held, and the stored key holds the refusal."""
    async with shop() as s:
        for _ in range(2):
            with pytest.raises(error) as refused:
                await s.place(lines=lines, token=token)
            assert refused.value.detail
        assert s.inventory.stock[Sku("bread")] == 100
        assert s.payments.captured == {}
        page = await s.as_user(ADA, s.api.list_orders(ListOrders()))
        assert [order.status for order in page.orders] == [OrderStatus.REJECTED]
        order = await s.as_user(ADA, s.api.get_order(OrderOf(order_id=page.orders[0].order_id)))
        assert order.refusal.slug == error.slug
        assert await s.published() == ["orders.rejected"]
        assert await s.books_balance()


async def test_while_the_payment_is_unknown_the_order_is_pending_and_then_paid(shop) -> None:
    async with shop() as s:
        s.payments.outages = 1
        order = await s.place()
        assert order.status is OrderStatus.PENDING
        assert (await s.api.is_hold_needed(OrderOf(order_id=order.order_id))).is_needed
        assert isinstance(s.engine._runtime.clock, ManualClock)
        s.engine._runtime.clock.advance(5)
        await s.engine.run_due()
        again = await s.place()
        assert (again.order_id, again.status) == (order.order_id, OrderStatus.PAID)
        assert s.payments.charges == 1


async def test_unknown_products_and_mixed_currencies_are_refused_and_store_nothing(shop) -> None:
    async with shop() as s:
        with pytest.raises(UnknownSku):
            await s.place(lines={"gold": 1})
        s.catalog.prices[Sku("tea")] = Money(100, "JPY")
        with pytest.raises(CurrencyMismatch):
            await s.place(lines={"bread": 1, "tea": 1})
        assert (await s.as_user(ADA, s.api.list_orders(ListOrders()))).orders == []
        s.catalog.prices[Sku("tea")] = Money(100, "EUR")
        assert (await s.place(lines={"tea": 1})).status is OrderStatus.PAID


async def test_nobody_sees_or_cancels_the_order_of_another(shop) -> None:
    """Defect 11: NotFound, so that nobody learns which ids exist."""
    async with shop() as s:
        order = await s.place(user=ADA)
        with pytest.raises(NotFound):
            await s.as_user(BOB, s.api.get_order(OrderOf(order_id=order.order_id)))
        with pytest.raises(NotFound):
            await s.as_user(BOB, s.api.cancel_order(CancelOrder(order_id=order.order_id)))
        assert (await s.as_user(BOB, s.api.list_orders(ListOrders()))).orders == []
        assert s.payments.captured == {order.order_id: 500}


async def test_a_cancelled_order_gives_stock_and_money_back_once(shop) -> None:
    async with shop() as s:
        order = await s.place()
        for _ in range(2):
            cancelled = await s.as_user(
                ADA, s.api.cancel_order(CancelOrder(order_id=order.order_id, reason="changed"))
            )
            assert cancelled.status is OrderStatus.CANCELLED
        assert s.inventory.stock[Sku("bread")] == 100
        assert s.payments.captured == {}
        assert not (await s.api.is_hold_needed(OrderOf(order_id=order.order_id))).is_needed
        assert await s.published() == ["orders.created", "orders.cancelled"]
        assert await s.books_balance()


async def test_the_shop_calls_an_order_off_once_however_often_and_by_whom_it_is_asked(shop) -> None:
    async with shop() as s:
        order = await s.place()
        request = CallOffOrder(order_id=order.order_id, reason="fraud")
        asked = [s.api.call_off(request) for _ in range(5)]
        mine = CancelOrder(order_id=order.order_id, reason="changed")
        answers = await asyncio.gather(*asked, s.as_user(ADA, s.api.cancel_order(mine)))
        assert {answer.status for answer in answers} == {OrderStatus.CANCELLED}
        assert s.inventory.stock[Sku("bread")] == 100
        assert s.payments.captured == {}
        assert await s.published() == ["orders.created", "orders.cancelled"]
        assert await s.books_balance()


async def test_an_unknown_order_cannot_be_called_off(shop) -> None:
    async with shop() as s:
        unknown = CallOffOrder(order_id=OrderId("ord_" + "0" * 32), reason="fraud")
        with pytest.raises(NotFound):
            await s.api.call_off(unknown)


async def test_a_rejected_order_cannot_be_cancelled(shop) -> None:
    async with shop() as s:
        with pytest.raises(PaymentDeclined):
            await s.place(token="tok_declined")
        page = await s.as_user(ADA, s.api.list_orders(ListOrders()))
        with pytest.raises(NotInThisState):
            await s.as_user(ADA, s.api.cancel_order(CancelOrder(order_id=page.orders[0].order_id)))


async def test_orders_are_listed_newest_first_page_by_page(shop) -> None:
    async with shop() as s:
        placed = [(await s.place(f"k{i}")).order_id for i in range(5)]
        seen: list[str] = []
        cursor = ""
        for _ in range(3):
            page = await s.as_user(ADA, s.api.list_orders(ListOrders(limit=2, cursor=cursor)))
            seen += [order.order_id for order in page.orders]
            cursor = page.next_cursor
        assert seen == placed[::-1]
        assert cursor == ""
        paid = await s.as_user(ADA, s.api.list_orders(ListOrders(status=OrderStatus.REJECTED)))
        assert paid.orders == []


async def test_staff_find_everybodys_orders_by_status_person_and_time(shop) -> None:
    async with shop() as s:
        later(s, 60)
        old = (await s.place("a")).order_id
        with pytest.raises(PaymentDeclined):
            await s.place("b", token="tok_declined")
        began = later(s, 60)
        bobs = (await s.place("c", user=BOB)).order_id
        last = (await s.place("d")).order_id

        async def found(**wanted: Any) -> list[str]:
            page = await s.api.find_orders(FindOrders(**wanted))
            assert page.next_cursor == ""
            return [order.order_id for order in page.orders]

        everything = await found()
        assert everything[:2] == [last, bobs]
        assert everything[3:] == [old]
        assert await found(status=OrderStatus.REJECTED) == [everything[2]]
        assert await found(user_id=BOB) == [bobs]
        assert await found(since=began) == [last, bobs]
        assert await found(until=began) == everything[2:]
        assert await found(user_id=ADA, status=OrderStatus.PAID, since=began) == [last]
        assert await found(until=began, since=began) == []


async def test_orders_are_found_page_by_page_however_many_are_looked_at(shop, monkeypatch) -> None:
    monkeypatch.setattr(orders_queries, "SCANNED_MAX", 3)
    async with shop() as s:
        placed = [(await s.place(f"k{i}")).order_id for i in range(7)]
        await s.as_user(ADA, s.api.cancel_order(CancelOrder(order_id=placed[0])))

        async def walked(**wanted: Any) -> list[list[str]]:
            pages: list[list[str]] = []
            cursor = ""
            while cursor or not pages:
                page = await s.api.find_orders(FindOrders(cursor=cursor, **wanted))
                pages.append([order.order_id for order in page.orders])
                cursor = page.next_cursor
            return pages

        assert await walked(status=OrderStatus.CANCELLED) == [[], [], [placed[0]]]
        assert list(itertools.chain(*await walked(limit=2))) == placed[::-1]
        with pytest.raises(UnknownCursor):
            await s.api.find_orders(FindOrders(cursor="x"))


async def test_parallel_adds_to_a_cart_all_count(shop) -> None:
    """Defect 13."""
    async with shop() as s:
        await asyncio.gather(*(s.add(sku) for sku in ("bread", "tea") for _ in range(50)))
        assert await s.cart() == {"bread": 50, "tea": 50}
        assert await s.cart(BOB) == {}


async def test_a_repeated_add_with_a_key_counts_once(shop) -> None:
    async with shop() as s:
        await s.add("bread", 2, key="once")
        await s.add("bread", 2, key="once")
        assert await s.cart() == {"bread": 2}
        with pytest.raises(KeyReused):
            await s.add("bread", 3, key="once")


async def test_a_cart_line_is_set_removed_and_bounded(shop) -> None:
    async with shop() as s:
        await s.add("bread")
        await s.as_user(ADA, s.api.set_cart_line(SetCartLine(sku=Sku("bread"), quantity=7)))
        assert await s.cart() == {"bread": 7}
        with pytest.raises(CartFull):
            await s.add("bread", 10_000)
        assert await s.cart() == {"bread": 7}
        await s.as_user(ADA, s.api.remove_from_cart(RemoveFromCart(sku=Sku("bread"))))
        await s.as_user(ADA, s.api.remove_from_cart(RemoveFromCart(sku=Sku("bread"))))
        assert await s.cart() == {}
        with pytest.raises(UnknownSku):
            await s.add("gold")


async def test_a_checkout_orders_the_cart_once_and_empties_it(shop) -> None:
    async with shop() as s:
        await s.add("bread", 3)
        request = Checkout(idempotency_key="c", payment_token="tok_ok")
        orders = await asyncio.gather(*(s.as_user(ADA, s.api.checkout(request)) for _ in range(10)))
        assert len({order.order_id for order in orders}) == 1
        assert orders[0].total == Money(750, "EUR")
        assert await s.cart() == {}
        again = Checkout(idempotency_key="d", payment_token="tok_ok")
        with pytest.raises(EmptyCart):
            await s.as_user(ADA, s.api.checkout(again))


async def test_a_declined_checkout_gives_the_cart_back(shop) -> None:
    async with shop() as s:
        await s.add("bread", 3)
        request = Checkout(idempotency_key="c", payment_token="tok_declined")
        with pytest.raises(PaymentDeclined):
            await s.as_user(ADA, s.api.checkout(request))
        assert await s.cart() == {"bread": 3}


async def test_a_cart_that_keeps_changing_is_not_checked_out(shop, monkeypatch) -> None:
    """Something is put in whenever the prices are asked for, which is after the cart was read."""
    async with shop() as s:
        await s.add("bread")
        quote = s.catalog.quote_basket

        async def quote_late(request):
            await s.api._carts._set(ADA, Sku("tea"), 1 + (await s.cart()).get("tea", 0))
            return await quote(request)

        monkeypatch.setattr(s.catalog, "quote_basket", quote_late)
        request = Checkout(idempotency_key="c", payment_token="tok_ok")

        with pytest.raises(CartChanged):
            await s.as_user(ADA, s.api.checkout(request))

        assert await s.cart() == {"bread": 1, "tea": 3}
        assert s.payments.charges == 0


async def test_two_checkouts_of_one_cart_sell_it_once(shop) -> None:
    async with shop() as s:
        await s.add("bread", 3)
        outcomes = await asyncio.gather(
            *(
                s.as_user(ADA, s.api.checkout(Checkout(idempotency_key=k, payment_token="tok_ok")))
                for k in "abc"
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, EmptyCart) for outcome in outcomes) == 2
        assert s.payments.charges == 1


DEARER = "UPDATE event SET data = ? WHERE version = ?"


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        (DEARER, audit.CHAIN),
        ("DELETE FROM event WHERE version = 1", audit.CHAIN),
        ("DELETE FROM event WHERE version = 2", audit.REPLAY),
        ("UPDATE orders SET total_minor = 1", audit.REPLAY),
        ("UPDATE orders SET status = 'rejected'", audit.REPLAY),
    ],
)
async def test_the_audit_finds_what_was_edited(shop, edit: str, check: str) -> None:
    async with shop() as s:
        order = await s.place()

        async def work(tx: Tx) -> None:
            if edit is not DEARER:
                assert await tx.execute(edit)
                return
            for version, data in await tx.fetch("SELECT version, data FROM event"):
                await tx.execute(DEARER, data.replace(b"250", b"251"), version)

        await s.database.transaction(work)
        found = [violation async for violation in audit.violations(s.database)]
        assert (check, order.order_id) in [(each.check, each.subject) for each in found]
