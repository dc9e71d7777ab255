"""How far every subscriber is with what its publishers announced, and what never came to it.

In a shop of one process a cursor counts in the publisher's outbox, and what stands above it is
still to come. Over a broker it counts in the broker's log, which is not asked: there an event is
still to come as long as the subscriber has neither handled it nor set it aside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from emporion.chassis.data.database import Database
from emporion.contracts.order import OrderCreated, OrderService
from emporion.platform.audit.subscribers import REACTS_TO
from emporion.platform.audit.traffic_mongo import MongoTraffic
from emporion.platform.audit.traffic_port import Cursor, Published, Traffic
from emporion.platform.audit.traffic_sql import SqlTraffic

PAGE = 1_000
UNREAD_MAX = 1_000_000
MARGIN_MS = 10_000
"""Two instances of a publisher may differ in what the time is."""
_ORDERED = OrderCreated.SPEC.name
_LAST = "\uffff"
"""Sorts after every event id."""


@dataclass(slots=True)
class Delivery:
    """A publisher's events on their way to a subscriber.

    Args:
        source, subscriber: the two services.
        waiting: how many events it reacts to are still to come; not those that were set aside.
        parked, dead: how many it set aside to be retried, and how many it gave up.
        over_broker: whether a broker carries them.
        unread_orders: ids of orders whose `orders.created` it has still to handle.
        passed_over: what the broker took, and what never came while later events did.
    """

    source: str
    subscriber: str
    waiting: int = 0
    parked: int = 0
    dead: int = 0
    over_broker: bool = False
    unread_orders: set[str] = field(default_factory=set)
    passed_over: list[Published] = field(default_factory=list)


def traffic_of(database: Database) -> Traffic:
    """The sagas and events of a service, on its engine."""
    return MongoTraffic(database) if database.engine == "mongodb" else SqlTraffic(database)


async def deliveries(databases: Mapping[str, Database]) -> list[Delivery]:
    """Every pair of publisher and subscriber, also one of which the subscriber knows nothing yet.

    Memory grows with what is on its way, not with what was delivered. The subscriber's cursor is
    read before the publisher's outbox: what it handles between the two counts as still to come.
    """
    found: list[Delivery] = []
    for name, database in databases.items():
        own = traffic_of(database)
        cursors = {cursor.source: cursor for cursor in await own.cursors()}
        if _ORDERED in REACTS_TO.get(name, ()) and OrderService.NAME not in cursors:
            cursors[OrderService.NAME] = Cursor(OrderService.NAME, name, 0, 1, "", 0, 0)
        found += [
            await _delivery(cursor, traffic_of(databases[cursor.source]), own)
            for cursor in cursors.values()
            if cursor.source in databases
        ]
    return found


def unread_orders(found: Sequence[Delivery], subscriber: str) -> frozenset[str]:
    """Ids of orders whose `orders.created` a subscriber has still to handle."""
    told = (each.unread_orders for each in found if each.subscriber == subscriber)
    return frozenset().union(*told)


async def _delivery(cursor: Cursor, source: Traffic, own: Traffic) -> Delivery:
    found = Delivery(
        cursor.source,
        cursor.subscriber,
        parked=cursor.parked,
        dead=cursor.dead,
        over_broker=bool(cursor.log),
    )
    names = REACTS_TO.get(cursor.subscriber, ())
    found.unread_orders.update(await own.keys_set_aside(cursor, _ORDERED, UNREAD_MAX))
    if found.over_broker:
        await _Comparison(found, cursor, own).run(source, names)
        return found
    found.waiting = await source.waiting(cursor.position, names)
    position = cursor.position
    while len(found.unread_orders) < UNREAD_MAX:
        page = await source.published(position, (_ORDERED,), PAGE)
        found.unread_orders.update(event.key for event in page)
        if len(page) < PAGE:
            break
        position = page[-1].position
    return found


class _Comparison:
    """A publisher's outbox against a subscriber's inbox, page by page."""

    def __init__(self, found: Delivery, cursor: Cursor, own: Traffic) -> None:
        self._found = found
        self._cursor = cursor
        self._own = own
        self._labels = _labels(cursor)
        self._replayed_from = ""
        self._newest_sent_ms: dict[str, int] = {}
        self._missing: list[Published] = []

    async def run(self, source: Traffic, names: Sequence[str]) -> None:
        """Fill in what is still to come, and what was passed over."""
        self._replayed_from = await self._replay_start()
        position = 0
        while names:
            page = await source.published(position, names, PAGE)
            await self._look(page)
            if len(page) < PAGE:
                break
            position = page[-1].position
        self._found.passed_over = [event for event in self._missing if self._is_passed(event)]

    async def _replay_start(self) -> str:
        """From which event id on only what the newest generation handled counts.

        A replay begins somewhere in the broker's log. Before its first event is handled that is
        known only of one from the beginning; of any other, what was handled before counts.
        """
        if len(self._labels) == 1:
            return ""
        first = await self._own.first_handled(self._labels[0])
        return first or ("" if self._cursor.position == 0 else _LAST)

    async def _look(self, page: Sequence[Published]) -> None:
        if not page:
            return
        done = await self._handled([event.event_id for event in page])
        rest = [event.event_id for event in page if event.event_id not in done]
        aside = await self._own.set_aside(self._cursor.subscriber, rest) if rest else set()
        for event in page:
            if event.event_id in done:
                self._note_handled(event)
            elif event.event_id not in aside:
                self._note_missing(event)

    async def _handled(self, event_ids: Sequence[str]) -> set[str]:
        newest, *earlier = self._labels
        done = await self._own.handled(newest, event_ids)
        before = [event_id for event_id in event_ids if event_id < self._replayed_from]
        for label in earlier if before else ():
            done |= await self._own.handled(label, before)
        return done

    def _note_handled(self, event: Published) -> None:
        if event.sent_at_ms is not None:
            newest_ms = self._newest_sent_ms.get(event.name, 0)
            self._newest_sent_ms[event.name] = max(newest_ms, event.sent_at_ms)

    def _note_missing(self, event: Published) -> None:
        self._found.waiting += 1
        if event.name == _ORDERED:
            self._found.unread_orders.add(event.key)
        # What came before the first that it handled was published before it subscribed, or its
        # inbox has forgotten it in its time.
        is_between = event.name in self._newest_sent_ms
        if is_between and event.sent_at_ms is not None and len(self._missing) < UNREAD_MAX:
            self._missing.append(event)

    def _is_passed(self, event: Published) -> bool:
        """The broker gives events in the order in which it took them."""
        sent_ms = event.sent_at_ms or 0
        return sent_ms + MARGIN_MS < self._newest_sent_ms[event.name]


def _labels(cursor: Cursor) -> list[str]:
    """The inbox's names of all generations, the newest first."""
    later = [f"{cursor.subscriber}#{number}" for number in range(cursor.generation, 1, -1)]
    return [*later, cursor.subscriber]
