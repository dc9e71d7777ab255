"""What staff do with cards, and what time does: every change is in the ledger, and adds up."""

import pytest

from emporion.contracts.giftcard import (
    AdjustGiftCard,
    GiftCardByCode,
    GiftCardOf,
    GiftCardStatus,
    ListGiftCardEntries,
    ListGiftCards,
    VoidGiftCard,
)
from emporion.contracts.giftcard_refusals import (
    BadGiftCard,
    GiftCardExpired,
    GiftCardNotEnough,
    GiftCardVoid,
    NoGiftCardKey,
    UnknownGiftCard,
)
from emporion.contracts.refusals import KeyReused, UnknownCursor
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import GiftCardId
from emporion.kernel.money import Money
from tests.services.giftcard.till import CLERK, open_till


def adjusting(issued, minor: int, *, key: str = "k", currency: str = "EUR", reason: str = "r"):
    return AdjustGiftCard(
        idempotency_key=key,
        card_id=issued.card.card_id,
        amount=Money(minor, currency),
        reason=reason,
    )


def voiding(issued) -> VoidGiftCard:
    return VoidGiftCard(card_id=issued.card.card_id, reason="stolen")


async def test_a_card_tells_its_code_once_and_keeps_only_a_hash_of_it(till):
    issued = await till.issue(2_500)

    bare = issued.code.replace("-", "")
    assert issued.code not in await till.stored()
    assert bare not in await till.stored()
    assert bare.endswith(issued.card.ending)
    assert (issued.card.issued_by, issued.card.status) == (CLERK, GiftCardStatus.ACTIVE)
    assert await till.card(issued) == issued.card
    assert await till.entries(issued) == [("issued", 2_500, 2_500)]
    assert await till.complaints() == []


async def test_whoever_has_the_code_sees_the_balance_however_it_is_typed(till):
    issued = await till.issue(2_500, days=10)

    for typed in (issued.code, issued.code.lower(), issued.code.replace("-", "")):
        told = await till.api.card_balance(GiftCardByCode(code=typed))
        assert told.balance == Money(2_500, "EUR")
        assert told.expires_at == issued.card.expires_at
        assert told.ending == issued.card.ending
    with pytest.raises(UnknownGiftCard):
        await till.api.card_balance(GiftCardByCode(code="0000-0000-0000-0000-0000"))


async def test_a_card_that_nobody_could_spend_is_not_issued(till):
    for amount_minor, days in ((0, 0), (-1, 0), (10**11 + 1, 0), (100, -1)):
        with pytest.raises(BadGiftCard):
            await till.issue(amount_minor, days=days)

    assert (await till.api.list_cards(ListGiftCards())).cards == []


async def test_without_a_key_there_are_no_cards(engine, tmp_path):
    async with open_till(tmp_path, engine, key="") as till:
        for work in (
            till.issue(),
            till.find("0000-0000-0000-0000-0000"),
            till.api.card_balance(GiftCardByCode(code="0000-0000-0000-0000-0000")),
        ):
            with pytest.raises(NoGiftCardKey):
                await work


async def test_with_another_key_no_code_opens_a_card(engine, tmp_path):
    async with open_till(tmp_path, engine) as till:
        issued = await till.issue()
    async with open_till(tmp_path, engine, key="another") as till:
        with pytest.raises(UnknownGiftCard):
            await till.balance_minor(issued)


async def test_an_adjustment_happens_once_for_its_key_and_says_who_and_why(till):
    issued = await till.issue(1_000)

    for _ in range(2):
        card = await till.as_clerk(till.api.adjust_card(adjusting(issued, -300)))
        assert card.balance == Money(700, "EUR")
    with pytest.raises(KeyReused):
        await till.as_clerk(till.api.adjust_card(adjusting(issued, -301)))
    await till.as_clerk(till.api.adjust_card(adjusting(issued, 50, key="another")))

    page = await till.api.list_entries(ListGiftCardEntries(card_id=issued.card.card_id))
    assert (page.entries[0].actor, page.entries[0].reason) == (CLERK, "r")
    assert await till.entries(issued) == [
        ("issued", 1_000, 1_000),
        ("adjusted", -300, 700),
        ("adjusted", 50, 750),
    ]
    assert await till.complaints() == []


async def test_an_adjustment_that_cannot_be_changes_nothing(till):
    issued = await till.issue(1_000)

    for wrong, refusal in (
        (adjusting(issued, 0), BadGiftCard),
        (adjusting(issued, 1, currency="USD"), BadGiftCard),
        (adjusting(issued, 10**11), BadGiftCard),
        (adjusting(issued, -1_001), GiftCardNotEnough),
    ):
        with pytest.raises(refusal):
            await till.as_clerk(till.api.adjust_card(wrong))

    assert await till.entries(issued) == [("issued", 1_000, 1_000)]


