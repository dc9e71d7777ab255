"""Writes the store: in batches, off the order path, within its bounds of bytes and hours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw
import msgspec

from emporion.chassis.telemetry.store.records import SCHEMA, VERSION, LogRow, Part, packed
from emporion.chassis.telemetry.store.samples import Sample
from emporion.kernel.errors import Unavailable

CACHE_KIB: Final = 256
WAL_PAGES: Final = 250
PRUNED_AT_ONCE: Final = 2_000
PRUNE_SHARE: Final = 0.9
"""What is pruned for its size is pruned down to this share of the bound."""
STEPS: Final = 20
HOUR_MS: Final = 3_600_000
TABLES: Final = ("part", "log", "sample")
_encode: Final = msgspec.msgpack.Encoder().encode
_labels: Final = msgspec.json.Encoder().encode


class Limits(msgspec.Struct, frozen=True):
    """What the file may hold: so many bytes, of so many hours."""

    bytes_max: int
    hours: int


class StoreWriter:
    """The one writer of a file. Used by one thread at a time.

    A commit does not wait for the disk: what the last second told may be lost with the power,
    which nobody's order is.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        try:
            self._connection = _open(path)
            self._page_bytes = int(self._pragma("page_size"))
        except apsw.Error as error:
            raise Unavailable(f"cannot open {path.name}: {error}") from error
        self._series: list[int] = []
        """The ids of a sample's series in the file, in their order; only what is committed."""

    def write(self, parts: Sequence[Part], logs: Sequence[LogRow], sample: Sample | None) -> None:
        """Store all of it. Raises Unavailable when it cannot be (a full disk): none is then.

        All samples are of one sampler.
        """
        connection = self._connection
        more: list[int] = []
        try:
            with connection:
                connection.executemany(
                    "INSERT INTO part (trace, at_ms, duration_us, name, services, is_failed, spans)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [_row(part) for part in parts],
                )
                connection.executemany(
                    "INSERT INTO log (at_ms, trace, level, service, line) VALUES (?, ?, ?, ?, ?)",
                    [
                        (row.at_ms, trace_key(row.trace_id), row.level, row.service, row.line)
                        for row in logs
                    ],
                )
                if sample is not None:
                    more = self._write_sample(sample)
        except apsw.Error as error:
            raise Unavailable(f"telemetry cannot be stored: {error}") from error
        self._series += more

    def prune(self, now_ms: int) -> None:
        """Forget what is too old, and the oldest of what is too much. Raises Unavailable."""
        horizon_ms = now_ms - self._limits.hours * HOUR_MS
        try:
            self._forget_before(horizon_ms)
            if self.used_bytes > self._limits.bytes_max:
                self._shrink(now_ms)
        except apsw.Error as error:
            raise Unavailable(f"telemetry cannot be pruned: {error}") from error

    @property
    def used_bytes(self) -> int:
        """What is in the file; its free pages are used again."""
        pages = int(self._pragma("page_count")) - int(self._pragma("freelist_count"))
        return pages * self._page_bytes

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _write_sample(self, sample: Sample) -> list[int]:
        """The ids of the series that no committed sample had."""
        more: list[int] = []
        for series in sample.series[len(self._series) :]:
            labels = _labels(dict(series.labels)).decode()
            self._connection.execute(
                "INSERT INTO series (name, labels, kind) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (series.name, labels, series.kind),
            )
            ((stored,),) = self._connection.execute(
                "SELECT id FROM series WHERE name = ? AND labels = ?", (series.name, labels)
            )
            more.append(stored)
        ids = [*self._series, *more]
        cells = {ids[number - 1]: value for number, value in sample.values.items()}
        self._connection.execute(
            "INSERT INTO sample (at_ms, cells) VALUES (?, ?)", (sample.at_ms, _encode(cells))
        )
        return more

    def _shrink(self, now_ms: int) -> None:
        """Move the beginning of what is kept, the same of everything, until it is little enough."""
        while self.used_bytes > self._limits.bytes_max * PRUNE_SHARE:
            oldest_ms = self._oldest_ms()
            if oldest_ms is None or oldest_ms >= now_ms:
                return
            self._forget_before(oldest_ms + max(1, (now_ms - oldest_ms) // STEPS))

    def _oldest_ms(self) -> int | None:
        found = [
            row[0]
            for table in TABLES
            for row in self._connection.execute(
                f"SELECT at_ms FROM {table} ORDER BY seq LIMIT 1"  # noqa: S608 - a constant
            )
        ]
        return min(found, default=None)

    def _forget_before(self, horizon_ms: int) -> None:
        """Forget the beginning of each table: they were written in the order of time, roughly."""
        for table in TABLES:
            keep = f"SELECT min(seq) FROM {table} WHERE at_ms >= ?"  # noqa: S608 - a constant
            ((first,),) = self._connection.execute(keep, (horizon_ms,))
            delete = f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table}"  # noqa: S608 - a constant
            where = "" if first is None else f" WHERE seq < {first:d}"
            while True:
                with self._connection:
                    self._connection.execute(
                        f"{delete}{where} ORDER BY seq LIMIT {PRUNED_AT_ONCE})"
                    )
                    if self._connection.changes() < PRUNED_AT_ONCE:
                        break

    def _pragma(self, name: str) -> int:
        ((value,),) = self._connection.execute(f"PRAGMA {name}")
        return int(value)


def trace_key(trace_id: str) -> bytes | None:
    """A trace id as it is stored; None: there is none."""
    return bytes.fromhex(trace_id) if trace_id else None


def _row(part: Part) -> tuple[bytes | None, int, int, str, str, int, bytes]:
    return (
        trace_key(part.trace_id),
        part.at_ms,
        part.duration_us,
        part.name,
        part.services,
        int(part.is_failed),
        packed(part.spans),
    )


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), statementcachesize=16)
    connection.set_busy_timeout(1_000)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=OFF",
        f"wal_autocheckpoint={WAL_PAGES}",
        f"journal_size_limit={WAL_PAGES * 4096}",
        f"cache_size=-{CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    ((version,),) = connection.execute("PRAGMA user_version")
    if version not in (0, VERSION):
        for table in (*TABLES, "series"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(SCHEMA)
    connection.execute(f"PRAGMA user_version={VERSION}")
    return connection
