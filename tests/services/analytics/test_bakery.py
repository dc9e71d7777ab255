"""All baskets of a real bakery give the figures that the till's file gives."""

from collections import Counter
from datetime import timedelta
from zoneinfo import ZoneInfo

from emporion.contracts.analytics import AskFigures, AskProducts, Ranking, Step
from emporion.platform.load.baskets_file import price_minor, slug
from tests.services.till import orders, sales

EDINBURGH = ZoneInfo("Europe/London")


async def test_every_day_and_the_best_products_are_those_of_the_till(counter, engine):
    lines = sales()
    if engine == "timescale":  # as WebAssembly it never analyses its tables
        lines = lines[:1_000]
    await counter.tell(*orders(lines))
    ask = counter.assembly.implementation
    since, until = lines[0].at, max(line.at for line in lines) + timedelta(seconds=1)

    series = await ask.figures(
        AskFigures(since=since, until=until, step=Step.DAY, time_zone="Europe/London")
    )

    day_of = {line.basket: line.at.astimezone(EDINBURGH).date() for line in reversed(lines)}
    baskets = Counter(day_of.values())
    units = Counter(day_of[line.basket] for line in lines)
    pence: Counter[object] = Counter()
    for line in lines:
        pence[day_of[line.basket]] += price_minor(line.item)
    told = {bucket.start.astimezone(EDINBURGH).date(): bucket.figures for bucket in series.buckets}
    assert {day: figures.orders for day, figures in told.items() if figures.orders} == baskets
    assert {day: figures.takings[0].units for day, figures in told.items()} == {
        day: units[day] for day in told
    }
    assert {day: figures.takings[0].revenue.amount_minor for day, figures in told.items()} == {
        day: pence[day] for day in told
    }
    assert (series.total.orders, series.total.takings[0].units) == (len(day_of), len(lines))

    window = since + timedelta(days=90)
    best = await ask.top_products(
        AskProducts(since=since, until=window, order_by=Ranking.UNITS, limit=100)
    )
    until_quarter = best.until
    start_of = {line.basket: line.at for line in reversed(lines)}
    expected = Counter(slug(line.item) for line in lines if start_of[line.basket] < until_quarter)
    assert {one.sku: one.units for one in best.products} == expected
    ranks = [one.units for one in best.products]
    assert ranks == sorted(ranks, reverse=True)
