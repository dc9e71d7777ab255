"""What is still to come to a subscriber, told alike on every engine, over a broker and without."""

import secrets
from collections.abc import AsyncIterator

import pytest

from emporion.chassis.events.inbox import Failure
from emporion.chassis.events.reactions import Item
from emporion.chassis.events.sql_tables import event_tables
from emporion.chassis.testing import mongo
from emporion.chassis.testing.databases import sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.order import OrderCreated
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.platform.audit import deliveries as module
from emporion.platform.audit.deliveries import MARGIN_MS, deliveries, traffic_of, unread_orders
from emporion.platform.audit.traffic import events_taken, logs_are_whole, no_event_lost
from tests.engines.mongodb import mongodb_url

__all__ = ["mongodb_url", "road"]
LATER_MS = MARGIN_MS + 1


class Road:
    """An order service and a mail service, and what a broker does between them."""

    def __init__(self, source, own, clock):
        self.databases = {"order": source, "email": own}
        self.clock = clock
        self.outbox = event_tables(source).outbox()
        self.inbox = event_tables(own).inbox("order", "email")
        self._log = "nats:ORDER"

    async def told(self, work):
        return await self.databases["email"].transaction(work)

    async def hear(self):
        """The mail service begins to listen to the broker."""
        await self.told(lambda tx: self.inbox.join(tx, now_ms=1, log=self._log))

    async def publish(self, *keys):
        for key in keys:
            event = OrderCreated(
                order_id=OrderId(key),
                user_id=UserId("usr_1"),
                amount=Money(100, "EUR"),
                lines=[],
                created_at=to_datetime(self.clock.now_ms()),
            )
            await self.databases["order"].transaction(lambda tx, event=event: tx.publish(event))
            self.clock.advance(0.001)

    async def send(self):
        """The broker takes what is not sent yet, each event long after the one before."""
        sent = (await self.outbox.unsent(limit=100, held=())).rows
        for row in sent:
            self.clock.advance(LATER_MS / 1000)
            await self.outbox.mark_sent([row.position], now_ms=self.clock.now_ms())
        return [Item(*row) for row in sent]

    async def handle(self, items, *, generation=1):
        await self.told(lambda tx: self.inbox.claim(tx, items, generation=generation, now_ms=1))

    async def rewind(self, position):
        await self.told(
            lambda tx: self.inbox.rewind(tx, position=position, sequence=position, now_ms=1)
        )

    async def found(self):
        (one,) = await deliveries(self.databases)
        return one

    async def unread(self):
        return sorted(unread_orders(await deliveries(self.databases), "email"))

    async def unsent(self):
        finding = await events_taken(self.databases, await deliveries(self.databases))
        assert finding.is_warning
        return [f"{violation.subject}: {violation.detail}" for violation in finding.violations]

    async def lost(self):
        finding = no_event_lost(await deliveries(self.databases))
        return [violation.detail.split()[2] for violation in finding.violations]


@pytest.fixture(params=["sqlite", "postgres", "mongodb"])
async def road(request, tmp_path) -> AsyncIterator[Road]:
    clock = ManualClock()
    runtime = manual_runtime(clock)
    if request.param != "mongodb":
        async with (
            sql_database(request.param, tmp_path, source="order", runtime=runtime) as source,
            sql_database(request.param, tmp_path, source="email", runtime=runtime) as own,
        ):
            yield Road(source, own, clock)
        return
    url = request.getfixturevalue("mongodb_url")
    names = [f"{name}_{secrets.token_hex(4)}" for name in ("order", "email")]
    async with (
        mongo.dropped(url, names[0]),
        mongo.dropped(url, names[1]),
        mongo.mongo_database(url, names[0], source="order", runtime=runtime) as source,
        mongo.mongo_database(url, names[1], source="email", runtime=runtime) as own,
    ):
        yield Road(source, own, clock)


async def test_everything_is_to_come_to_who_has_not_begun_to_listen(road):
    await road.publish("ord_1", "ord_2")

    assert await road.unread() == ["ord_1", "ord_2"]
    assert (await road.found()).waiting == 2


