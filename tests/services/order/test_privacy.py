"""What people write about their orders: sealed in the trail, and gone with their key."""

from typing import Any

import pytest

from emporion.chassis.sealing.people import REMEMBERED_S
from emporion.contracts.order import CancelOrder, OrderOf
from emporion.contracts.order_returns import AskReturn, RefuseReturn, ReturnOf
from emporion.contracts.refusals import KeyReused
from emporion.contracts.user import UserErased
from emporion.contracts.vault import PersonOf
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import OrderId
from tests.services.order.fakes import ADA, BOB, NOW
from tests.services.order.test_returns import approved, arrived, ask, receive

WHY = "my neighbour Mary Somerville bought one"
TABLES = ("event", "saga", "outbox", "order_return", "orders", "snapshot", "idempotency")


async def everything(s: Any) -> str:
    async def work(tx: Any) -> str:
        return str([await tx.fetch(f"SELECT * FROM {table}") for table in TABLES])

    return str(await s.database.read(work))


async def told(s: Any, order_id: OrderId) -> str:
    history = await s.api.order_history(OrderOf(order_id=order_id))
    return " ".join(change.facts for change in history.changes)


async def cancel(s: Any, order_id: OrderId) -> Any:
    request = CancelOrder(order_id=order_id, reason=WHY)
    return await s.as_user(ADA, s.api.cancel_order(request))


async def erase(s: Any) -> None:
    await s.vault.destroy_key(PersonOf(person_id=ADA))
    s.engine._runtime.clock.advance(REMEMBERED_S)


async def test_why_an_order_was_cancelled_is_told_and_not_readable_at_rest(shop) -> None:
    async with shop() as s:
        order = await s.place()
        await cancel(s, order.order_id)

        assert WHY in await told(s, order.order_id)
        assert "Somerville" not in await everything(s)


async def test_why_an_undecided_order_was_called_off_is_sealed_too(shop) -> None:
    async with shop() as s:
        s.payments.outages = 1
        order = await s.place()
        await cancel(s, order.order_id)
        s.engine._runtime.clock.advance(5)
        await s.engine.run_due()

        assert "orders.rejected" in await s.published()
        assert WHY in await told(s, order.order_id)
        assert "Somerville" not in await everything(s)


async def test_what_is_written_about_a_return_is_told_and_not_readable_at_rest(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s, bread=2)
        lines = (await ask(s, order_id, "other", bread=1)).lines
        request = AskReturn(idempotency_key="r", order_id=order_id, lines=lines, reason=WHY)
        asked = await s.as_user(ADA, s.api.ask_return(request))
        refused = await s.api.refuse_return(
            RefuseReturn(return_id=asked.return_id, reason="Mrs Somerville keeps it")
        )

        assert (asked.reason, refused.reason) == (WHY, WHY)
        assert refused.note == "Mrs Somerville keeps it"
        assert "Somerville" not in await everything(s)


async def test_the_same_return_asked_for_twice_is_one_and_another_reason_another(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        first = await ask(s, order_id, bread=1)
        s.engine._runtime.clock.advance(REMEMBERED_S)

        assert (await ask(s, order_id, bread=1)).return_id == first.return_id
        other = AskReturn(
            idempotency_key="r", order_id=order_id, lines=first.lines, reason="another reason"
        )
        with pytest.raises(KeyReused):
            await s.as_user(ADA, s.api.ask_return(other))


async def test_no_reason_travels_to_the_payment_provider(shop) -> None:
    async with shop() as s:
        return_id = await approved(s, await arrived(s), bread=1)
        await receive(s, return_id, bread=1)

        assert "too dry" not in await everything(s)
        assert "too dry" not in str(vars(s.payments))


async def test_once_the_owner_is_erased_the_past_says_so_and_stands(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)
        asked = await ask(s, order_id, bread=1)
        order = await s.place("other")
        await cancel(s, order.order_id)

        await erase(s)

        assert '"reason":"erased"' in await told(s, order.order_id)
        assert (await s.api.approve_return(ReturnOf(return_id=asked.return_id))).reason == "erased"
        assert await s.books_balance()


async def test_without_the_vault_an_order_can_be_placed_and_called_off_without_a_word(
    shop,
) -> None:
    async with shop() as s:
        s.vault.is_down = True
        order = await s.place()
        with pytest.raises(Unavailable):
            await cancel(s, order.order_id)

        request = CancelOrder(order_id=order.order_id)
        cancelled = await s.as_user(ADA, s.api.cancel_order(request))

        assert cancelled.status == "cancelled"
        assert s.vault.asked == 0


async def test_the_cart_of_somebody_erased_is_emptied_and_no_others(shop) -> None:
    async with shop() as s:
        await s.add("bread", 2)
        await s.add("tea", 1, user=BOB)

        for _ in range(2):
            await s.hear(UserErased(user_id=ADA, erased_at=NOW))

        assert await s.cart() == {}
        assert await s.cart(BOB) == {"tea": 1}
