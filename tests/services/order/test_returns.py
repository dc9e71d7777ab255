"""Returns: never more units than arrived, never more money than was paid for them, once each."""

import asyncio
from typing import Any

import pytest

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, enter, leave
from emporion.contracts.inventory import Line
from emporion.contracts.order import OrderOf
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.order_returns import (
    AskReturn,
    CountedLine,
    ListReturns,
    NotExpected,
    NotReturnable,
    ReceiveReturn,
    RefuseReturn,
    ReturnOf,
    ReturnsOf,
    ReturnStatus,
    TooManyReturns,
)
from emporion.contracts.payment import RefundExceedsCapture, RefundRefused
from emporion.contracts.refusals import KeyReused, UnknownCursor
from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import OrderId, ReturnId, Sku, WarehouseId
from emporion.kernel.money import Money
from emporion.services.order.domain import RETURNS_MAX
from tests.services.order.fakes import ADA, BOB
from tests.services.order.test_shipments import FIRST, delivered, shipped

NOBODYS = ReturnId("ret_" + "0" * 32)


async def arrived(s: Any, key: str = "k", **units: int) -> OrderId:
    """An order that was delivered."""
    order = await s.place(key, lines=units or {"bread": 2, "tea": 1})
    lines = {line.sku: line.quantity for line in order.lines}
    await s.hear(shipped(order.order_id, FIRST, **lines))
    await s.hear(delivered(order.order_id, FIRST))
    return order.order_id  # type: ignore[no-any-return]


async def ask(s: Any, order_id: OrderId, key: str = "r", user: Any = ADA, **units: int) -> Any:
    request = AskReturn(
        idempotency_key=key,
        order_id=order_id,
        lines=[Line(sku=Sku(sku), quantity=number) for sku, number in units.items()],
        reason="too dry",
    )
    return await s.as_user(user, s.api.ask_return(request))


async def approved(s: Any, order_id: OrderId, key: str = "r", **units: int) -> ReturnId:
    asked = await ask(s, order_id, key, **units)
    await s.api.approve_return(ReturnOf(return_id=asked.return_id))
    return asked.return_id  # type: ignore[no-any-return]


async def receive(
    s: Any, return_id: ReturnId, key: str = "c", *, at: str = "main", lost: int = 0, **units: int
) -> Any:
    """Receive those units; `lost` bread is written off besides."""
    lines = [CountedLine(sku=Sku(k), quantity=n, is_restocked=True) for k, n in units.items()]
    if lost:
        lines.append(CountedLine(sku=Sku("bread"), quantity=lost, is_restocked=False))
    request = ReceiveReturn(
        idempotency_key=key, return_id=return_id, warehouse_id=WarehouseId(at), lines=lines
    )
    return await s.api.receive_return(request)


async def status(s: Any, order_id: OrderId) -> Any:
    return (await s.as_user(ADA, s.api.get_order(OrderOf(order_id=order_id)))).status


