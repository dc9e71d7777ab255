"""Asks the store of one process: traces, one trace, log lines, metrics over time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from emporion.chassis.telemetry.metrics import Durations
from emporion.chassis.telemetry.store.records import VERSION, StoredSpan, unpacked
from emporion.chassis.telemetry.store.samples import Value
from emporion.kernel.errors import Unavailable
from emporion.platform.telling.store.writing import trace_key
from emporion.web.past.spans import in_order

CACHE_KIB: Final = 1_024
BUSY_MS: Final = 1_000
SPANS_MAX: Final = 5_000
LOGS_MAX: Final = 1_000
SAMPLES_MAX: Final = 50_000
ADDED_AT_ONCE: Final = 64
SCANNED_MAX: Final = 200_000
"""Rows that a search looks at, the newest first."""
PARTS_LATE_MS: Final = 60_000
LINES_LATE_MS: Final = 1_000
"""So much later than younger ones may have been written what began, or was logged, before them."""
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_decode_cells: Final = msgspec.msgpack.Decoder(dict[int, float | list[int | float]]).decode
_decode_labels: Final = msgspec.json.Decoder(dict[str, str]).decode


class Before(msgspec.Struct, frozen=True):
    """A place in a list: only what is older is wanted. Of one instant, trace or sequence tell."""

    at_ms: int
    trace: bytes = b""
    sequence: int = 0


LAST: Final = Before(2**62)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which traces or log lines: every condition that is given has to hold."""

    since_ms: int = 0
    until_ms: int = 2**62
    service: str = ""
    contains: str = ""
    duration_us_min: int = 0
    is_failed: bool = False
    level: str = ""
    level_min: str = ""
    trace_id: str = ""
    limit: int = 50
    before: Before = LAST


class Found(msgspec.Struct, frozen=True, gc=False):
    """A trace, by the outermost of its spans that are here."""

    trace_id: str
    at_ms: int
    duration_us: int
    name: str
    services: tuple[str, ...]
    is_failed: bool


class Point(msgspec.Struct, frozen=True, gc=False):
    """A stretch of a series: how much a count grew, what a gauge was last, or `durations`."""

    at_ms: int
    value: float
    durations: Durations | None = None


class StoredLine(msgspec.Struct, frozen=True, gc=False):
    """A log line as it was written, and its place among those of its process."""

    at_ms: int
    sequence: int
    line: bytes


class StoredSeries(msgspec.Struct, frozen=True, gc=False):
    """A series and its points in the order of time."""

    name: str
    labels: dict[str, str]
    kind: str
    points: list[Point]


