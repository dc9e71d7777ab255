"""What events make of the counts: each order once, in whatever order and however often."""

import random

from emporion.kernel.errors import Unavailable
from tests.services.follower import Follower
from tests.services.till import cancellation, made_sales, order, orders

COUNTS = (
    "SELECT '', '', orders FROM basket_total UNION ALL SELECT sku, '', orders FROM basket_item"
    " UNION ALL SELECT sku, other, orders FROM basket_pair ORDER BY 1, 2"
)
EMPTY = [("", "", 0)]


async def test_an_order_counts_its_things_and_their_pairs(counter):
    await counter.tell(order(1, "tea", "scone", "jam"), order(2, "tea", "scone"))

    assert await counter.rows(COUNTS) == [
        ("", "", 2),
        ("jam", "", 1),
        ("jam", "scone", 1),
        ("jam", "tea", 1),
        ("scone", "", 2),
        ("scone", "tea", 2),
        ("tea", "", 2),
    ]


async def test_an_event_that_comes_again_counts_nothing(counter):
    first = order(1, "tea", "scone")
    await counter.tell(first, first, cancellation(order(2, "tea")), order(2, "tea"))
    once = await counter.rows(COUNTS)

    await counter.tell(first, cancellation(order(2, "tea")), order(2, "tea"), first)

    assert await counter.rows(COUNTS) == once
    assert once[0] == ("", "", 1)


async def test_an_order_called_off_is_taken_out_again_and_leaves_nothing(counter):
    kept, gone = order(1, "tea", "scone"), order(2, "tea", "jam")
    await counter.tell(kept, gone)

    for _ in range(2):
        await counter.tell(cancellation(gone))

    assert await counter.rows(COUNTS) == [
        ("", "", 1),
        ("scone", "", 1),
        ("scone", "tea", 1),
        ("tea", "", 1),
    ]


async def test_an_order_called_off_before_it_came_never_counts(counter):
    late = order(1, "tea", "scone")

    await counter.tell(cancellation(late))
    await counter.tell(late)

    assert await counter.rows(COUNTS) == EMPTY


async def test_any_order_of_events_gives_the_same_counts(engine, tmp_path, counter):
    created = orders(made_sales(120))
    events = [*created, *map(cancellation, created[::3])]
    await counter.tell(*events)
    shuffled = [*events, *events[:50]]
    random.Random(7).shuffle(shuffled)

    (tmp_path / "other").mkdir()
    async with Follower(tmp_path / "other", engine, "recommendation", counter._build) as other:
        await other.tell(*shuffled)

        assert await other.rows(COUNTS) == await counter.rows(COUNTS)


async def test_a_subscriber_that_comes_late_ends_like_one_that_was_there_from_the_start(counter):
    created = orders(made_sales(300))
    for first in range(0, 300, 100):
        await counter.tell(*created[first : first + 100])
        await counter.tell(*map(cancellation, created[first : first + 9]))

    database, assembly = await counter.latecomer()
    await counter.new_bus(database, assembly).deliver_due()

    counted = await database.read(lambda tx: tx.fetch(COUNTS))
    assert counted == await counter.rows(COUNTS)
    assert counted[0] == ("", "", 300 - 27)


async def test_a_replay_counts_nothing_twice_and_fills_emptied_tables_as_they_were(counter):
    created = orders(made_sales(200))
    await counter.tell(*created, *map(cancellation, created[::7]))
    before = await counter.rows(COUNTS)

    await counter.replay()
    assert await counter.rows(COUNTS) == before

    for table in ("basket", "basket_item", "basket_pair"):
        await counter.database.transaction(
            lambda tx, table=table: tx.execute(f"DELETE FROM {table}")
        )
    await counter.database.transaction(lambda tx: tx.execute("UPDATE basket_total SET orders = 0"))
    await counter.replay()
    assert await counter.rows(COUNTS) == before


async def test_a_batch_that_fails_half_way_leaves_nothing_and_counts_once_later(
    counter, monkeypatch
):
    store = counter.assembly.subscriptions[0].react_many.__self__._store
    count, failures = type(store)._count, [Unavailable(), Unavailable()]

    async def fail_after_half(self, tx, tally, *, sign):
        await count(self, tx, tally, sign=sign)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(type(store), "_count", fail_after_half)
    await counter.tell(order(1, "tea", "scone"), order(2, "tea"))
    counter.clock.advance(60)
    await counter.deliver()

    assert (await counter.rows(COUNTS))[0] == ("", "", 2)
    assert await counter.rows("SELECT sku, orders FROM basket_item ORDER BY sku") == [
        ("scone", 1),
        ("tea", 2),
    ]
