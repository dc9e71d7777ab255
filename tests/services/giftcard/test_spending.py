"""What orders do with cards: whole or not at all, once, never below zero, undone to the cent."""

import asyncio
from collections import Counter

import pytest

from emporion.contracts.giftcard import GiftCardStatus, VoidGiftCard
from emporion.contracts.giftcard_refusals import (
    GiftCardExpired,
    GiftCardNotEnough,
    TooManyCodes,
    UnknownGiftCard,
)
from emporion.kernel.errors import EmporionError
from emporion.services.giftcard import audit
from tests.services.giftcard.till import BOB, DAY_S

WRONG = "0000-0000-0000-0000-0000"


async def test_an_order_spends_its_shares_once_however_often_it_is_said(till):
    one, other = await till.issue(1_000), await till.issue(500)

    for _ in range(2):
        assert await till.spend(1, (one, 1_000), (other, 200))

    assert [await till.balance_minor(each) for each in (one, other)] == [0, 300]
    assert await till.entries(other) == [("issued", 500, 500), ("spent", -200, 300)]
    assert await till.complaints() == []


async def test_an_order_that_one_of_its_cards_cannot_bear_takes_nothing_from_any(till):
    one, other = await till.issue(1_000), await till.issue(500)

    with pytest.raises(GiftCardNotEnough) as refused:
        await till.spend(1, (one, 1_000), (other, 501))

    assert refused.value.fields["card"] == other.card.ending
    assert [await till.balance_minor(each) for each in (one, other)] == [1_000, 500]
    assert await till.spend(1, (one, 1_000), (other, 500))
    assert await till.complaints() == []


async def test_two_hundred_orders_at_once_get_a_card_for_fifty_to_exactly_nothing(till):
    issued = await till.issue(50 * 250)

    async def spend(number: int) -> str:
        try:
            await till.spend(number, (issued, 250))
        except EmporionError as error:
            return error.slug
        return "spent"

    outcomes = Counter(await asyncio.gather(*(spend(number) for number in range(200))))

    assert outcomes == {"spent": 50, "gift-card-not-enough": 150}
    assert await till.balance_minor(issued) == 0
    assert await till.complaints() == []


async def test_orders_that_name_the_same_cards_the_other_way_round_do_not_block_each_other(till):
    one, other = await till.issue(10_000), await till.issue(10_000)

    await asyncio.gather(
        *(till.spend(number, (one, 1), (other, 1)) for number in range(20)),
        *(till.spend(100 + number, (other, 1), (one, 1)) for number in range(20)),
    )

    assert [await till.balance_minor(each) for each in (one, other)] == [9_960, 9_960]


async def test_undoing_gives_back_what_was_taken_and_is_repeatable(till):
    issued = await till.issue(1_000)
    await till.spend(1, (issued, 400))

    for _ in range(2):
        await till.undo(1, (issued, 400))

    assert await till.balance_minor(issued) == 1_000
    assert await till.entries(issued) == [
        ("issued", 1_000, 1_000),
        ("spent", -400, 600),
        ("undone", 400, 1_000),
    ]
    assert await till.complaints() == []


async def test_an_order_that_was_undone_before_it_came_spends_nothing_any_more(till):
    issued = await till.issue(1_000)

    await till.undo(1, (issued, 400))

    assert not await till.spend(1, (issued, 400))
    assert await till.balance_minor(issued) == 1_000
    assert await till.complaints() == []


async def test_spending_and_undoing_at_once_ends_undone(till):
    issued = await till.issue(1_000)

    await asyncio.gather(
        *(work(1, (issued, 400)) for _ in range(5) for work in (till.spend, till.undo))
    )

    assert await till.balance_minor(issued) == 1_000
    assert await till.complaints() == []


async def test_money_that_comes_back_to_an_expired_card_can_be_spent_for_ninety_days(till):
    issued = await till.issue(1_000, days=10)
    await till.spend(1, (issued, 400))
    await till.time_passes(11)
    assert await till.balance_minor(issued) == 0

    await till.undo(1, (issued, 400))

    assert await till.balance_minor(issued) == 400
    await till.time_passes(89)
    assert await till.spend(2, (issued, 100))
    await till.time_passes(1)
    with pytest.raises(GiftCardExpired):
        await till.spend(3, (issued, 100))
    assert await till.entries(issued) == [
        ("issued", 1_000, 1_000),
        ("spent", -400, 600),
        ("expired", -600, 0),
        ("undone", 400, 400),
        ("spent", -100, 300),
        ("expired", -300, 0),
    ]
    assert await till.complaints() == []


