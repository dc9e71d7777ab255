"""FigureStore on TimescaleDB: the sums are continuous aggregates over a hypertable."""

from collections.abc import Iterable

from emporion.chassis.data.database import Row, Tx
from emporion.services.analytics.adapters.sql import SqlFigures
from emporion.services.analytics.domain.buckets import Run
from emporion.services.analytics.domain.facts import MINUTE_S, Fact, tally

_MEASURE = (
    "INSERT INTO measure (at, what, label, number, units, amount_minor)"
    " VALUES (to_timestamp(CAST(? AS BIGINT)), ?, ?, ?, ?, ?)"
)
_COUNTED = (
    "SELECT (CAST(date_part('epoch', start) AS BIGINT) - ?1) / ?2, what, label,"
    " CAST(sum(number) AS BIGINT), CAST(sum(units) AS BIGINT), CAST(sum(amount_minor) AS BIGINT)"
    " FROM {view} WHERE start >= to_timestamp(CAST(?1 AS BIGINT))"
    " AND start < to_timestamp(CAST(?3 AS BIGINT)) GROUP BY 1, 2, 3"
)
_BY_MINUTE = _COUNTED.format(view="measure_minute")
_BY_QUARTER = _COUNTED.format(view="measure_quarter")


class TimescaleFigures(SqlFigures):
    """The port, on a PostgreSQL with TimescaleDB: facts and products are kept as on any other."""

    async def _count(self, tx: Tx, facts: Iterable[Fact]) -> None:
        rows = [
            (place.at_s, place.what, place.label, *added)
            for place, added in tally(facts).items()
            if place.grain_s == MINUTE_S
        ]
        await tx.execute_many(_MEASURE, rows)

    async def _sums(self, tx: Tx, run: Run, grain_s: int) -> list[Row]:
        sql = _BY_MINUTE if grain_s == MINUTE_S else _BY_QUARTER
        return await tx.fetch(sql, run.start_s, run.length_s, run.end_s)
