"""Refunds of orders that gift cards helped to pay: to the payment first, the rest to the cards."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.contracts.order import OrderOf
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.order_returns import ReturnOf, ReturnStatus
from emporion.contracts.payment import RefundRefused
from emporion.kernel.ids import GiftCardId, OrderId, ReturnId
from emporion.kernel.money import Money
from emporion.services.order.domain import (
    Counted,
    Return,
    Share,
    shares_back,
    shares_of,
    total_of_shares,
)
from emporion.services.order.domain import ReturnStatus as Stood
from tests.services.order.fakes import ADA
from tests.services.order.test_gift_cards import A, B, by_card
from tests.services.order.test_returns import approved, receive
from tests.services.order.test_shipments import FIRST, delivered, shipped


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, tuple[Share, ...], list[tuple[int, bool]]]:
    """A total, what cards paid of it, and refunds that together never exceed it.

    Each with whether it is refused by the payment later on, so that it never happened.
    """
    total_minor = draw(st.integers(1, 2_000))
    balances = draw(st.lists(st.integers(1, 900), min_size=1, max_size=5))
    paid = shares_of(total_minor, [Share(GiftCardId(str(n)), m) for n, m in enumerate(balances)])
    left_minor, refunds = total_minor, []
    for _ in range(draw(st.integers(0, 6))):
        refund_minor, is_refused = draw(st.integers(0, left_minor)), draw(st.booleans())
        refunds.append((refund_minor, is_refused))
        left_minor -= 0 if is_refused else refund_minor
    refunds.append((left_minor, False))
    return total_minor, paid, refunds


def returned(number: int, refund_minor: int, to_cards: tuple[Share, ...]) -> Return:
    counted: Any = (Counted("bread", 1, False, refund_minor),)  # type: ignore[arg-type]
    return Return(
        ReturnId(str(number)),
        "",
        (),
        "",
        0,
        Stood.RECEIVED,
        counted,
        to_cards=to_cards,
    )


@given(histories())
def test_nobody_gets_more_than_they_gave_and_in_the_end_each_has_exactly_that(history):
    total_minor, paid, refunds = history
    returns: list[Return] = []
    charged_minor = total_minor - total_of_shares(paid)
    gave = dict(paid)
    got, to_payment = dict.fromkeys(gave, 0), 0

    for number, (refund_minor, is_refused) in enumerate(refunds):
        back = shares_back(refund_minor, total_minor=total_minor, paid=paid, returns=returns)
        payment_minor = refund_minor - total_of_shares(back)
        assert 0 <= payment_minor <= charged_minor - to_payment
        assert not back or to_payment + payment_minor == charged_minor
        assert all(0 < minor <= gave[card] - got[card] for card, minor in back)
        if not is_refused:
            to_payment += payment_minor
            for card, minor in back:
                got[card] += minor
            returns.append(returned(number, refund_minor, back))

    assert (to_payment, got) == (charged_minor, gave)


async def arrived(s: Any, *cards: str, key: str = "k") -> OrderId:
    """Two breads at 2.50 EUR that were delivered."""
    order = await s.as_user(ADA, s.api.place_order(by_card(*cards, key=key)))
    await s.hear(shipped(order.order_id, FIRST, bread=2))
    await s.hear(delivered(order.order_id, FIRST))
    return order.order_id  # type: ignore[no-any-return]


async def one_back(s: Any, order_id: OrderId, key: str) -> Any:
    """A bread comes back."""
    return await receive(s, await approved(s, order_id, key, bread=1), key, bread=1)


async def test_a_refund_goes_to_the_payment_until_it_has_all_and_then_to_the_card(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 199)
        order_id = await arrived(s, A)
        assert s.payments.captured == {order_id: 301}

        first = await one_back(s, order_id, "1")
        assert (s.payments.refunded(order_id), s.cards.balance_minor(A)) == (250, 0)
        second = await one_back(s, order_id, "2")

        assert (s.payments.refunded(order_id), s.cards.balance_minor(A)) == (301, 199)
        assert (first.to_gift_cards, second.to_gift_cards) == (None, Money(199, "EUR"))
        assert second.refund == Money(250, "EUR")
        order = await s.as_user(ADA, s.api.get_order(OrderOf(order_id=order_id)))
        assert order.status is OrderStatus.REFUNDED
        assert await s.books_balance()


async def test_the_card_that_paid_last_is_the_first_to_get_back(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 200)
        s.cards.put(B, 300)
        order_id = await arrived(s, A, B)

        await one_back(s, order_id, "1")
        assert [s.cards.balance_minor(each) for each in (A, B)] == [0, 250]
        await one_back(s, order_id, "2")

        assert [s.cards.balance_minor(each) for each in (A, B)] == [200, 300]
        assert s.payments.refunds == {}


async def test_a_refund_that_the_payment_refuses_gives_nothing_to_a_card(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 400)
        order_id = await arrived(s, A)
        s.payments.is_refusing = True
        return_id = await approved(s, order_id, bread=1)

        with pytest.raises(RefundRefused):
            await receive(s, return_id, bread=1)

        assert s.cards.balance_minor(A) == 0
        reopened = await s.as_user(ADA, s.api.get_return(ReturnOf(return_id=return_id)))
        assert (reopened.status, reopened.to_gift_cards) == (ReturnStatus.APPROVED, None)
        s.payments.is_refusing = False
        again = await receive(s, return_id, "again", bread=1)
        assert again.to_gift_cards == Money(150, "EUR")
        assert s.cards.balance_minor(A) == 150
        assert await s.books_balance()


async def test_a_card_that_cannot_be_reached_is_given_its_money_later_and_once(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 500)
        order_id = await arrived(s, A)
        return_id = await approved(s, order_id, bread=1)
        s.cards.outages = 1
        waiting = await receive(s, return_id, bread=1)
        assert waiting.is_pending

        s.engine._runtime.clock.advance(5)
        await s.engine.run_due()

        assert s.cards.balance_minor(A) == 250
        assert (await receive(s, return_id, bread=1)).status is ReturnStatus.REFUNDED
        assert s.cards.balance_minor(A) == 250


async def test_a_return_of_an_order_without_cards_asks_nobody_about_cards(shop) -> None:
    async with shop() as s:
        order_id = await arrived(s)

        back = await one_back(s, order_id, "1")

        assert s.cards.calls == []
        assert back.to_gift_cards is None
        rows = await s.database.read(lambda tx: tx.fetch("SELECT details FROM order_return"))
        assert [len(json.loads(details)) for (details,) in rows] == [9]
