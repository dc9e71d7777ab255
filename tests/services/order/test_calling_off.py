"""An order that is called off before it is decided ends undone, whatever it was waiting for."""

import asyncio
from typing import Any

import pytest

from emporion.contracts.order import CalledOff, CallOffOrder, CancelOrder, ListOrders, OrderOf
from emporion.contracts.order_desk import OrderStatus
from emporion.kernel.ids import OrderId, Sku
from tests.services.order.fakes import ADA


async def cancel(s: Any, order_id: OrderId, reason: str = "changed my mind") -> Any:
    request = CancelOrder(order_id=order_id, reason=reason)
    return await s.as_user(ADA, s.api.cancel_order(request))


async def later(s: Any) -> None:
    """Time passes, and what is due is tried again."""
    s.engine._runtime.clock.advance(5)
    await s.engine.run_due()


async def is_undone(s: Any, order_id: OrderId) -> None:
    order = await s.as_user(ADA, s.api.get_order(OrderOf(order_id=order_id)))
    assert (order.status, order.refusal.slug) == (OrderStatus.REJECTED, CalledOff.slug)
    assert order.refusal.detail.startswith("called off before it was paid")
    assert s.payments.captured == {}
    assert s.inventory.stock[Sku("bread")] == 100
    assert await s.published() == ["orders.rejected"]
    assert await s.books_balance()
    assert await cancel(s, order_id) == order
    with pytest.raises(CalledOff):
        await s.place()


async def test_while_the_payment_is_unknown_it_is_undone_without_being_charged(shop) -> None:
    async with shop() as s:
        s.payments.outages = 1
        order = await s.place()
        for _ in range(2):
            asked = await cancel(s, order.order_id)
            assert asked.status is OrderStatus.CANCELLING
            assert asked.is_pending
        assert not (await s.api.is_hold_needed(OrderOf(order_id=order.order_id))).is_needed
        await later(s)
        assert s.payments.charges == 0
        await is_undone(s, order.order_id)


async def test_a_hint_that_was_lost_delays_it_only(shop) -> None:
    """As after a restart, or where another instance drives the saga: the events say it too."""
    async with shop() as s:
        s.payments.outages = 1
        order = await s.place()
        await s.api.call_off(CallOffOrder(order_id=order.order_id, reason="changed my mind"))
        s.assembly.implementation._orders._steps.called_off.clear()
        await later(s)
        assert s.payments.charges == 1
        await later(s)
        await is_undone(s, order.order_id)


async def test_in_the_midst_of_its_payment_it_is_undone_once_that_is_known(shop) -> None:
    async with shop() as s:
        s.payments.gate.clear()
        placing = asyncio.ensure_future(s.place())
        await s.payments.entered.wait()
        page = await s.as_user(ADA, s.api.list_orders(ListOrders()))
        order_id = page.orders[0].order_id
        assert (await cancel(s, order_id)).status is OrderStatus.CANCELLING
        s.payments.gate.set()
        outcomes: Any = await asyncio.gather(placing, return_exceptions=True)
        told = outcomes[0]
        # an engine that repeats transactions decides at once, the other with the next attempt
        assert isinstance(told, CalledOff) or told.status is OrderStatus.CANCELLING
        await later(s)
        assert s.payments.charges == 1
        await is_undone(s, order_id)


async def test_of_a_cancellation_and_a_confirmation_that_meet_one_wins(shop) -> None:
    async with shop() as s:
        for round_ in range(5):
            placing = asyncio.ensure_future(s.place(f"k{round_}"))
            page = await s.as_user(ADA, s.api.list_orders(ListOrders(limit=1)))
            while len((await s.as_user(ADA, s.api.list_orders(ListOrders()))).orders) <= round_:
                await asyncio.sleep(0)
            page = await s.as_user(ADA, s.api.list_orders(ListOrders(limit=1)))
            await cancel(s, page.orders[0].order_id)
            await asyncio.gather(placing, return_exceptions=True)
            await later(s)
            await later(s)
        ended = await s.as_user(ADA, s.api.list_orders(ListOrders()))
        assert {order.status for order in ended.orders} <= {
            OrderStatus.CANCELLED,
            OrderStatus.REJECTED,
        }
        assert s.payments.captured == {}
        assert s.inventory.stock[Sku("bread")] == 100
        assert await s.books_balance()
