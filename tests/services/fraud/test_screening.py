"""Screening: each paid order judged once, by what was told until then."""

import asyncio
from pathlib import Path

import pytest

from emporion.contracts.fraud import (
    ListScreenings,
    PutRules,
    Rule,
    RuleKind,
    RuleParameters,
    ScreeningCompleted,
    ScreeningOf,
    Verdict,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.money import Money
from emporion.services.fraud.domain.facts import Sum
from tests.services.fraud.watch import ADA, BEA, HOUR_S, Watch, open_watch, order_id, person


async def test_an_ordinary_order_is_cleared_and_announced(watch: Watch):
    await watch.deliver(watch.paid(1))

    screening = await watch.screening(1)
    assert (screening.verdict, screening.score, screening.fired) == (Verdict.CLEAR, 0, [])
    (told,) = await watch.announced(ScreeningCompleted)
    assert (told.order_id, told.verdict, told.score) == (order_id(1), Verdict.CLEAR, 0)


async def test_an_event_that_comes_again_is_screened_and_announced_once(watch: Watch):
    await watch.deliver(watch.paid(1), watch.paid(1))
    await watch.deliver(watch.paid(1))
    await watch.deliver(watch.declined(2), watch.declined(2))
    await watch.deliver(watch.declined(2))

    assert len(await watch.announced(ScreeningCompleted)) == 1
    assert len((await watch.service.list_screenings(ListScreenings())).screenings) == 1
    trail = await watch.trail()
    assert len(trail.declined) == 2
    assert trail.sums == {"EUR": Sum(1, 1_000)}


async def test_many_orders_of_one_person_within_an_hour_count_and_say_so(watch: Watch):
    await watch.deliver(*(watch.paid(number) for number in range(1, 11)))
    await watch.deliver(watch.paid(11), watch.paid(12, BEA))

    assert await watch.score(10) == {}
    assert await watch.score(11) == {"many-orders-of-one-person": 11}
    assert await watch.score(12) == {}
    (fired,) = (await watch.screening(11)).fired
    assert (fired.weight, fired.limit) == (60, 10)
    assert fired.says == "11 orders of the person within 3600 s"


async def test_orders_older_than_the_window_do_not_count(watch: Watch):
    await watch.deliver(*(watch.paid(number) for number in range(1, 11)))
    watch.clock.advance(HOUR_S)
    await watch.deliver(watch.paid(11))

    assert await watch.score(11) == {}


async def test_declined_payments_before_an_order_count(watch: Watch):
    await watch.deliver(watch.declined(1), watch.declined(2), watch.declined(3))
    await watch.deliver(watch.paid(4))

    assert await watch.score(4) == {"declined-before": 3}


async def test_an_order_rejected_for_another_reason_is_nobodys_suspicion(watch: Watch):
    await watch.deliver(*(watch.declined(number, slug="out-of-stock") for number in range(1, 9)))
    await watch.deliver(watch.paid(9))

    assert await watch.score(9) == {}


async def test_an_attempt_that_is_told_late_counts_for_later_orders_and_revises_none(watch: Watch):
    early = [watch.declined(1), watch.declined(2), watch.declined(3)]
    watch.clock.advance(10)
    await watch.deliver(watch.paid(4))
    await watch.deliver(*early)
    await watch.deliver(watch.paid(5))

    assert await watch.score(4) == {}
    assert await watch.score(5) == {"declined-before": 3}


async def test_an_order_that_is_told_late_is_judged_by_what_was_before_it(watch: Watch):
    first = watch.paid(1)
    watch.clock.advance(10)
    await watch.deliver(*(watch.paid(number) for number in range(2, 12)))
    await watch.deliver(first)

    assert await watch.score(1) == {}


async def test_an_amount_far_above_the_mean_counts(watch: Watch):
    await watch.deliver(*(watch.paid(number, amount=Money(1_000, "EUR")) for number in (1, 2, 3)))
    await watch.deliver(watch.paid(4, amount=Money(5_000, "EUR")))
    await watch.deliver(watch.paid(5, amount=Money(10_020, "EUR")))

    assert await watch.score(4) == {}
    assert await watch.score(5) == {"far-above-the-mean": 501}


async def test_a_new_currency_counts_after_some_orders(watch: Watch):
    await watch.deliver(*(watch.paid(number) for number in (1, 2, 3)))
    await watch.deliver(watch.paid(4, amount=Money(1_000, "JPY")))

    assert await watch.score(4) == {"new-currency": 3}


async def test_a_new_account_counts_by_the_instant_in_its_id(watch: Watch):
    now_ms = watch.clock.now_ms()
    await watch.deliver(
        watch.paid(1, person(3, now_ms - 59 * 60_000)),
        watch.paid(2, person(4, now_ms - 60 * 60_000)),
        watch.paid(3, person(5, now_ms + 60_000)),
    )

    assert await watch.score(1) == {"new-account": 59 * 60}
    assert await watch.score(2) == {}
    assert await watch.score(3) == {}


async def test_a_score_at_the_threshold_holds_the_order(watch: Watch):
    await watch.hold(1)

    screening = await watch.screening(1)
    assert (screening.verdict, screening.score, screening.threshold) == (Verdict.HOLD, 100, 100)
    (told,) = await watch.announced(ScreeningCompleted)
    assert told.verdict is Verdict.HOLD


async def test_what_is_remembered_of_a_person_is_bounded(watch: Watch):
    for start in range(0, 200, 50):
        await watch.deliver(*(watch.paid(start + number) for number in range(50)))

    trail = await watch.trail()
    assert len(trail.declined) == 32
    assert trail.sums == {"EUR": Sum(200, 200_000)}


async def test_no_person_is_named_in_the_facts_that_are_kept(watch: Watch):
    await watch.deliver(watch.paid(1), watch.paid(2, BEA))

    for (facts,) in await watch.rows("SELECT facts FROM screening"):
        for who in (ADA, BEA):
            assert who.encode() not in facts
            assert bytes.fromhex(who[-16:]) not in facts


async def test_an_order_that_was_not_screened_is_not_found(watch: Watch):
    with pytest.raises(NotFound):
        await watch.service.get_screening(ScreeningOf(order_id=order_id(1)))


@pytest.mark.parametrize("verdict", [None, *Verdict])
@pytest.mark.parametrize("user_id", [None, ADA])
async def test_pages_hold_every_screening_once_newest_first(watch: Watch, verdict, user_id):
    for number in range(1, 9):
        if number % 3:
            await watch.deliver(watch.paid(number, (ADA, BEA)[number % 2]))
        else:
            await watch.hold(number, user_id=(ADA, BEA)[number % 2])
    expected = [
        number
        for number in range(8, 0, -1)
        if verdict in (None, (Verdict.CLEAR, Verdict.HOLD)[number % 3 == 0])
        and user_id in (None, (ADA, BEA)[number % 2])
    ]

    seen, cursor = [], ""
    while True:
        page = await watch.service.list_screenings(
            ListScreenings(verdict=verdict, user_id=user_id, limit=2, cursor=cursor)
        )
        seen += [int(each.order_id[4:], 16) for each in page.screenings]
        cursor = page.next_cursor
        if not cursor:
            break

    assert seen == expected


@pytest.mark.parametrize("cursor", ["1", "~", "usr_" + "0" * 32, "ord_" + "0" * 31])
async def test_a_cursor_that_is_none_of_ours_is_refused(watch: Watch, cursor: str):
    with pytest.raises(UnknownCursor):
        await watch.service.list_screenings(ListScreenings(cursor=cursor))


async def test_of_two_instances_each_order_is_screened_by_one_and_no_try_is_lost(tmp_path: Path):
    async with (
        open_watch(tmp_path, "postgres") as one,
        open_watch(tmp_path, "postgres", one.clock) as other,
    ):
        await asyncio.gather(
            *(
                (one, other)[number % 2].deliver(
                    *(one.paid(each) for each in (number * 2, number * 2 + 1))
                )
                for number in range(8)
            )
        )

        assert len((await one.service.list_screenings(ListScreenings())).screenings) == 16
        assert (await one.trail()).sums == {"EUR": Sum(16, 16_000)}


async def test_instants_are_told_as_they_were(watch: Watch):
    await watch.deliver(watch.paid(1))

    assert (await watch.screening(1)).screened_at == to_datetime(watch.clock.now_ms())


CARD = "c" * 32
ONE_CARD = PutRules(
    based_on=0,
    threshold=100,
    rules=[
        Rule(
            name="orders",
            kind=RuleKind.METHOD_VELOCITY,
            weight=1,
            parameters=RuleParameters(window_s=60, more_than=1),
        ),
        Rule(
            name="people",
            kind=RuleKind.METHOD_USERS,
            weight=1,
            parameters=RuleParameters(window_s=60, more_than=1),
        ),
    ],
)


async def test_one_payment_method_is_seen_over_all_who_use_it(watch: Watch):
    await watch.ask("put_rules", ONE_CARD)
    await watch.deliver(watch.paid(1, ADA, payment_method=CARD), watch.paid(2, BEA))
    await watch.deliver(watch.paid(3, BEA, payment_method=CARD))
    await watch.deliver(watch.declined(4, person(7), payment_method=CARD))
    await watch.deliver(watch.paid(5, ADA, payment_method=CARD))

    assert await watch.score(2) == {}
    assert await watch.score(3) == {"orders": 2, "people": 2}
    assert await watch.score(5) == {"orders": 3, "people": 3}


async def test_orders_whose_payment_method_has_no_name_are_strangers(watch: Watch):
    await watch.ask("put_rules", ONE_CARD)
    await watch.deliver(watch.paid(1, ADA), watch.paid(2, BEA))

    assert await watch.score(2) == {}