async def test_a_void_card_is_worth_nothing_for_good(till):
    issued = await till.issue(1_000)

    for _ in range(2):
        card = await till.as_clerk(till.api.void_card(voiding(issued)))
        assert (card.status, card.balance) == (GiftCardStatus.VOID, Money(0, "EUR"))

    for work in (
        till.find(issued.code),
        till.spend(1, (issued, 1)),
        till.as_clerk(till.api.adjust_card(adjusting(issued, 1))),
    ):
        with pytest.raises(GiftCardVoid):
            await work
    assert await till.entries(issued) == [("issued", 1_000, 1_000), ("voided", -1_000, 0)]
    assert await till.complaints() == []


async def test_a_card_expires_in_its_time_and_is_refused_before_that_is_written_down(till):
    issued, other = await till.issue(1_000, days=10), await till.issue(500)
    till.clock.advance(10 * 24 * 3_600)

    assert (await till.card(issued)).status is GiftCardStatus.EXPIRED
    for work in (
        till.find(issued.code),
        till.spend(1, (issued, 1)),
        till.as_clerk(till.api.adjust_card(adjusting(issued, 1))),
    ):
        with pytest.raises(GiftCardExpired):
            await work
    for _ in range(2):
        await till.time_passes(1)

    assert await till.entries(issued) == [("issued", 1_000, 1_000), ("expired", -1_000, 0)]
    assert await till.balance_minor(other) == 500
    assert await till.complaints() == []


async def test_the_alarm_says_when_the_next_card_expires(till):
    (alarm,) = till.assembly.alarms
    assert await alarm._run_due() is None
    await till.issue()
    assert await alarm._run_due() is None
    later, sooner = await till.issue(days=20), await till.issue(days=10)

    due_ms = await alarm._run_due()

    assert due_ms == round(sooner.card.expires_at.timestamp() * 1_000)
    await till.time_passes(10)
    assert await alarm._run_due() == round(later.card.expires_at.timestamp() * 1_000)


async def test_cards_are_listed_newest_first_and_narrowed(till):
    euros = [await till.issue(100 + number) for number in range(3)]
    dollars = await till.issue(100, currency="USD")
    await till.as_clerk(till.api.void_card(voiding(euros[0])))

    async def listed(**wanted):
        ids, cursor = [], ""
        while True:
            page = await till.api.list_cards(ListGiftCards(limit=1, cursor=cursor, **wanted))
            ids += [card.card_id for card in page.cards]
            cursor = page.next_cursor
            if not cursor:
                return ids

    everything = [each.card.card_id for each in (dollars, *reversed(euros))]
    assert await listed() == everything
    assert await listed(currency="USD") == everything[:1]
    assert await listed(status=GiftCardStatus.VOID) == everything[3:]
    assert await listed(status=GiftCardStatus.ACTIVE, currency="EUR") == everything[1:3]
    with pytest.raises(UnknownCursor):
        await till.api.list_cards(ListGiftCards(cursor="nonsense"))


async def test_a_ledger_is_told_page_by_page(till):
    issued = await till.issue(1_000)
    for number in range(4):
        await till.as_clerk(till.api.adjust_card(adjusting(issued, 1, key=str(number))))
    seen, cursor = [], ""

    while True:
        request = ListGiftCardEntries(card_id=issued.card.card_id, limit=2, cursor=cursor)
        page = await till.api.list_entries(request)
        seen += [entry.balance.amount_minor for entry in page.entries]
        cursor = page.next_cursor
        if not cursor:
            break

    assert seen == [1_004, 1_003, 1_002, 1_001, 1_000]
    for wrong in ("-1", "x", "9" * 30):
        with pytest.raises(UnknownCursor):
            await till.api.list_entries(
                ListGiftCardEntries(card_id=issued.card.card_id, cursor=wrong)
            )


async def test_what_there_is_not_is_not_found(till):
    nothing = GiftCardId("gft_" + "0" * 32)
    for work in (
        till.api.get_card(GiftCardOf(card_id=nothing)),
        till.api.list_entries(ListGiftCardEntries(card_id=nothing)),
        till.as_clerk(till.api.void_card(VoidGiftCard(card_id=nothing, reason=""))),
    ):
        with pytest.raises(NotFound):
            await work