class StoreReader:
    """Opens the file for each question, so that it costs nothing between them.

    A file that is not there has nothing in it. Every method raises Unavailable when the file
    cannot be read. They take milliseconds, and on a large store a second: not for the event loop.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def spans(self, trace_id: str) -> list[StoredSpan]:
        """The spans of a trace that are here, in the order in which they began."""
        sql = "SELECT spans FROM part WHERE trace = ? ORDER BY seq"
        found: list[StoredSpan] = []
        with self._opened() as ask:
            for (data,) in ask(sql, trace_key(trace_id)):
                found += unpacked(data)
                if len(found) >= SPANS_MAX:
                    break
        return in_order(found[:SPANS_MAX])

    def traces(self, wanted: Wanted) -> list[Found]:
        """Traces, the newest first; what came later of one is told with what began it."""
        sql = (
            "SELECT trace, at_ms, duration_us, name, services, is_failed FROM part"
            " WHERE at_ms BETWEEN ? AND ? AND duration_us >= ? AND is_failed >= ?"
            " AND instr(' ' || services || ' ', ?) AND instr(name, ?) AND (at_ms, trace) < (?, ?)"
            " AND seq > (SELECT coalesce(max(seq), 0) FROM part) - ? ORDER BY seq DESC"
        )
        service = f" {wanted.service} " if wanted.service else " "
        conditions = (
            *(wanted.since_ms, wanted.until_ms, wanted.duration_us_min, wanted.is_failed),
            *(service, wanted.contains, wanted.before.at_ms, wanted.before.trace, SCANNED_MAX),
        )
        found: dict[bytes, Found] = {}
        floor_ms = -1
        with self._opened() as ask:
            for row in ask(sql, *conditions):
                if row[1] < floor_ms:
                    break
                found[row[0]] = _merged(found.get(row[0]), _found(row))
                if len(found) == wanted.limit and floor_ms < 0:
                    floor_ms = min(each.at_ms for each in found.values()) - PARTS_LATE_MS
        newest = sorted(found.values(), key=lambda each: (each.at_ms, each.trace_id), reverse=True)
        return newest[: wanted.limit]

    def logs(self, wanted: Wanted) -> list[StoredLine]:
        """The newest log lines, in the order of time."""
        sql, values = _about_lines(wanted)
        limit = min(wanted.limit, LOGS_MAX)
        found: list[StoredLine] = []
        floor_ms = -1
        with self._opened() as ask:
            for row in ask(sql, *values):
                line = StoredLine(*row)
                if line.at_ms < floor_ms:
                    break
                found.append(line)
                if len(found) == limit:
                    floor_ms = min(each.at_ms for each in found) - LINES_LATE_MS
        return sorted(found, key=lambda each: (each.at_ms, each.sequence))[-limit:]

    def series(
        self, names: Sequence[str], *, since_ms: int, until_ms: int, step_ms: int = 0
    ) -> list[StoredSeries]:
        """What these metrics were, in steps of `step_ms` (0: one step); the last gauge of each."""
        with self._opened() as ask:
            every = ask("SELECT id, name, labels, kind FROM series")
            known = {row[0]: row for row in every if row[1] in names}
            sums = {number: _Sums(row[3]) for number, row in known.items()}
            rows = ask(
                "SELECT at_ms, cells FROM sample WHERE at_ms BETWEEN ? AND ? ORDER BY seq DESC"
                " LIMIT ?", since_ms, until_ms, SAMPLES_MAX,
            )  # fmt: skip
            for at_ms, data in reversed(list(rows)):
                begins_ms = at_ms - at_ms % step_ms if step_ms else since_ms
                for number, value in _decode_cells(data).items():
                    if number in sums:
                        sums[number].add(begins_ms, value)
        return [
            StoredSeries(name, _decode_labels(labels), kind, points)
            for number, name, labels, kind in known.values()
            if (points := sums[number].points())
        ]

    def names(self) -> list[str]:
        """The metrics that there are."""
        with self._opened() as ask:
            return [name for (name,) in ask("SELECT DISTINCT name FROM series ORDER BY name")]

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        if not self._path.exists():
            yield lambda *_: ()
            return
        try:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                connection.set_busy_timeout(BUSY_MS)
                connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}").fetchall()
                ((version,),) = connection.execute("PRAGMA user_version")
                is_ours = version == VERSION
                yield lambda sql, *values: connection.execute(sql, values) if is_ours else ()
            finally:
                connection.close()
        except apsw.Error as error:
            raise Unavailable(f"{self._path.name} cannot be read: {error}") from error


def _about_lines(wanted: Wanted) -> tuple[str, list[Any]]:
    """The statement that finds log lines, the last written first."""
    before = wanted.before
    conditions = [
        "at_ms BETWEEN ? AND ?",
        "(at_ms, seq) < (?, ?)",
        "seq > (SELECT max(seq) FROM log) - ?",
    ]
    values: list[Any] = [wanted.since_ms, wanted.until_ms, before.at_ms, before.sequence]
    values.append(SCANNED_MAX)
    given = {
        "trace = ?": trace_key(wanted.trace_id),
        "level = ?": wanted.level,
        "service = ?": wanted.service,
        "instr(CAST(line AS TEXT), ?)": wanted.contains,
    }
    for condition, value in given.items():
        if value:
            conditions.append(condition)
            values.append(value)
    if wanted.level_min:
        levels = _LEVELS[_LEVELS.index(wanted.level_min) :]
        conditions.append(f"level IN ({', '.join('?' * len(levels))})")
        values += levels
    where = " AND ".join(conditions)
    return f"SELECT at_ms, seq, line FROM log WHERE {where} ORDER BY seq DESC", values  # noqa: S608 - constants


def _found(row: tuple[Any, ...]) -> Found:
    trace, at_ms, duration_us, name, services, is_failed = row
    return Found(trace.hex(), at_ms, duration_us, name, tuple(services.split()), bool(is_failed))


def _merged(known: Found | None, part: Found) -> Found:
    """A trace of two parts; what began first names it."""
    if known is None:
        return part
    first = min(known, part, key=lambda each: each.at_ms)
    return Found(
        first.trace_id,
        first.at_ms,
        first.duration_us,
        first.name,
        tuple(sorted({*known.services, *part.services})),
        known.is_failed or part.is_failed,
    )


class _Sums:
    """Adds up the samples of one series, step by step.

    Many at a time: half a day is a million values, which one by one take seconds.
    """

    __slots__ = ("_is_gauge", "_steps")

    def __init__(self, kind: str) -> None:
        self._is_gauge = kind == "gauge"
        self._steps: dict[int, list[Value]] = {}

    def add(self, begins_ms: int, value: Value) -> None:
        values = self._steps.get(begins_ms)
        if values is None or self._is_gauge:
            self._steps[begins_ms] = [value]
            return
        values.append(value)
        if len(values) == ADDED_AT_ONCE:
            self._steps[begins_ms] = [_total(values)]

    def points(self) -> list[Point]:
        return [_point(at_ms, _total(values)) for at_ms, values in self._steps.items()]


def _total(values: list[Value]) -> Value:
    """The sum; of durations that were counted in other buckets before, of the newest kind."""
    last = values[-1]
    if isinstance(last, list):
        size = len(last)
        alike = [value for value in values if isinstance(value, list) and len(value) == size]
        return list(map(sum, zip(*alike, strict=True)))
    return sum(value for value in values if not isinstance(value, list))


def _point(at_ms: int, value: Value) -> Point:
    if not isinstance(value, list):
        return Point(at_ms, value)
    durations = Durations()
    durations.counts = [int(count) for count in value[:-1]]
    durations.total_s = value[-1]
    return Point(at_ms, float(durations.count), durations)
