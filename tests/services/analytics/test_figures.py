"""What the figures say: everything once, at its own time, in its own currency, without gaps."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from emporion.contracts.analytics import (
    AskFigures,
    AskFunnel,
    AskProducts,
    BadPeriod,
    Ranking,
    Stage,
    Step,
    UnknownTimeZone,
)
from emporion.kernel.money import Money
from emporion.services.analytics.audit import violations
from tests.services.analytics.happenings import (
    START,
    at,
    cancelled,
    given_back,
    refunded,
    registered,
    rejected,
    sold,
    some_of_everything,
)
from tests.services.follower import Follower

SUMS = (
    "SELECT grain_s, at_s, what, label, number, units, amount_minor FROM tally ORDER BY 1, 2, 3, 4"
)
SUMS_OF_TIMESCALE = (
    "SELECT grain_s, CAST(extract(epoch FROM start) AS BIGINT), what, label,"
    " CAST(sum(number) AS BIGINT), CAST(sum(units) AS BIGINT), CAST(sum(amount_minor) AS BIGINT)"
    " FROM (SELECT 60 AS grain_s, * FROM measure_minute"
    " UNION ALL SELECT 900, * FROM measure_quarter) AS sums GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
)
TABLES = (
    "SELECT at_s, currency, sku, number, units, amount_minor FROM product_tally ORDER BY 1, 2, 3",
    "SELECT key, what, part, at_ms, label, units, amount_minor FROM fact ORDER BY 1, 2, 3",
)


async def stored(database) -> list[list[tuple[object, ...]]]:
    sums = SUMS_OF_TIMESCALE if database.engine == "timescale" else SUMS
    return [await database.read(lambda tx, sql=sql: tx.fetch(sql)) for sql in (sums, *TABLES)]


async def figures(counter, since=START, until=None, **more):
    ask = AskFigures(since=since, until=until or since + timedelta(days=2), **more)
    return await counter.assembly.implementation.figures(ask)


async def test_orders_revenue_and_refusals_are_told_by_day(counter):
    first, second = sold(1, at(1), ("tea", 2, 300)), sold(2, at(30), ("jam", 1, 451))
    await counter.tell(
        first,
        second,
        rejected(3, at(2)),
        rejected(4, at(2), "payment-declined"),
        rejected(5, at(3)),
        cancelled(first, at(31)),
        refunded(1, at(31), 600),
        registered(1, at(1)),
    )

    series = await figures(counter)

    monday, tuesday = (bucket.figures for bucket in series.buckets)
    assert (monday.checkouts, monday.orders, monday.rejected, monday.registered) == (4, 1, 3, 1)
    assert monday.conversion == pytest.approx(1 / 4)
    assert [(one.reason, one.orders) for one in monday.refusals] == [
        ("out-of-stock", 2),
        ("payment-declined", 1),
    ]
    (euros,) = monday.takings
    assert (euros.orders, euros.units, euros.revenue) == (1, 2, Money(600, "EUR"))
    (euros,) = tuesday.takings
    assert (euros.cancelled, euros.refunds, euros.net) == (1, 1, Money(451 - 600, "EUR"))
    assert series.total.takings[0].average == Money(526, "EUR"), "525.5, to the nearest cent"
    assert series.total.orders == 2


async def test_gaps_are_filled_with_zero_and_name_every_currency(counter):
    await counter.tell(sold(1, at(0)), sold(2, at(3.5), currency="GBP"))

    series = await figures(counter, until=at(5), step=Step.HOUR)

    assert [bucket.start for bucket in series.buckets] == [at(hour) for hour in range(5)]
    assert [bucket.figures.orders for bucket in series.buckets] == [1, 0, 0, 1, 0]
    assert {tuple(one.currency for one in bucket.figures.takings) for bucket in series.buckets} == {
        ("EUR", "GBP")
    }
    empty = series.buckets[1].figures
    assert (empty.conversion, empty.takings[0].average) == (None, None)
    assert empty.takings[1].revenue == Money(0, "GBP")


async def test_one_currency_alone_can_be_asked_for(counter):
    await counter.tell(sold(1, at(0)), sold(2, at(1), currency="GBP"), rejected(3, at(1)))

    total = (await figures(counter, currency="GBP")).total

    assert [one.currency for one in total.takings] == ["GBP"]
    assert (total.orders, total.checkouts) == (1, 2)
    assert (await figures(counter, currency="USD")).total.takings[0].orders == 0


async def test_minutes_are_told_apart(counter):
    await counter.tell(sold(1, at(0)), sold(2, START + timedelta(seconds=59)), sold(3, at(1 / 60)))

    series = await figures(counter, until=at(1), step=Step.MINUTE)

    assert len(series.buckets) == 60
    assert [bucket.figures.orders for bucket in series.buckets[:3]] == [2, 1, 0]


@pytest.mark.parametrize(
    ("zone", "offset_h"), [("UTC", 0), ("Europe/Vienna", 1), ("Asia/Kolkata", 5.5)]
)
async def test_days_begin_at_midnight_on_the_clock_that_is_asked_for(counter, zone, offset_h):
    just_before, just_after = at(24 - offset_h - 0.25), at(24 - offset_h)
    await counter.tell(sold(1, just_before), sold(2, just_after), sold(3, just_after))

    series = await figures(counter, since=at(12), until=at(36), time_zone=zone)

    by_start = {bucket.start: bucket.figures.orders for bucket in series.buckets}
    assert by_start[at(24 - offset_h)] == 2
    assert by_start[at(-offset_h)] == 1


async def test_every_day_of_a_year_with_two_changes_of_the_clock_has_its_orders(counter):
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    await counter.tell(*(sold(day, noon + timedelta(days=day)) for day in range(365)))

    series = await figures(
        counter, since=noon, until=noon + timedelta(days=364), time_zone="Europe/Vienna"
    )

    assert [bucket.figures.orders for bucket in series.buckets] == [1] * 365


async def test_an_event_that_comes_again_counts_nothing(counter):
    events = some_of_everything()
    await counter.tell(*events)
    once = await stored(counter.database)

    await counter.tell(*events)

    assert await stored(counter.database) == once


async def test_late_events_in_any_order_count_at_their_own_time(engine, tmp_path, counter):
    events = some_of_everything()
    await counter.tell(*events)
    shuffled = [*events, *events[::3]]
    random.Random(3).shuffle(shuffled)
    (tmp_path / "other").mkdir()

    async with Follower(tmp_path / "other", engine, "analytics", counter._build) as other:
        for first in range(0, len(shuffled), 17):
            await other.tell(*shuffled[first : first + 17])

        assert await stored(other.database) == await stored(counter.database)


async def test_a_subscriber_that_comes_late_ends_like_one_that_was_there_from_the_start(counter):
    events = some_of_everything()
    for first in range(0, len(events), 25):
        await counter.tell(*events[first : first + 25])

    database, assembly = await counter.latecomer()
    await counter.new_bus(database, assembly).deliver_due()

    assert await stored(database) == await stored(counter.database)


async def test_a_replay_counts_nothing_twice_and_fills_emptied_tables_as_they_were(counter):
    await counter.tell(*some_of_everything())
    before = await stored(counter.database)

    await counter.replay()
    assert await stored(counter.database) == before

    sums = "measure" if counter.database.engine == "timescale" else "tally"
    for table in ("fact", sums, "product_tally"):
        await counter.database.transaction(
            lambda tx, table=table: tx.execute(f"DELETE FROM {table}")
        )
    await counter.replay()
    assert await stored(counter.database) == before


async def test_the_figures_are_what_adding_up_the_events_gives(counter):
    events = some_of_everything()
    await counter.tell(*events)

    total = (await figures(counter, until=at(72))).total

    created = [event for event in events if type(event).__name__ == "OrderCreated"]
    sold_ids = {event.order_id for event in created}
    back = [
        event
        for event in events
        if type(event).__name__.endswith("Refunded") and event.order_id in sold_ids
    ]
    for takings in total.takings:
        mine = [event for event in created if event.amount.currency == takings.currency]
        given = [event for event in back if event.amount.currency == takings.currency]
        revenue = sum(event.amount.amount_minor for event in mine)
        refunds = sum(event.amount.amount_minor for event in given)
        assert (takings.orders, takings.revenue.amount_minor) == (len(mine), revenue)
        assert (takings.refunds, takings.net.amount_minor) == (len(given), revenue - refunds)
        assert takings.units == sum(line.quantity for event in mine for line in event.lines)
    assert len(total.takings) == 2
    assert [one async for one in violations(counter.database)] == []


async def test_a_refund_that_is_split_between_payment_and_gift_card_counts_with_both_parts(counter):
    both = [refunded(1, at(1), 100, part="a"), given_back(1, at(1), 50, part="a")]
    await counter.tell(sold(1, at(1)), *both, *both, given_back(1, at(1), 7))

    takings = (await figures(counter)).total.takings[0]
    assert (takings.refunded, takings.refunds) == (Money(157, "EUR"), 3)


async def test_money_that_went_back_for_an_order_that_never_came_about_is_not_in_the_net(counter):
    await counter.tell(refunded(1, at(1)), rejected(1, at(1)), sold(2, at(1)))

    assert (await figures(counter)).total.takings[0].net == Money(300, "EUR")


async def test_what_an_order_costs_beside_its_lines_is_revenue_of_no_product(counter):
    order = sold(1, at(1), ("tea", 1, 300))
    await counter.tell(replace(order, amount=Money(790, "EUR")))  # 4.90 for the delivery

    ask = AskProducts(since=START, until=at(24))
    (tea,) = (await counter.assembly.implementation.top_products(ask)).products

    assert (await figures(counter)).total.takings[0].revenue == Money(790, "EUR")
    assert tea.revenue == Money(300, "EUR")
    assert [one async for one in violations(counter.database)] == []


async def test_the_funnel_goes_from_checkout_to_money_kept(counter):
    orders = [sold(number, at(number)) for number in range(1, 9)]
    await counter.tell(
        *orders,
        rejected(20, at(1)),
        rejected(21, at(1), "payment-declined"),
        cancelled(orders[0], at(3)),
        cancelled(orders[1], at(3)),
        registered(1, at(0)),
    )

    funnel = await counter.assembly.implementation.funnel(AskFunnel(since=START, until=at(24)))

    assert [(one.stage, one.orders, one.share) for one in funnel.stages] == [
        (Stage.CHECKOUTS, 10, None),
        (Stage.PAID, 8, pytest.approx(0.8)),
        (Stage.KEPT, 6, pytest.approx(0.75)),
    ]
    assert funnel.registered == 1
    assert sum(one.orders for one in funnel.refusals) == 2


async def test_top_products_are_ranked_within_their_currency(counter):
    await counter.tell(
        sold(1, at(1), ("tea", 5, 100), ("jam", 2, 400)),
        sold(2, at(2), ("tea", 1, 100), ("cake", 1, 700)),
        sold(3, at(3), ("tea", 9, 90), currency="GBP"),
        sold(4, at(60), ("late", 99, 99)),
    )
    ask = counter.assembly.implementation.top_products

    by_revenue = await ask(AskProducts(since=START, until=at(24), limit=2))
    by_units = await ask(
        AskProducts(since=START, until=at(24), order_by=Ranking.UNITS, currency="EUR")
    )

    assert [(one.sku, one.revenue) for one in by_revenue.products] == [
        ("jam", Money(800, "EUR")),
        ("cake", Money(700, "EUR")),
        ("tea", Money(810, "GBP")),
    ]
    assert [(one.sku, one.units, one.orders) for one in by_units.products] == [
        ("tea", 6, 2),
        ("jam", 2, 1),
        ("cake", 1, 1),
    ]


async def test_without_a_period_the_latest_is_told(counter):
    ask = counter.assembly.implementation

    for step, buckets in ((Step.MINUTE, 60), (Step.HOUR, 24), (Step.DAY, 30)):
        series = await ask.figures(AskFigures(step=step))
        assert len(series.buckets) == buckets
        assert series.until.timestamp() * 1000 == counter.clock.now_ms()
    assert (await ask.funnel(AskFunnel())).stages[0].orders == 0
    assert (await ask.top_products(AskProducts())).products == []


@pytest.mark.parametrize(
    ("since", "until", "step"),
    [
        (at(1), at(1), Step.DAY),
        (at(2), at(1), Step.DAY),
        (at(0), at(24.5), Step.MINUTE),
        (at(0), at(24 * 31 + 1), Step.HOUR),
        (at(0), at(24 * 400 + 1), Step.DAY),
        (datetime(1969, 12, 31, tzinfo=UTC), at(-24 * 365 * 56), Step.DAY),
        (datetime(9999, 12, 31, tzinfo=UTC), datetime(9999, 12, 31, 12, tzinfo=UTC), Step.DAY),
    ],
)
async def test_a_period_that_cannot_be_told_is_refused(counter, since, until, step):
    with pytest.raises(BadPeriod):
        await figures(counter, since=since, until=until, step=step)


async def test_the_longest_periods_are_told(counter):
    assert len((await figures(counter, until=at(24), step=Step.MINUTE)).buckets) == 1_440
    assert len((await figures(counter, until=at(24 * 400))).buckets) == 400


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "Factory"])
async def test_an_unknown_time_zone_is_refused(counter, name):
    with pytest.raises(UnknownTimeZone):
        await figures(counter, time_zone=name)


async def test_too_long_a_look_at_products_or_the_funnel_is_refused(counter):
    ask = counter.assembly.implementation
    with pytest.raises(BadPeriod):
        await ask.top_products(AskProducts(since=START, until=at(24 * 93)))
    with pytest.raises(BadPeriod):
        await ask.funnel(AskFunnel(since=START, until=at(24 * 401)))


@pytest.mark.parametrize(
    "meddling",
    [
        "UPDATE tally SET number = number + 1 WHERE grain_s = 60",
        "UPDATE tally SET amount_minor = 0 WHERE grain_s = 900 AND what = 'refunded'",
        "DELETE FROM fact WHERE what = 'registered'",
        "UPDATE product_tally SET units = units + 1 WHERE sku = 'tea'",
    ],
)
async def test_figures_that_do_not_add_up_are_found(counter, meddling):
    await counter.tell(*some_of_everything())
    if counter.database.engine == "timescale":
        meddling = meddling.replace("grain_s = 60", "true").replace("grain_s = 900", "true")
        meddling = meddling.replace("UPDATE tally", "UPDATE measure")
    assert await counter.database.transaction(lambda tx: tx.execute(meddling))

    assert [one async for one in violations(counter.database)]
