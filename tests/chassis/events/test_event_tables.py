"""What a database keeps of events, on each engine: one body of tests over the ports."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.events.bus import ParkedStatus
from emporion.chassis.events.inbox import CursorMoved, Failure
from emporion.chassis.events.reactions import Item
from emporion.chassis.events.sql_tables import event_tables
from emporion.chassis.testing import mongo
from emporion.chassis.testing.databases import sqlite_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.inventory import ReservationStatus, StockReleased
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import DeadlineExceeded, Internal
from emporion.kernel.ids import OrderId
from tests.engines.mongodb import mongodb_url

__all__ = ["mongodb_url", "shelf"]
NOW_MS = 5_000


class Shelf:
    """A database with its ports, and short words for what the tests do to it."""

    def __init__(self, database, clock):
        self.database = database
        self.clock = clock
        self.tables = event_tables(database)
        self.inbox = self.tables.inbox("order", "email")

    async def do(self, method, *args, **named):
        """Call a method of the inbox in a transaction of its own."""
        return await self.database.transaction(lambda tx: method(tx, *args, **named))

    async def look(self, method, **named):
        return await self.database.read(lambda tx: method(tx, **named))

    async def publish(self, *keys):
        for key in keys:
            event = StockReleased(
                order_id=key,
                status=ReservationStatus.RELEASED,
                released_at=to_datetime(self.clock.now_ms()),
            )
            await self.database.transaction(lambda tx, event=event: tx.publish(event))


@pytest.fixture(params=["sqlite", "mongodb"])
async def shelf(request, tmp_path) -> AsyncIterator[Shelf]:
    clock = ManualClock()
    runtime = manual_runtime(clock)
    if request.param == "sqlite":
        async with sqlite_database(tmp_path, source="inventory", runtime=runtime) as database:
            yield Shelf(database, clock)
        return
    url, name = request.getfixturevalue("mongodb_url"), f"events_{secrets.token_hex(4)}"
    async with (
        mongo.dropped(url, name),
        mongo.mongo_database(url, name, source="inventory", runtime=runtime) as documents,
    ):
        yield Shelf(documents, clock)


def item(number, key="k"):
    return Item(number, f"evt_{number:032x}", "orders.created", key, 1_000 + number, b"{}")


async def test_a_batch_is_claimed_once_and_a_new_generation_has_claimed_nothing(shelf):
    batch = [item(1), item(2)]

    first = await shelf.do(shelf.inbox.claim, batch, generation=1, now_ms=NOW_MS)
    again = await shelf.do(shelf.inbox.claim, [*batch, item(3)], generation=1, now_ms=NOW_MS)
    replayed = await shelf.do(shelf.inbox.claim, batch, generation=2, now_ms=NOW_MS)

    assert first == replayed == {each.event_id for each in batch}
    assert again == {item(3).event_id}


async def test_a_claim_whose_reaction_fails_was_never_made(shelf):
    async def fail(tx):
        await shelf.inbox.claim(tx, [item(1)], generation=1, now_ms=NOW_MS)
        raise Internal("the reaction failed")

    with pytest.raises(Internal):
        await shelf.database.transaction(fail)

    claimed = await shelf.do(shelf.inbox.claim, [item(1)], generation=1, now_ms=NOW_MS)
    assert claimed == {item(1).event_id}


async def test_the_cursor_moves_only_from_where_it_was_left(shelf):
    assert await shelf.look(shelf.inbox.state) is None
    await shelf.do(shelf.inbox.join, now_ms=NOW_MS)
    await shelf.do(shelf.inbox.advance, generation=1, before=0, after=7, now_ms=NOW_MS)
    await shelf.do(shelf.inbox.join, now_ms=NOW_MS)

    with pytest.raises(CursorMoved):
        await shelf.do(shelf.inbox.advance, generation=1, before=0, after=8, now_ms=NOW_MS)

    assert await shelf.look(shelf.inbox.state) == (7, 1, False, None, "")


async def test_a_paused_cursor_does_not_advance(shelf):
    await shelf.do(shelf.inbox.join, now_ms=NOW_MS)
    await shelf.do(shelf.inbox.pause, is_paused=True, now_ms=NOW_MS)

    with pytest.raises(CursorMoved):
        await shelf.do(shelf.inbox.advance, generation=1, before=0, after=7, now_ms=NOW_MS)

    assert (await shelf.look(shelf.inbox.state)).is_paused


async def test_a_cursor_begins_anew_in_another_log(shelf):
    await shelf.do(shelf.inbox.join, now_ms=NOW_MS)
    stood = await shelf.look(shelf.inbox.state)

    await shelf.do(shelf.inbox.move, stood, position=3, log="stream-2", now_ms=NOW_MS)

    with pytest.raises(CursorMoved):
        await shelf.do(shelf.inbox.move, stood, position=4, log="stream-3", now_ms=NOW_MS)
    assert await shelf.look(shelf.inbox.state) == (3, 1, False, None, "stream-2")


async def test_a_rewind_is_a_new_generation_without_what_the_log_delivers_again(shelf):
    await shelf.do(shelf.inbox.join, now_ms=NOW_MS)
    await shelf.do(shelf.inbox.advance, generation=1, before=0, after=9, now_ms=NOW_MS)
    for number in (4, 6):
        failure = Failure(item(number, f"k{number}"), "boom", 9_000)
        await shelf.do(shelf.inbox.park, [], failure, now_ms=NOW_MS)

    await shelf.do(shelf.inbox.rewind, position=2, sequence=5, now_ms=NOW_MS)

    assert (await shelf.look(shelf.inbox.state))[:2] == (2, 2)
    parked = await shelf.tables.desk("email").page(status=ParkedStatus.WAITING, limit=9, cursor="")
    assert [each.event_id for each in parked.events] == [item(4).event_id]


async def test_events_of_a_key_queue_behind_the_one_that_failed(shelf):
    await shelf.do(shelf.inbox.join, now_ms=NOW_MS)
    failure = Failure(item(1, "a"), "boom", 6_000)
    await shelf.do(shelf.inbox.park, [item(2, "a")], failure, now_ms=NOW_MS)

    blocked = await shelf.do(shelf.inbox.blocked, [item(3, "a"), item(4, "b")])
    early = await shelf.do(shelf.inbox.due, now_ms=5_999, limit=10)
    due = await shelf.do(shelf.inbox.due, now_ms=6_000, limit=10)

    assert (blocked, early) == ({"a"}, [])
    assert [(each.position, each.attempts) for each in due] == [(1, 1), (2, 0)]
    assert await shelf.look(shelf.inbox.next_due) == 6_000
    assert (await shelf.look(shelf.inbox.state)).next_due_ms == 6_000


async def test_when_the_first_of_a_key_is_done_the_next_is_due_at_once(shelf):
    failure = Failure(item(1, "a"), "boom", 6_000)
    await shelf.do(shelf.inbox.park, [item(2, "a"), item(3, "a")], failure, now_ms=NOW_MS)

    await shelf.do(shelf.inbox.settle, [item(1, "a")], None, now_ms=7_000)

    due = await shelf.do(shelf.inbox.due, now_ms=7_000, limit=10)
    assert [each.position for each in due] == [2, 3]


async def test_one_that_fails_again_waits_longer_and_keeps_when_it_first_failed(shelf):
    await shelf.do(
        shelf.inbox.park, [item(2, "a")], Failure(item(1, "a"), "boom", 6_000), now_ms=NOW_MS
    )
    (first, _) = await shelf.do(shelf.inbox.due, now_ms=6_000, limit=10)

    await shelf.do(shelf.inbox.settle, [], Failure(first, "again", 9_000), now_ms=6_500)

    page = await shelf.tables.desk("email").page(status=ParkedStatus.WAITING, limit=9, cursor="")
    failed, queued = page.events
    told = (failed.attempts, failed.first_failed_at_ms, failed.next_at_ms, failed.last_error)
    assert told == (2, NOW_MS, 9_000, "again")
    assert (queued.attempts, queued.next_at_ms) == (0, None)


async def test_a_dead_letter_lets_its_key_go_on_and_is_redriven_by_an_operator(shelf):
    desk = shelf.tables.desk("email")
    failure = Failure(item(1, "a"), "boom", 6_000)
    await shelf.do(shelf.inbox.park, [item(2, "a")], failure, now_ms=NOW_MS)
    (first, _) = await shelf.do(shelf.inbox.due, now_ms=6_000, limit=10)

    await shelf.do(shelf.inbox.settle, [], Failure(first, "for good", None), now_ms=6_000)

    due = await shelf.do(shelf.inbox.due, now_ms=6_000, limit=10)
    assert [each.position for each in due] == [2]
    assert await desk.count("order") == (1, 1)
    (dead,) = (await desk.page(status=ParkedStatus.DEAD, limit=5, cursor="")).events
    assert (dead.event_id, dead.last_error, dead.next_at_ms) == (first.event_id, "for good", None)
    assert await desk.redrive(now_ms=8_000, event_ids=["evt_0"], name=None) == 0
    assert await desk.redrive(now_ms=8_000, event_ids=None, name="orders.created") == 1
    assert await desk.count("order") == (2, 0)


async def test_what_is_published_is_unsent_in_its_order_until_it_is_marked(shelf):
    outbox = shelf.tables.outbox()
    await shelf.publish("a", "b", "a")

    rows = (await outbox.unsent(limit=10, held=())).rows
    await outbox.mark_sent([rows[0].position], now_ms=NOW_MS)
    rest = (await outbox.unsent(limit=10, held=())).rows

    assert [row.key for row in rows] == ["a", "b", "a"]
    assert [row.position for row in rows] == sorted({row.position for row in rows})
    assert rest == rows[1:]
    assert [row.key for row in (await outbox.unsent(limit=10, held=["a"])).rows] == ["b"]
    assert await outbox.waiting() == (2, shelf.clock.now_ms())


async def test_an_event_of_a_transaction_that_failed_is_never_published(shelf):
    async def fail(tx):
        await tx.publish(
            StockReleased(
                order_id=OrderId("a"),
                status=ReservationStatus.RELEASED,
                released_at=to_datetime(0),
            )
        )
        raise Internal("it was not meant to be")

    with pytest.raises(Internal):
        await shelf.database.transaction(fail)

    assert (await shelf.tables.outbox().unsent(limit=10, held=())).rows == []


async def test_events_published_side_by_side_have_positions_of_their_own(shelf):
    await asyncio.gather(*(shelf.publish(f"key-{number}") for number in range(8)))

    rows = (await shelf.tables.outbox().unsent(limit=20, held=())).rows

    assert len({row.position for row in rows}) == 8
    assert {row.key for row in rows} == {f"key-{number}" for number in range(8)}


async def test_in_a_new_log_nothing_counts_as_sent(shelf):
    outbox = shelf.tables.outbox()
    await shelf.publish("a", "b")
    await outbox.begin("stream-1")
    rows = (await outbox.unsent(limit=10, held=())).rows
    await outbox.mark_sent([row.position for row in rows], now_ms=NOW_MS)
    await outbox.begin("stream-1")
    assert (await outbox.unsent(limit=10, held=())).rows == []

    await outbox.begin("stream-2")

    assert (await outbox.unsent(limit=10, held=())).rows == rows


async def test_what_was_sent_since_an_instant_can_be_read_and_sent_again(shelf):
    outbox = shelf.tables.outbox()
    await shelf.publish("a")
    shelf.clock.advance(60)
    since_ms = shelf.clock.now_ms()
    await shelf.publish("b", "c")
    rows = (await outbox.unsent(limit=10, held=())).rows
    await outbox.mark_sent([row.position for row in rows], now_ms=NOW_MS)

    sent = await outbox.sent_since(since_ms, after=0, limit=10)
    after = await outbox.sent_since(since_ms, after=sent[0].position, limit=10)
    number = await outbox.resend(since_ms=since_ms)

    assert ([row.key for row in sent], [row.key for row in after]) == (["b", "c"], ["c"])
    assert number == 2
    assert (await outbox.unsent(limit=10, held=())).rows == rows[1:]


async def test_old_events_that_were_sent_are_pruned_but_never_the_newest(shelf):
    outbox = shelf.tables.outbox()
    await shelf.publish("a", "b", "c")
    rows = (await outbox.unsent(limit=10, held=())).rows
    await outbox.mark_sent([rows[0].position, rows[2].position], now_ms=NOW_MS)
    later_ms = shelf.clock.now_ms() + 1

    pruned = await outbox.prune(before_ms=later_ms, sent_before_ms=NOW_MS + 1)

    assert pruned == 1
    assert [row.key for row in await outbox.sent_since(0, after=0, limit=9)] == ["c"]
    assert [row.key for row in (await outbox.unsent(limit=9, held=())).rows] == ["b"]


async def test_a_lease_is_one_instance_s_until_it_ends_or_is_given_up(shelf):
    lease = shelf.tables.lease()

    assert await lease.take("one", now_ms=1_000, until_ms=2_000)
    assert not await lease.take("two", now_ms=1_999, until_ms=3_000)
    assert await lease.take("one", now_ms=1_500, until_ms=2_500)
    assert await lease.take("two", now_ms=2_500, until_ms=3_500)
    await lease.give_up("one")
    assert not await lease.take("one", now_ms=3_000, until_ms=4_000)
    await lease.give_up("two")
    assert await lease.take("one", now_ms=3_000, until_ms=4_000)


async def test_of_many_instances_at_once_one_gets_the_lease(shelf):
    lease = shelf.tables.lease()

    taken = await asyncio.gather(
        *(lease.take(f"instance-{number}", now_ms=1, until_ms=9) for number in range(8))
    )

    assert sum(taken) == 1


async def test_only_claims_of_old_events_are_forgotten_in_every_generation(shelf):
    old, new = item(1), item(9 << 80)
    for generation in (1, 2):
        await shelf.do(shelf.inbox.claim, [old, new], generation=generation, now_ms=NOW_MS)

    forgotten = await shelf.tables.prune_inbox(before_ms=1)

    assert forgotten == 2
    claimed = await shelf.do(shelf.inbox.claim, [old, new], generation=2, now_ms=NOW_MS)
    assert claimed == {old.event_id}


async def test_a_deadline_that_passed_begins_no_transaction(shelf):
    shelf.clock.advance(10)
    token = enter(Call(deadline_s=5.0))
    try:
        with pytest.raises(DeadlineExceeded):
            await shelf.publish("a")
    finally:
        leave(token)

    assert (await shelf.tables.outbox().unsent(limit=9, held=())).rows == []
