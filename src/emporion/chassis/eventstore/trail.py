"""Follows the chain of every stream of a database, of whatever kind, without reading its events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.eventstore.store import NO_HASH, chain, who_of

PAGE = 2_000
_PAGE = (
    "SELECT stream, version, type, data, at_ms, actor, trace_id, hash, cause FROM event"
    " WHERE (stream, version) > (?, ?) ORDER BY stream, version LIMIT ?"
)


@dataclass(slots=True)
class Followed:
    """A stream, followed from its first event on.

    `hashes` are those of its events as far as they are as they were written; `broken_at` is the
    version of the first that is not, 0 when all are, and `broken` says in which way.
    """

    stream: str
    hashes: list[bytes] = field(default_factory=list)
    broken_at: int = 0
    broken: str = ""

    def follow(self, row: Row) -> None:
        """Take the next event of the stream."""
        version, name, data, at_ms, actor, trace_id, hash_, cause = row
        expected = len(self.hashes) + 1
        if self.broken_at:
            return
        if version != expected:
            self.broken_at, self.broken = expected, f"event {expected} is missing"
            return
        before = self.hashes[-1] if self.hashes else NO_HASH
        who = who_of(actor, trace_id, cause)
        if chain(before, self.stream, version, name, at_ms, who, data) != hash_:
            self.broken_at = expected
            self.broken = f"event {expected} is not the one that was written"
            return
        self.hashes.append(hash_)


async def streams(database: Database, *, page: int = PAGE) -> AsyncIterator[Followed]:
    """Every stream by its name, read in pages, each of its own instant.

    Beside a running service an event may be appended to a stream after it was passed. Raises
    what a read of the database raises.
    """
    followed: Followed | None = None
    after: tuple[str, int] = ("", 0)
    while rows := await _rows(database, after, page):
        for stream, *row in rows:
            if followed is None or followed.stream != stream:
                if followed is not None:
                    yield followed
                followed = Followed(stream)
            followed.follow(tuple(row))
        after = (rows[-1][0], rows[-1][1])
    if followed is not None:
        yield followed


async def _rows(database: Database, after: tuple[str, int], limit: int) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(_PAGE, *after, limit)

    return await database.read(work)
