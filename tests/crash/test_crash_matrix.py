"""The short form of the crash matrix: the most telling kills. `make crash` runs all of them."""

import pytest

from tests.crash.hooks import Point
from tests.crash.life import Death, Life, Template
from tests.crash.points import FIRST_START, RELAPSES, TABLE
from tests.system.shoppers import MIXES, Plan

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]

TELLING = {
    "order: after the commit of the reservation": 4,
    "order: after the provider takes the money": 4,
    "order: before the commit that confirms the order": 15,
    "order: after the commit that confirms the order": 4,
    "compensation: after the commit that turns the saga": 2,
    "cancel: after the commit that puts the refund aside": 1,
    "cancel: after the provider gives the money back": 1,
    "gift card: after the commit that spends a card": 4,
    "gift card: before the commit that undoes the spending": 2,
    "shipment: after the commit that takes it from stock": 2,
    "return: after the provider gives its money back": 2,
    "events: before the commit of a batch at email": 2,
    "checkpoint: amid the log of order is moved": 40,
}
POINTS = {point.title: point for point in TABLE}


@pytest.mark.parametrize("title", TELLING)
async def test_a_shop_killed_there_loses_nothing_and_does_nothing_twice(
    template: Template, tmp_path, title: str
):
    point, seed = POINTS[title], sorted(TELLING).index(title)
    life = Life(template.copy(tmp_path / "data"), Plan(seed=seed, mix=MIXES[point.needs]))

    outcome = await life.end_under_load(template.customers, [Death(point, TELLING[title])])

    assert outcome.complaints == []


async def test_a_shop_killed_again_while_it_recovers_loses_nothing(template, tmp_path):
    first, seconds = RELAPSES[0]
    confirming = [point for point in seconds if "confirms" in point.name]
    life = Life(template.copy(tmp_path / "data"), Plan(seed=0))

    outcome = await life.end_under_load(
        template.customers, [Death(first, 4), *(Death(point, 1) for point in confirming)]
    )

    assert outcome.complaints == []


async def test_a_shop_killed_while_it_is_furnished_opens_complete(tmp_path):
    seeding = next(point for point in FIRST_START if "demo stock" in point.name)
    life = Life(tmp_path / "data", Plan(seed=0, shoppers=4, orders_max=3))

    outcome = await life.end_at_the_first_start(Death(seeding, 1))

    assert outcome.complaints == []


def test_every_point_has_a_name_of_its_own():
    points: list[Point] = [*TABLE, *FIRST_START]
    points += [point for _, seconds in RELAPSES for point in seconds]

    assert len({point.title for point in points}) == len(points)
