"""What TimescaleDB does with the figures by itself: adds up, compresses, forgets the details."""

from datetime import UTC, datetime, timedelta

import pytest

from emporion.contracts.analytics import AskFigures, Step
from emporion.services.analytics.audit import violations
from emporion.services.analytics.service import build
from tests.services.analytics.happenings import at, sold, some_of_everything
from tests.services.follower import Follower

REFRESH = (
    "CALL refresh_continuous_aggregate('measure_minute', NULL, NULL)",
    "CALL refresh_continuous_aggregate('measure_quarter', NULL, NULL)",
)
POLICIES = (
    "SELECT proc_name FROM timescaledb_information.jobs WHERE hypertable_schema IN"
    " (current_schema(), '_timescaledb_internal') ORDER BY proc_name"
)
COMPRESS = "SELECT count(compress_chunk(chunk)) FROM show_chunks('measure') AS chunk"
IS_COMPRESSED = (
    "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"
    " AND hypertable_schema = current_schema() AND hypertable_name = 'measure'"
)
FORGET = "SELECT count(*) FROM drop_chunks('measure', older_than => TIMESTAMPTZ '{until}')"


@pytest.fixture
def engine():
    return "timescale"


@pytest.fixture
async def counter(tmp_path):
    async with Follower(tmp_path, "timescale", "analytics", build) as follower:
        yield follower


async def figures(counter):
    ask = AskFigures(since=at(0), until=at(48), step=Step.HOUR)
    return await counter.assembly.implementation.figures(ask)


async def refresh(counter):
    for statement in REFRESH:
        await counter.database.alone(statement)


async def one(counter, sql):
    ((found,),) = await counter.database.transaction(lambda tx: tx.fetch(sql))
    return found


async def test_every_policy_is_there(counter):
    names = [row[0] for row in await counter.rows(POLICIES)]

    assert names.count("policy_refresh_continuous_aggregate") == 2
    assert {"policy_compression", "policy_retention"} <= set(names)


async def test_figures_are_the_same_before_and_after_they_are_added_up(counter):
    await counter.tell(*some_of_everything())
    before = await figures(counter)

    await refresh(counter)

    assert await figures(counter) == before
    assert before.total.orders > 70
    materialized = await one(counter, "SELECT count(*) FROM measure_quarter")
    assert materialized > 70


async def test_what_comes_late_is_added_at_the_next_refresh(counter):
    await counter.tell(*some_of_everything())
    await refresh(counter)
    before = (await figures(counter)).total.orders

    await counter.tell(sold(500, at(3)))
    await refresh(counter)

    assert (await figures(counter)).total.orders == before + 1


async def test_compressed_or_not_the_figures_are_the_same_and_late_ones_still_come(counter):
    await counter.tell(*some_of_everything())
    before = await figures(counter)

    assert await one(counter, COMPRESS) == await one(counter, IS_COMPRESSED) > 0
    assert await figures(counter) == before
    assert [found async for found in violations(counter.database)] == []

    await counter.tell(sold(500, at(3)))
    await refresh(counter)
    assert (await figures(counter)).total.orders == before.total.orders + 1


async def test_what_is_forgotten_in_detail_stays_in_the_sums(counter):
    await counter.tell(*some_of_everything())
    await refresh(counter)
    before = await figures(counter)

    until = at(24 * 30).isoformat()
    assert await one(counter, FORGET.format(until=until)) > 0

    assert await counter.rows("SELECT count(*) FROM measure") == [(0,)]
    assert await figures(counter) == before


async def test_the_refresh_that_is_planned_covers_what_comes_up_to_two_years_late(counter):
    now = datetime.now(tz=UTC).replace(second=0, microsecond=0)
    late = now - timedelta(days=700)
    await counter.tell(sold(1, now - timedelta(days=1)))
    jobs = await counter.rows(
        "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name ="
        " 'policy_refresh_continuous_aggregate' AND hypertable_schema IN"
        " (current_schema(), '_timescaledb_internal')"
    )
    for (job,) in jobs:
        await counter.database.alone(f"CALL run_job({job})")
    await counter.tell(sold(2, late))
    for (job,) in jobs:
        await counter.database.alone(f"CALL run_job({job})")

    series = await counter.assembly.implementation.figures(
        AskFigures(since=late - timedelta(hours=1), until=late + timedelta(hours=1))
    )
    assert series.total.orders == 1
