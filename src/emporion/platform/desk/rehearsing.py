"""Dry runs: what a redrive or a replay would deliver, with no effect at all."""

from collections.abc import Sequence
from typing import NamedTuple

from emporion.chassis.data.database import Database
from emporion.chassis.events.bus import Bus, Parked, ParkedStatus
from emporion.chassis.events.desk import first_id_at
from emporion.platform.audit.deliveries import traffic_of
from emporion.platform.audit.subscribers import REACTS_TO

KEYS_MAX = 100
PAGE = 500
EVENTS_MAX = 1_000_000
"""Counting ends there: what is more, is too much to replay unseen in any case."""


class Rehearsed(NamedTuple):
    """How many events there would be, what the first of them are about, and after which number."""

    events: int
    keys: list[str]
    position: int = 0


async def rehearse_redrive(
    bus: Bus, subscriber: str, *, now_ms: int, event_ids: Sequence[str], name: str | None
) -> Rehearsed:
    """What a redrive would try again. Raises UnknownSubscriber."""
    wanted = frozenset(event_ids)
    count, keys = 0, dict[str, None]()
    for status in (ParkedStatus.DEAD, ParkedStatus.WAITING):
        cursor = ""
        while count < EVENTS_MAX:
            page = await bus.parked(subscriber, status=status, limit=PAGE, cursor=cursor)
            for parked in page.events:
                is_named = (not wanted or parked.event_id in wanted) and name in (None, parked.name)
                if is_named and _is_moved(parked, now_ms):
                    count += 1
                    keys.setdefault(parked.key)
            cursor = page.next_cursor
            if not cursor:
                break
    return Rehearsed(count, list(keys)[:KEYS_MAX])


async def rehearse_replay(publisher: Database, subscriber: str, *, since_ms: int) -> Rehearsed:
    """What a replay would deliver, by the publisher's outbox."""
    traffic, names = traffic_of(publisher), REACTS_TO.get(subscriber, ())
    first, position, count, keys = first_id_at(since_ms), 0, 0, dict[str, None]()
    before = 0
    while names and count < EVENTS_MAX:
        page = await traffic.published(position, names, PAGE)
        for event in page:
            if event.event_id >= first:
                count += 1
                keys.setdefault(event.key)
            elif not count:
                before = event.position
        if len(page) < PAGE:
            break
        position = page[-1].position
    return Rehearsed(count, list(keys)[:KEYS_MAX], before)


def _is_moved(parked: Parked, now_ms: int) -> bool:
    if parked.status is ParkedStatus.DEAD:
        return True
    return parked.next_at_ms is not None and parked.next_at_ms > now_ms