async def test_what_the_broker_has_not_taken_is_told_whoever_subscribes(road):
    await road.publish("ord_1", "ord_2")
    assert await road.unsent() == []  # nobody listens to a broker: the shop has none

    await road.hear()
    assert await road.unsent() == ["order: 2 events are not sent"]
    await road.send()
    await road.publish("ord_3")
    assert await road.unsent() == ["order: 1 events are not sent"]
    await road.send()
    assert await road.unsent() == []


async def test_over_a_broker_what_is_not_in_the_inbox_is_to_come_sent_or_not(road):
    await road.hear()
    await road.publish("ord_1", "ord_2")
    first, _ = await road.send()
    await road.publish("ord_3")
    await road.handle([first])

    assert await road.unread() == ["ord_2", "ord_3"]
    assert (await road.found()).waiting == 2


async def test_pages_are_read_to_their_end(road, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    await road.hear()
    await road.publish("ord_1", "ord_2", "ord_3", "ord_4", "ord_5")
    await road.handle((await road.send())[:3])

    assert await road.unread() == ["ord_4", "ord_5"]


async def test_an_event_that_was_set_aside_does_not_wait_but_its_order_is_unread(road):
    await road.hear()
    await road.publish("ord_1", "ord_2")
    first, second = await road.send()
    failure = Failure(first, "the disk is full", 99)
    await road.told(lambda tx: road.inbox.park(tx, [], failure, now_ms=1))
    await road.handle([second])

    found = await road.found()
    assert (found.waiting, found.parked, found.dead) == (0, 1, 0)
    assert await road.unread() == ["ord_1"]
    assert await road.lost() == []


async def test_an_event_is_lost_when_the_broker_took_it_and_gave_later_ones_only(road):
    await road.hear()
    await road.publish("ord_1", "ord_2", "ord_3", "ord_4")
    first, _, third, _ = await road.send()
    await road.handle([first, third])

    assert await road.lost() == ["ord_2"]


async def test_what_waits_behind_the_newest_that_came_is_not_lost(road):
    await road.hear()
    await road.publish("ord_1", "ord_2", "ord_3")
    first, second, _ = await road.send()
    await road.handle([first, second])
    await road.publish("ord_4")

    assert await road.lost() == []
    assert (await road.found()).waiting == 2


async def test_what_came_before_the_first_that_was_handled_is_forgotten_and_not_lost(road):
    await road.hear()
    await road.publish("ord_1", "ord_2", "ord_3")
    _, second, third = await road.send()
    await road.handle([second, third])

    assert await road.lost() == []


async def test_after_a_replay_from_the_start_everything_is_to_come_again(road):
    await road.hear()
    await road.publish("ord_1", "ord_2", "ord_3")
    items = await road.send()
    await road.handle(items)
    await road.rewind(0)
    assert await road.unread() == ["ord_1", "ord_2", "ord_3"]

    await road.handle(items[:1], generation=2)

    assert await road.unread() == ["ord_2", "ord_3"]
    assert await road.lost() == []


async def test_after_a_replay_from_the_middle_what_was_handled_before_it_stays_so(road):
    await road.hear()
    await road.publish("ord_1", "ord_2", "ord_3")
    items = await road.send()
    await road.handle(items)
    await road.rewind(1)
    assert await road.unread() == []

    await road.handle(items[1:2], generation=2)

    assert await road.unread() == ["ord_3"]


async def test_a_gap_in_the_numbers_is_told_where_numbers_have_none(road):
    await road.publish("ord_1", "ord_2", "ord_3")
    source = road.databases["order"]
    if source.engine == "mongodb":
        await source.transaction(lambda tx: tx.delete_all("outbox", {"_id": 2}))
    else:
        middle = "(SELECT min(position) FROM outbox WHERE key = 'ord_2')"
        gone = f"DELETE FROM outbox WHERE position = {middle}"
        await source.transaction(lambda tx: tx.execute(gone))

    finding = await logs_are_whole({"order": source})

    if source.engine == "postgres":
        assert (finding.examined, finding.total) == (0, 0)
    else:
        assert (finding.examined, finding.total) == (2, 1)
    assert await traffic_of(source).count("outbox") == 2
