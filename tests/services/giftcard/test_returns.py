"""What returns give back to cards: once for each refund, and never more than was spent."""

import asyncio

import pytest

from emporion.chassis.data.database import Tx
from emporion.contracts.giftcard import GiftCardShare, GiftCardStatus, ReturnToGiftCards
from emporion.contracts.giftcard_refusals import MoreThanSpent
from emporion.kernel.money import Money
from emporion.services.giftcard import audit
from tests.services.giftcard.till import DAY_S, order


async def give_back(till, number: int, refund_id: str, *shares) -> None:
    request = ReturnToGiftCards(
        order_id=order(number),
        refund_id=refund_id,
        shares=[
            GiftCardShare(card_id=issued.card.card_id, amount=Money(minor, "EUR"))
            for issued, minor in shares
        ],
    )
    await till.api.return_to_cards(request)


async def published(till) -> list[str]:
    async def work(tx: Tx) -> list[str]:
        return [name for (name,) in await tx.fetch("SELECT name FROM outbox")]

    return list(await till.database.read(work))


async def test_a_refund_gives_back_once_however_often_it_is_said(till):
    one, other = await till.issue(1_000), await till.issue(1_000)
    await till.spend(1, (one, 400), (other, 300))

    await asyncio.gather(*(give_back(till, 1, "rfd_1", (one, 100), (other, 300)) for _ in range(5)))

    assert [await till.balance_minor(each) for each in (one, other)] == [700, 1_000]
    assert await till.entries(one) == [
        ("issued", 1_000, 1_000),
        ("spent", -400, 600),
        ("returned", 100, 700),
    ]
    assert await published(till) == ["giftcards.refunded"]
    assert await till.complaints() == []


async def test_all_refunds_together_never_give_back_more_than_was_spent(till):
    issued = await till.issue(1_000)
    await till.spend(1, (issued, 400))

    outcomes = await asyncio.gather(
        *(give_back(till, 1, f"rfd_{number}", (issued, 150)) for number in range(5)),
        return_exceptions=True,
    )

    assert [type(each) for each in outcomes if each] == [MoreThanSpent] * 3
    assert await till.balance_minor(issued) == 900
    assert await till.complaints() == []


async def test_undoing_after_a_return_gives_back_only_the_rest(till):
    issued = await till.issue(1_000)
    await till.spend(1, (issued, 400))
    await give_back(till, 1, "rfd_1", (issued, 150))

    await till.undo(1, (issued, 400))

    assert await till.balance_minor(issued) == 1_000
    with pytest.raises(MoreThanSpent):
        await give_back(till, 1, "rfd_2", (issued, 1))
    assert await published(till) == ["giftcards.refunded"] * 2
    assert await till.complaints() == []


async def test_a_return_revives_nothing_of_an_overdue_card_but_what_it_gives_back(till):
    issued, other = await till.issue(4_300, days=10), await till.issue(500)
    await till.spend(1, (issued, 300), (other, 200))
    till.clock.advance(10 * DAY_S)  # its time is over, and nobody has written it off

    await give_back(till, 1, "rfd_1", (issued, 100), (other, 200))
    await till.time_passes(1)
    await give_back(till, 1, "rfd_2", (issued, 200))

    assert (await till.card(issued)).status is GiftCardStatus.ACTIVE
    assert await till.entries(issued) == [
        ("issued", 4_300, 4_300),
        ("spent", -300, 4_000),
        ("expired", -4_000, 0),
        ("returned", 100, 100),
        ("returned", 200, 300),
    ]
    assert await till.balance_minor(other) == 500
    assert await till.complaints() == []


async def test_an_order_that_spent_nothing_gets_nothing_back(till):
    issued = await till.issue(1_000)
    await till.undo(1, (issued, 400))

    with pytest.raises(MoreThanSpent):
        await give_back(till, 1, "rfd_1", (issued, 1))

    assert await published(till) == []
    assert await till.balance_minor(issued) == 1_000


async def test_a_return_that_was_edited_is_noticed(till):
    issued = await till.issue(1_000)
    await till.spend(1, (issued, 400))
    await give_back(till, 1, "rfd_1", (issued, 150))

    await till.change("DELETE FROM gift_card_return")

    assert await till.complaints() == [audit.RETURNED]
