"""Orders that gift cards pay: cards first, the payment method the rest, and all of it undone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.contracts.giftcard_refusals import GiftCardNotEnough, UnknownGiftCard
from emporion.contracts.inventory import Line, OutOfStock
from emporion.contracts.order import CallOffOrder, CancelOrder, OrderOf, PlaceOrder
from emporion.contracts.order_carts import Checkout, SplitTotal
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.payment import PaymentDeclined
from emporion.contracts.payment_tokens import NoPaymentToken
from emporion.contracts.pricing import CodeUsedUp, DetailKind
from emporion.contracts.refusals import KeyReused
from emporion.kernel.errors import InvalidArgument
from emporion.kernel.ids import GiftCardId, Sku
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.order.domain import Share, shares_of, total_of_shares
from tests.services.order.cards import card_id
from tests.services.order.fakes import ADA

A, B = "aaaa", "bbbb"
BALANCES = st.lists(st.integers(0, 1_000), max_size=5).map(
    lambda minors: [Share(GiftCardId(str(n)), minor) for n, minor in enumerate(minors)]
)


def by_card(*cards: str, key: str = "k", sku: str = "bread", token: str = "tok_ok", **more: Any):
    """Two breads at 2.50 EUR."""
    line = Line(sku=Sku(sku), quantity=2)
    return PlaceOrder(
        idempotency_key=key, lines=[line], payment_token=token, gift_cards=list(cards), **more
    )


async def place(s: Any, request: PlaceOrder) -> Any:
    return await s.as_user(ADA, s.api.place_order(request))


def told(order: Any) -> list[tuple[str, str]]:
    return [(detail.kind.value, str(detail.amount)) for detail in order.details]


@given(st.integers(0, 5_000), BALANCES)
def test_a_total_is_split_to_the_cent_and_the_rest_is_only_what_the_cards_have_not(total, balances):
    shares = shares_of(total, balances)

    paid = total_of_shares(shares)
    held = dict(balances)
    assert all(0 < minor <= held[card] for card, minor in shares)
    assert paid == min(total, sum(held.values()))
    assert [card for card, _ in shares] == [card for card in held if card in dict(shares)]
    assert all(minor == held[card] for card, minor in shares[:-1])


async def test_a_card_that_covers_it_all_leaves_nothing_to_charge(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 800)

        order = await place(s, by_card(A))

        assert order.status is OrderStatus.PAID
        assert str(order.total) == "5.00 EUR"
        assert told(order) == [("goods", "5.00 EUR"), ("gift_card", "5.00 EUR")]
        assert (order.details[1].ref, order.details[1].is_included) == (card_id(A), True)
        assert s.cards.balance_minor(A) == 300
        assert (s.payments.captured, s.payments.voided) == ({}, set())
        assert await s.as_user(ADA, s.api.get_order(OrderOf(order_id=order.order_id))) == order
        assert await place(s, by_card(A)) == order
        assert await s.books_balance()


async def test_without_a_token_cards_pay_all_or_nothing_is_taken(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 499)
        s.cards.put(B, 1)

        with pytest.raises(NoPaymentToken) as refused:
            await place(s, by_card(A, token=""))
        assert refused.value.fields["left"] == "0.01 EUR"
        with pytest.raises(NoPaymentToken):
            await place(s, by_card(token="", key="plain"))
        assert s.cards.spent == {}

        order = await place(s, by_card(A, B, token="", key="both"))

        assert order.status is OrderStatus.PAID
        assert s.payments.captured == {}
        assert await place(s, by_card(A, B, token="", key="both")) == order
        assert b'"gift_cards":[{"ending":"aaaa"' in (await payloads(s))[0]


async def test_what_cards_would_pay_is_told_and_not_taken(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 300)
        s.cards.put(B, 900)
        s.cards.put("cccc", 900, "USD")

        async def split(minor: int, *codes: str) -> Any:
            total = Money(minor, "EUR")
            asked = SplitTotal(total=total, gift_cards=list(codes))
            return await s.as_user(ADA, s.api.split_total(asked))

        both = await split(1_000, A, B)
        assert [(str(card.balance), str(card.pays)) for card in both.cards] == [
            ("3.00 EUR", "3.00 EUR"),
            ("9.00 EUR", "7.00 EUR"),
        ]
        assert both.rest == Money(0, "EUR")
        assert (await split(1_000, A)).rest == Money(700, "EUR")
        assert [card.pays.amount_minor for card in (await split(200, A, B)).cards] == [200, 0]
        with pytest.raises(CurrencyMismatch):
            await split(1_000, "cccc")
        with pytest.raises(UnknownGiftCard):
            await split(1_000, "dddd")
        with pytest.raises(InvalidArgument):
            await split(-1, A)
        assert s.cards.balance_minor(A) == 300


async def payloads(s: Any) -> list[bytes]:
    rows = await s.database.read(
        lambda tx: tx.fetch("SELECT payload FROM outbox ORDER BY position")
    )
    return [bytes(payload) for (payload,) in rows]


async def test_cards_pay_in_their_order_and_the_token_pays_the_rest(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 199)
        s.cards.put(B, 300)

        order = await place(s, by_card(B, A))

        assert told(order)[1:] == [("gift_card", "3.00 EUR"), ("gift_card", "1.99 EUR")]
        assert s.payments.captured == {order.order_id: 1}
        assert [s.cards.balance_minor(each) for each in (A, B)] == [0, 0]


async def test_an_order_that_names_no_card_asks_nobody_about_cards(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 800)

        plain, counted = await s.place("plain"), await place(s, by_card(key="c", codes=["HALF"]))
        cancel = CancelOrder(order_id=plain.order_id)
        await s.as_user(ADA, s.api.cancel_order(cancel))

        assert s.cards.calls == []
        assert DetailKind.GIFT_CARD not in {detail.kind for detail in counted.details}


async def test_a_cart_is_paid_with_a_card(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 500)
        await s.add("bread", 2)
        request = Checkout(idempotency_key="k", payment_token="tok_ok", gift_cards=[A])

        order = await s.as_user(ADA, s.api.checkout(request))

        assert s.payments.captured == {}
        assert await s.as_user(ADA, s.api.checkout(request)) == order
        assert s.cards.balance_minor(A) == 0


async def test_a_promotion_is_counted_and_a_card_pays_what_it_left(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 100)

        order = await place(s, by_card(A, codes=["HALF"]))

        assert told(order) == [
            ("goods", "5.00 EUR"),
            ("promotion", "-2.50 EUR"),
            ("gift_card", "1.00 EUR"),
        ]
        assert s.payments.captured == {order.order_id: 150}
        s.cards.put(B, 9)
        with pytest.raises(CodeUsedUp):
            await place(s, by_card(B, key="again", codes=["HALF"]))
        assert s.cards.balance_minor(B) == 9
        assert await s.books_balance()


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [({"token": "tok_declined"}, PaymentDeclined), ({"sku": "tea"}, OutOfStock)],
)
async def test_an_order_that_is_refused_gives_back_what_it_took(shop, fields, refusal) -> None:
    async with shop() as s:
        s.inventory.stock[Sku("tea")] = 1
        s.cards.put(A, 100)

        with pytest.raises(refusal):
            await place(s, by_card(A, **fields))

        assert s.cards.balance_minor(A) == 100
        assert s.inventory.held == {}
        assert s.payments.captured == {}
        assert await s.books_balance()


async def test_a_card_that_somebody_else_spent_meanwhile_undoes_the_order(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 500)
        s.cards.stolen_minor = 1

        for _ in range(2):
            with pytest.raises(GiftCardNotEnough):
                await place(s, by_card(A))

        assert s.cards.balance_minor(A) == 499
        assert (s.inventory.held, s.payments.captured) == ({}, {})
        assert await s.published() == ["orders.rejected"]
        assert await s.books_balance()


async def test_a_card_that_cannot_pay_is_refused_before_anything_is_done(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 0)
        s.cards.put(B, 500, "USD")

        for card, refusal in (
            ("none", UnknownGiftCard),
            (A, GiftCardNotEnough),
            (B, CurrencyMismatch),
        ):
            with pytest.raises(refusal):
                await place(s, by_card(card))

        assert s.cards.calls == ["find"] * 3
        assert await s.published() == []


async def test_the_same_key_with_another_card_is_another_request(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 800)
        s.cards.put(B, 800)
        await place(s, by_card(A))

        for other in (by_card(B), by_card()):
            with pytest.raises(KeyReused):
                await place(s, other)

        assert s.cards.balance_minor(B) == 800


async def test_an_answer_of_the_cards_that_was_lost_takes_nothing_twice(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 800)
        s.cards.outages = 1
        order = await place(s, by_card(A))

        s.engine._runtime.clock.advance(5)
        await s.engine.run_due()

        assert await place(s, by_card(A)) == await s.as_user(
            ADA, s.api.get_order(OrderOf(order_id=order.order_id))
        )
        assert s.cards.balance_minor(A) == 300


@pytest.mark.parametrize("balance_minor", [500, 200])
async def test_an_order_that_is_called_off_gives_back_to_the_card_and_to_the_payment(
    shop, balance_minor
) -> None:
    async with shop() as s:
        s.cards.put(A, balance_minor)
        order = await place(s, by_card(A))

        for _ in range(2):
            cancel = CancelOrder(order_id=order.order_id)
            cancelled = await s.as_user(ADA, s.api.cancel_order(cancel))
            assert cancelled.status is OrderStatus.CANCELLED

        assert s.cards.balance_minor(A) == balance_minor
        assert s.payments.captured == {}
        assert s.payments.voided == ({order.order_id} if balance_minor < 500 else set())
        assert s.cards.calls.count("undo") == 1
        assert await s.books_balance()


async def test_an_order_that_is_called_off_before_it_is_charged_gets_its_card_back(shop) -> None:
    async with shop() as s:
        s.cards.put(A, 100)
        s.payments.outages = 1
        order = await place(s, by_card(A))
        assert s.cards.balance_minor(A) == 0

        await s.api.call_off(CallOffOrder(order_id=order.order_id, reason="changed my mind"))
        s.engine._runtime.clock.advance(5)
        await s.engine.run_due()

        assert s.payments.charges == 0
        assert s.cards.balance_minor(A) == 100
        assert await s.books_balance()