async def test_undoing_revives_nothing_of_an_overdue_card_but_what_the_order_took(till):
    issued = await till.issue(4_100, days=10)
    await till.spend(1, (issued, 100))
    till.clock.advance(10 * DAY_S)  # its time is over, and nobody has written it off

    for _ in range(2):
        await till.undo(1, (issued, 100))
        await till.time_passes(1)

    assert (await till.card(issued)).status is GiftCardStatus.ACTIVE
    assert await till.entries(issued) == [
        ("issued", 4_100, 4_100),
        ("spent", -100, 4_000),
        ("expired", -4_000, 0),
        ("undone", 100, 100),
    ]
    await till.time_passes(88)
    assert await till.balance_minor(issued) == 0
    assert await till.complaints() == []


async def test_money_that_comes_back_does_not_prolong_a_card_that_is_still_good(till):
    issued = await till.issue(1_000, days=10)
    await till.spend(1, (issued, 400))

    await till.undo(1, (issued, 400))

    assert await till.card(issued) == issued.card


async def test_money_that_comes_back_to_a_void_card_is_on_it_and_stays_there(till):
    issued = await till.issue(1_000)
    await till.spend(1, (issued, 400))
    await till.as_clerk(
        till.api.void_card(VoidGiftCard(card_id=issued.card.card_id, reason="stolen"))
    )

    await till.undo(1, (issued, 400))

    card = await till.card(issued)
    assert (card.status, card.balance.amount_minor) == (GiftCardStatus.VOID, 400)
    assert await till.complaints() == []


async def test_codes_are_found_in_their_order_and_each_card_once(till):
    one, other = await till.issue(1_000), await till.issue(500)

    found = await till.find(other.code, one.code.lower(), other.code.replace("-", " "))

    assert [card.card_id for card in found.cards] == [other.card.card_id, one.card.card_id]
    assert [card.balance.amount_minor for card in found.cards] == [500, 1_000]


async def test_an_empty_card_is_refused_when_it_is_named(till):
    issued = await till.issue(100)
    await till.spend(1, (issued, 100))

    with pytest.raises(GiftCardNotEnough):
        await till.find(issued.code)


async def test_whoever_tries_codes_has_to_wait_and_nobody_else(till):
    issued = await till.issue()

    for _ in range(5):
        with pytest.raises(UnknownGiftCard):
            await till.find(issued.code, WRONG)
    with pytest.raises(TooManyCodes) as refused:
        await till.find(issued.code)

    assert refused.value.fields["retry_after_s"] == 1
    assert (await till.find(issued.code, by=BOB)).cards
    till.clock.advance(1)
    assert (await till.find(issued.code)).cards


async def test_codes_tried_all_at_once_are_slowed_down_like_those_in_a_row(till):
    async def guess() -> str:
        try:
            await till.find(WRONG)
        except EmporionError as error:
            return error.slug
        return "found"

    outcomes = Counter(await asyncio.gather(*(guess() for _ in range(40))))

    assert outcomes == {"unknown-gift-card": 5, "too-many-gift-card-codes": 35}


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        ("UPDATE gift_card SET balance_minor = balance_minor + 1", audit.LEDGER),
        ("DELETE FROM gift_card_entry WHERE kind = 'adjusted'", audit.LEDGER),
        ("UPDATE gift_card_entry SET balance_minor = 7 WHERE version = 1", audit.RUNNING),
        ("UPDATE gift_card_spending SET returned_minor = 1", audit.SPENT),
        ("UPDATE gift_card_entry SET order_id = 'ord_x' WHERE kind = 'spent'", audit.OWNED),
    ],
)
async def test_an_edit_of_the_books_is_noticed(till, edit, check):
    issued = await till.issue(1_000)
    await till.spend(1, (issued, 400))
    await till.change(
        "INSERT INTO gift_card_entry SELECT card_id, 3, 'adjusted', 0, 600, '', '', '', 0"
        " FROM gift_card"
    )
    await till.change("UPDATE gift_card SET version = 3")
    assert await till.complaints() == []

    await till.change(edit)

    assert check in await till.complaints()


async def test_what_orders_took_is_told_for_each(till):
    one, other = await till.issue(1_000), await till.issue(1_000)
    await till.spend(2, (one, 100), (other, 50))
    await till.spend(1, (one, 10))
    await till.undo(1, (one, 10))

    told = [each async for each in audit.spendings(till.database)]

    assert [each[1:] for each in told] == [(10, 10, 0, "EUR"), (150, 0, 0, "EUR")]