async def test_a_part_of_an_order_comes_back_and_is_refunded_at_the_price_paid(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        return_id = await approved(s, order_id, bread=2)
        stock = dict(s.inventory.stock)
        s.catalog.prices[Sku("bread")] = Money(999, "EUR")

        for _ in range(2):
            done = await receive(s, return_id, bread=1, lost=1)
            assert done.status is ReturnStatus.REFUNDED
            assert done.refund == Money(500, "EUR")
        assert [each.amount for each in s.payments.refunds.values()] == [Money(500, "EUR")]
        assert s.inventory.stock[Sku("bread")] == stock[Sku("bread")] + 1
        assert await status(s, order_id) is OrderStatus.DELIVERED
        assert (await s.published())[-1] == "orders.refunded"
        assert (await s.published()).count("orders.refunded") == 1
        assert await s.books_balance()


async def test_an_order_that_comes_back_whole_is_returned_and_then_refunded(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        first = await approved(s, order_id, "r1", bread=1)
        rest = await approved(s, order_id, "r2", bread=1, tea=1)
        await receive(s, first, "c1", bread=1)
        s.payments.outages = 1
        pending = await receive(s, rest, "c2", bread=1, tea=1)
        assert pending.status is ReturnStatus.RECEIVED
        assert pending.is_pending
        assert await status(s, order_id) is OrderStatus.RETURNED
        s.engine._runtime.clock.advance(5)
        await s.engine.run_due()
        assert await status(s, order_id) is OrderStatus.REFUNDED
        assert s.payments.refunded(order_id) == 699
        with pytest.raises(NotReturnable):
            await ask(s, order_id, "r3", tea=1)
        assert await s.books_balance()


async def test_only_units_that_arrived_and_are_not_returned_can_be(shop) -> None:
    async with shop() as s:
        order = await s.place(lines={"bread": 3})
        with pytest.raises(NotReturnable):
            await ask(s, order.order_id, bread=1)
        await s.hear(shipped(order.order_id, FIRST, bread=2))
        with pytest.raises(NotReturnable):
            await ask(s, order.order_id, bread=1)
        await s.hear(delivered(order.order_id, FIRST))
        impossible: list[dict[str, Any]] = [{"bread": 3}, {"tea": 1}]
        for units in impossible:
            with pytest.raises(NotReturnable):
                await ask(s, order.order_id, **units)
        await ask(s, order.order_id, bread=2)
        with pytest.raises(NotReturnable):
            await ask(s, order.order_id, "r2", bread=1)
        assert await status(s, order.order_id) is OrderStatus.PARTLY_SHIPPED


async def test_of_returns_asked_for_at_the_same_moment_none_is_of_the_same_unit(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s, bread=2)
        outcomes = await asyncio.gather(
            *(ask(s, order_id, f"r{n}", bread=1) for n in range(5)), return_exceptions=True
        )
        assert sum(isinstance(each, NotReturnable) for each in outcomes) == 3


async def test_a_repeated_request_is_the_same_return_and_another_is_refused(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        asked = await asyncio.gather(*(ask(s, order_id, bread=1) for _ in range(4)))
        assert {each.return_id for each in asked} == {asked[0].return_id}
        with pytest.raises(KeyReused):
            await ask(s, order_id, bread=2)


async def test_a_return_is_approved_or_refused_and_then_over(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        asked = await ask(s, order_id, bread=2)
        with pytest.raises(NotInThisState):
            await receive(s, asked.return_id, bread=1)
        for reason in ("eaten", "other"):
            request = RefuseReturn(return_id=asked.return_id, reason=reason)
            refused = await s.api.refuse_return(request)
            assert (refused.status, refused.note) == (ReturnStatus.REFUSED, "eaten")
        with pytest.raises(NotInThisState):
            await s.api.approve_return(ReturnOf(return_id=asked.return_id))
        again = await approved(s, order_id, "r2", bread=2)
        await s.api.approve_return(ReturnOf(return_id=again))
        await receive(s, again, bread=2)
        with pytest.raises(NotInThisState):
            await s.api.refuse_return(RefuseReturn(return_id=again, reason="too late"))
        with pytest.raises(NotInThisState):
            await receive(s, again, "c2", bread=1)
        assert s.payments.refunded(order_id) == 500


async def test_no_more_is_counted_than_was_expected_and_what_did_not_come_is_still_there(
    shop,
) -> None:
    async with shop() as s:
        order_id = await arrived(s, bread=3)
        return_id = await approved(s, order_id, bread=2)
        impossible: list[dict[str, Any]] = [{"bread": 3}, {"tea": 1}]
        for units in impossible:
            with pytest.raises(NotExpected):
                await receive(s, return_id, **units)
        with pytest.raises(NotFound):
            await receive(s, return_id, at="nowhere", bread=1)
        await receive(s, return_id, bread=1)
        assert s.payments.refunded(order_id) == 250
        await approved(s, order_id, "r2", bread=2)


async def test_a_return_is_received_once_also_by_many_at_once(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        return_id = await approved(s, order_id, bread=2)
        same = await asyncio.gather(*(receive(s, return_id, bread=2) for _ in range(4)))
        assert {each.status for each in same} <= {ReturnStatus.REFUNDED, ReturnStatus.RECEIVED}
        others = await asyncio.gather(
            *(receive(s, return_id, f"o{n}", bread=1) for n in range(3)), return_exceptions=True
        )
        assert all(isinstance(each, NotInThisState) for each in others)
        with pytest.raises(KeyReused):
            await receive(s, return_id, bread=1)
        assert s.payments.refunded(order_id) == 500
        assert len(s.payments.refunds) == len(s.inventory.restocked) == 1


@pytest.mark.parametrize("error", [RefundRefused, RefundExceedsCapture])
async def test_a_refused_refund_leaves_the_return_to_be_received_again(shop, error) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        return_id = await approved(s, order_id, bread=2, tea=1)
        captured = s.payments.captured[order_id]
        s.payments.is_refusing = error is RefundRefused
        s.payments.captured[order_id] = 1
        for _ in range(2):
            with pytest.raises(error):
                await receive(s, return_id, bread=2, tea=1)
        seen = await s.as_user(ADA, s.api.get_return(ReturnOf(return_id=return_id)))
        assert seen.status is ReturnStatus.APPROVED
        assert error.slug in seen.note
        assert s.inventory.restocked == {}
        assert await status(s, order_id) is OrderStatus.DELIVERED
        s.payments.is_refusing, s.payments.captured[order_id] = False, captured
        again = await receive(s, return_id, "c2", bread=2, tea=1)
        assert again.status is ReturnStatus.REFUNDED
        assert await status(s, order_id) is OrderStatus.REFUNDED
        assert await s.books_balance()


@pytest.mark.parametrize("trouble", ["outages", "is_full"])
async def test_once_the_money_is_back_the_rest_is_repeated_until_it_is_done(shop, trouble) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        return_id = await approved(s, order_id, bread=1)
        setattr(s.inventory, trouble, 1)
        assert (await receive(s, return_id, bread=1)).status is ReturnStatus.RECEIVED
        s.inventory.is_full = False
        s.engine._runtime.clock.advance(5)
        await s.engine.run_due()
        assert (await receive(s, return_id, bread=1)).status is ReturnStatus.REFUNDED
        assert s.payments.refunded(order_id) == 250
        assert len(s.inventory.restocked) == 1


async def test_what_was_free_is_returned_without_a_refund(shop) -> None:
    async with shop() as s:
        s.catalog.prices[Sku("tea")] = Money(0, "EUR")
        order_id = await arrived(s, bread=1, tea=1)
        return_id = await approved(s, order_id, tea=1)
        assert (await receive(s, return_id, tea=1)).status is ReturnStatus.REFUNDED
        assert s.payments.refunds == {}


async def test_returns_are_seen_by_their_owner_and_by_staff(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        with pytest.raises(NotFound):
            await ask(s, order_id, user=BOB, bread=1)
        asked = [await ask(s, order_id, f"r{n}", bread=1) for n in range(2)]
        one, of_order = ReturnOf(return_id=asked[0].return_id), ReturnsOf(order_id=order_id)
        assert await s.as_user(ADA, s.api.get_return(one)) == asked[0]
        assert (await s.as_user(ADA, s.api.returns_of(of_order))).returns == asked
        with pytest.raises(NotFound):
            await s.as_user(BOB, s.api.get_return(one))
        with pytest.raises(NotFound):
            await s.as_user(BOB, s.api.returns_of(of_order))
        with pytest.raises(NotFound):
            await s.as_user(ADA, s.api.returns_of(ReturnsOf(order_id=OrderId("ord_" + "0" * 32))))
        clerk = Identity(Kind.PERSON, "usr_" + "c" * 32, frozenset({"returns:read"}))
        token = enter(Call(identity=clerk))
        try:
            assert await s.api.get_return(one) == asked[0]
        finally:
            leave(token)


async def test_returns_are_listed_newest_first_page_by_page(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s, bread=3)
        asked = [await ask(s, order_id, f"r{n}", bread=1) for n in range(3)]
        first = await s.api.list_returns(ListReturns(limit=2))
        rest = await s.api.list_returns(ListReturns(limit=2, cursor=first.next_cursor))
        assert [*first.returns, *rest.returns] == asked[::-1]
        assert rest.next_cursor == ""
        none = await s.api.list_returns(ListReturns(status=ReturnStatus.APPROVED))
        assert none.returns == []
        with pytest.raises(UnknownCursor):
            await s.api.list_returns(ListReturns(cursor="x"))


async def test_the_unknown_is_not_found_and_their_number_is_bounded(shop) -> None:
    async with shop() as s:
        for work in (
            s.api.approve_return(ReturnOf(return_id=NOBODYS)),
            s.api.refuse_return(RefuseReturn(return_id=NOBODYS, reason="x")),
            receive(s, NOBODYS, bread=1),
        ):
            with pytest.raises(NotFound):
                await work
        order_id = await arrived(s, bread=1)
        for number in range(RETURNS_MAX):
            asked = await ask(s, order_id, f"r{number}", bread=1)
            await s.api.refuse_return(RefuseReturn(return_id=asked.return_id, reason="no"))
        with pytest.raises(TooManyReturns):
            await ask(s, order_id, "more", bread=1)
