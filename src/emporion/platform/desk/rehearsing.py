"""Dry runs: what a redrive or a replay would deliver, with no effect at all."""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.events.bus import Bus, Parked, ParkedStatus
from emporion.chassis.events.desk import first_id_at
from emporion.chassis.events.feed import Feed
from emporion.chassis.runtime.ports import Tasks
from emporion.contracts.refusals import HistoryPruned
from emporion.platform.audit.deliveries import MARGIN_MS, traffic_of
from emporion.platform.audit.subscribers import REACTS_TO

KEYS_MAX: Final = 100
PAGE: Final = 500
"""Rows between two rests: a millisecond or two, in which a process does nothing else."""
LOOKED_AT_MAX = 200_000
"""Looking ends there: what is more, is too much to deliver again unseen in any case."""
_AFTER: Final = (
    "SELECT position, event_id, name, key FROM outbox WHERE position > ? ORDER BY position LIMIT ?"
)


class Rehearsed(NamedTuple):
    """How many events there would be, what the first of them are about, and after which number.

    `is_more`: looking ended at LOOKED_AT_MAX, so that there are at least so many.
    """

    events: int
    keys: list[str]
    position: int = 0
    is_more: bool = False


async def rehearse_redrive(  # noqa: PLR0913 - what to look at, and for what
    bus: Bus,
    subscriber: str,
    tasks: Tasks,
    *,
    now_ms: int,
    event_ids: Sequence[str],
    name: str | None,
) -> Rehearsed:
    """What a redrive would try again. Raises UnknownSubscriber."""
    wanted = frozenset(event_ids)
    count, looked_at, keys = 0, 0, dict[str, None]()
    for status in (ParkedStatus.DEAD, ParkedStatus.WAITING):
        cursor = ""
        while looked_at < LOOKED_AT_MAX:
            page = await bus.parked(subscriber, status=status, limit=PAGE, cursor=cursor)
            looked_at += len(page.events)
            for parked in page.events:
                is_named = (not wanted or parked.event_id in wanted) and name in (None, parked.name)
                if is_named and _is_moved(parked, now_ms):
                    count += 1
                    keys.setdefault(parked.key)
            cursor = page.next_cursor
            if not cursor:
                break
            await tasks.sleep(0)
    return Rehearsed(count, list(keys)[:KEYS_MAX])


class _Row(NamedTuple):
    """An event in an outbox."""

    position: int
    event_id: str
    name: str
    key: str


async def rehearse_replay(  # noqa: PLR0913 - what to look at, and for what
    bus: Bus, publisher: Database, tasks: Tasks, *, source: str, subscriber: str, since_ms: int
) -> Rehearsed:
    """What a replay would deliver, by the publisher's outbox, from where the replay would start.

    Rests between pages. Raises HistoryPruned where the outbox is the log and begins later.
    """
    names = frozenset(REACTS_TO.get(subscriber, ()))
    is_log = bus.features.is_outbox_log
    start = await _start(publisher, source, since_ms, is_log=is_log)
    first_id = "" if is_log else first_id_at(since_ms)
    position, count, looked_at, keys = start, 0, 0, dict[str, None]()
    while names and looked_at < LOOKED_AT_MAX:
        page = await _page(publisher, position, names)
        looked_at += len(page)
        for row in page:
            if row.name in names and row.event_id >= first_id:
                count += 1
                keys.setdefault(row.key)
        if len(page) < PAGE:
            return Rehearsed(count, list(keys)[:KEYS_MAX], start)
        position = page[-1].position
        await tasks.sleep(0)
    return Rehearsed(count, list(keys)[:KEYS_MAX], start, is_more=bool(names))


async def _start(publisher: Database, source: str, since_ms: int, *, is_log: bool) -> int:
    """After which position of the outbox there is anything of that instant or later.

    Where several write to it, a little earlier: they may differ in what the time is.
    """
    if publisher.engine == "mongodb":
        return 0
    outbox = Feed(source, publisher, buffer_max=0)
    if not is_log:
        return await outbox.before(since_ms - MARGIN_MS)
    start = await outbox.before(since_ms)
    first = await outbox.first_after(0)
    if first is not None and first[0] > start + 1:
        raise HistoryPruned(f"the log of {source} begins at {first[0]}", first=first[0])
    return start


async def _page(publisher: Database, position: int, names: frozenset[str]) -> Sequence[_Row]:
    """Rows of the outbox whatever they are, so that a page is short work; documents by name."""
    if publisher.engine == "mongodb":
        found = await traffic_of(publisher).published(position, names, PAGE)
        return [_Row(each.position, each.event_id, each.name, each.key) for each in found]
    return [_Row(*row) for row in await publisher.read(partial(_rows, position))]


async def _rows(position: int, tx: Tx) -> Sequence[Row]:
    return await tx.fetch(_AFTER, position, PAGE)


def _is_moved(parked: Parked, now_ms: int) -> bool:
    if parked.status is ParkedStatus.DEAD:
        return True
    return parked.next_at_ms is not None and parked.next_at_ms > now_ms
