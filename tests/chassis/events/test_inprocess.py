"""What the bus of one process does beyond the promises of every bus: waking, isolation, pruning."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import uuid_utils

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.events import feed
from emporion.chassis.events.bus import Delivery, ParkedStatus
from emporion.chassis.events.desk import first_id_at
from emporion.chassis.events.inprocess import InProcessBus
from emporion.chassis.events.retry import BusConfig
from emporion.chassis.events.subscription import Received, on, on_many
from emporion.chassis.events.turns import REST_S_MAX
from emporion.chassis.testing.bus_rig import (
    CONFIG,
    PUBLISHER,
    WRITE,
    BusRig,
    StepDone,
    Subscriber,
    ThingClosed,
)
from emporion.chassis.testing.time import settle
from emporion.contracts.refusals import HistoryPruned, UnknownSubscriber
from emporion.kernel.errors import Unavailable

T = TypeVar("T")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[BusRig]:
    async with BusRig(tmp_path) as opened:
        yield opened


class Counted:
    """A database that counts how often it is asked."""

    engine = "sqlite"

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked = 0
        self.is_down = False

    @property
    def revision(self) -> int:
        return self._database.revision

    async def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        self._ask()
        return await self._database.transaction(work)

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        self._ask()
        return await self._database.read(work)

    def _ask(self) -> None:
        self.asked += 1
        if self.is_down:
            raise Unavailable("planted")


class Witness(Subscriber):
    """A subscriber that one can wait for."""

    def __init__(self, name: str, database: Database) -> None:
        super().__init__(name, database)
        self.arrived: asyncio.Queue[int] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    async def react(self, tx: Tx, received: Received[StepDone]) -> None:
        await super().react(tx, received)
        self._loop.call_soon_threadsafe(self.arrived.put_nowait, received.event.step)


async def witness(rig: BusRig, name: str = "mail") -> Witness:
    database = (await rig.subscribe(name)).database
    rig.subscribers[name] = found = Witness(name, database)
    return found


async def test_a_commit_that_published_wakes_the_subscriber_without_any_time_passing(rig):
    mail = await witness(rig)
    bus = rig.new_bus()
    rig.publisher.on_published = bus.doorbell(PUBLISHER)
    await bus.start()

    for step in range(3):
        await rig.publish_steps("a", [step])
        assert await mail.arrived.get() == step

    await bus.stop()
    assert await mail.steps("a") == [0, 1, 2]


async def test_what_was_published_before_the_start_is_delivered_at_the_start(rig):
    mail = await witness(rig)
    await rig.publish_steps("a", [1])
    bus = rig.new_bus()

    await bus.start()

    assert await mail.arrived.get() == 1
    await bus.stop()


async def test_a_stopped_bus_delivers_no_more_and_starts_again_where_it_stopped(rig):
    mail = await witness(rig)
    bus = rig.new_bus()
    rig.publisher.on_published = bus.doorbell(PUBLISHER)
    await bus.start()
    await bus.stop()

    await rig.publish_steps("a", [1])
    await settle()
    assert await mail.effects() == []

    await bus.start()
    assert await mail.arrived.get() == 1
    await bus.stop()


async def test_an_idle_bus_asks_no_database_anything_but_for_the_rare_sweep(tmp_path):
    counted: list[Counted] = []

    def counting(database: Database) -> Database:
        counted.append(Counted(database))
        return counted[-1]

    async with BusRig(tmp_path, through=counting) as rig:
        mail = await witness(rig)
        bus = rig.new_bus()
        await rig.publish_steps("a", [1])
        await bus.start()
        await mail.arrived.get()
        await settle()
        before = sum(each.asked for each in counted)

        await rig.clock.run(rig.config.sweep_s - 1)
        assert sum(each.asked for each in counted) - before <= 1

        await rig.clock.run(10 * rig.config.sweep_s)
        assert sum(each.asked for each in counted) - before <= 5 * 10
        await bus.stop()


def is_lingering(rig: BusRig) -> bool:
    """Whether somebody sleeps for no longer than a pump lingers."""
    due_s = rig.clock.next_due_s()
    return due_s is not None and due_s <= rig.clock.monotonic_s() + rig.config.linger_s


async def test_events_of_a_busy_publisher_travel_together(tmp_path):
    async with BusRig(tmp_path, replace(CONFIG, linger_s=1.0)) as rig:
        mail = await witness(rig)
        batches: list[Delivery] = []
        bus = InProcessBus(
            rig.runtime, rig.config, owner_of=lambda _: PUBLISHER, observe=batches.append
        )
        bus.join(PUBLISHER, rig.publisher)
        bus.join("mail", mail.database, mail.subscriptions)
        rig.publisher.on_published = bus.doorbell(PUBLISHER)
        await bus.start()
        await rig.publish_steps("a", [0])
        assert await mail.arrived.get() == 0

        for step in range(1, 6):
            await rig.publish_steps("a", [step])
        async with asyncio.timeout(30):
            while not is_lingering(rig):  # the pump, whose commit is another thread's work
                await asyncio.sleep(0)
        await rig.clock.run(1.0)
        async with asyncio.timeout(30):
            # A batch during which the clock moved took time, and the next one rests after it.
            while mail.arrived.qsize() < 5:
                await rig.clock.run(REST_S_MAX)
        assert [mail.arrived.get_nowait() for _ in range(5)] == [1, 2, 3, 4, 5]
        await bus.stop()

    sizes = [len(each.received) for each in batches]
    assert sum(sizes) == 6
    assert len(sizes) <= 3, "one at once, one that may meet the pump still awake, and the rest"
    assert {(each.source, each.subscriber) for each in batches} == {(PUBLISHER, "mail")}


async def test_a_publisher_that_is_down_holds_up_its_own_events_only(tmp_path):
    counted: dict[str, Counted] = {}
    async with BusRig(tmp_path) as rig:
        mail = await witness(rig)
        other = await rig.open_database("other")
        bus = InProcessBus(rig.runtime, CONFIG, owner_of=lambda event: event.SPEC.topic)
        for name, database in (("things", rig.publisher), ("down", other)):
            counted[name] = Counted(database)
            bus.join(name, counted[name])
        counted["down"].is_down = True

        class Other(ThingClosed, frozen=True, kw_only=True):
            SPEC = replace(ThingClosed.SPEC, name="down.closed")

        async def ignore(_tx: Tx, _received: Received[Other]) -> None:
            pass

        bus.join("mail", mail.database, [*mail.subscriptions, on(Other, ignore)])
        await bus.start()
        await rig.publish_steps("a", [1])
        bus.poke("things")

        assert await mail.arrived.get() == 1
        await bus.stop()


async def test_a_subscriber_that_hangs_holds_up_nobody_else_and_reacts_once(tmp_path):
    release, hangs = threading.Event(), threading.Event()

    class Hanging(Witness):
        async def react(self, tx: Tx, received: Received[StepDone]) -> None:
            hangs.set()
            release.wait()
            await super().react(tx, received)

    async with BusRig(tmp_path, replace(CONFIG, reaction_timeout_s=0.05)) as rig:
        stock = await witness(rig, "stock")
        database = (await rig.subscribe("mail")).database
        rig.subscribers["mail"] = mail = Hanging("mail", database)
        bus = rig.new_bus()
        await rig.publish_steps("a", [1])
        await bus.start()
        assert await stock.arrived.get() == 1
        await asyncio.to_thread(hangs.wait)

        await rig.publish_steps("a", [2])
        bus.poke(PUBLISHER)
        assert await stock.arrived.get() == 2

        release.set()
        await bus.stop()
        rig.restart()
        await rig.pass_time(60)
        assert await mail.steps("a") == [1, 2]


async def test_a_reaction_that_calls_out_of_its_transaction_is_found_among_its_neighbours(rig):
    """The database refuses the batch without naming the event: it is tried one by one."""
    mail = await rig.subscribe("mail")

    async def calls_out(tx: Tx, received: Received[StepDone]) -> None:
        event = received.event
        await tx.execute(WRITE, received.event_id, event.thing, event.step, "")
        if event.thing == "bad":
            await asyncio.sleep(0)

    bus = InProcessBus(rig.runtime, CONFIG, owner_of=lambda _: PUBLISHER)
    bus.join(PUBLISHER, rig.publisher)
    bus.join("mail", mail.database, [on(StepDone, calls_out)])
    await rig.publish(*[StepDone(thing=key, step=1) for key in ("a", "bad", "b")])

    await bus.deliver_due()

    assert await mail.effects() == [("a", 1), ("b", 1)]
    waiting = await bus.parked("mail", status=ParkedStatus.WAITING)
    assert [each.key for each in waiting.events] == ["bad"]


async def test_an_event_that_cannot_be_decoded_is_set_aside_and_not_skipped(rig):
    mail = await rig.subscribe("mail")
    await rig.publish_steps("a", [1])
    await rig.publish_steps("b", [1])
    await rig.publisher.transaction(
        lambda tx: tx.execute("UPDATE outbox SET payload = ? WHERE key = 'a'", b'{"data":{}}')
    )

    await rig.settle()

    assert await mail.effects() == [("b", 1)]
    waiting = await rig.bus.parked("mail", status=ParkedStatus.WAITING)
    assert "ValidationError" in waiting.events[0].last_error


async def test_one_event_that_succeeds_ends_the_break_of_a_broken_subscriber(rig):
    mail = await rig.subscribe("mail")
    poison = [f"poison{number}" for number in range(CONFIG.failures_in_a_row_max)]
    mail.failing |= {*poison}
    await rig.publish(*[StepDone(thing=key, step=1) for key in poison])
    await rig.settle()

    await rig.publish(*[StepDone(thing=f"good{number}", step=1) for number in range(100)])
    await rig.pass_time(10 * CONFIG.broken_pause_s_max)

    assert len(await mail.effects()) == 100


async def test_concurrent_buses_over_one_subscriber_lose_and_repeat_nothing(rig):
    mail = await rig.subscribe("mail")
    for step in range(100):
        await rig.publish(*[StepDone(thing=key, step=step) for key in "abc"])

    await asyncio.gather(*(rig.new_bus().deliver_due() for _ in range(4)))

    for key in "abc":
        assert await mail.steps(key) == [*range(100)]


async def test_going_back_after_the_publisher_was_restored_repeats_no_effect(rig):
    mail = await rig.subscribe("mail")
    await rig.publish_steps("a", [1, 2, 3])
    await rig.settle()
    await rig.publisher.transaction(lambda tx: tx.execute("DELETE FROM outbox WHERE position > 1"))

    rig.restart()
    await rig.settle()
    await rig.publish_steps("a", [4, 5, 6])
    await rig.settle()

    assert await mail.steps("a") == [1, 2, 3, 4, 5, 6]


async def test_a_service_may_react_to_its_own_events(rig):
    seen: list[int] = []

    async def note(_tx: Tx, received: Received[StepDone]) -> None:
        seen.append(received.event.step)

    bus = InProcessBus(rig.runtime, CONFIG, owner_of=lambda _: PUBLISHER)
    bus.join(PUBLISHER, rig.publisher, [on(StepDone, note)])
    await rig.publish_steps("a", [1, 2])

    await bus.deliver_due()

    assert seen == [1, 2]


async def test_an_alarm_is_poked_once_after_the_commit_of_a_batch(rig):
    mail = await rig.subscribe("mail")
    seen: list[int] = []

    async def count(tx: Tx) -> int:
        row = await tx.fetch_one("SELECT count(*) FROM effect")
        return row[0] if row else 0

    pokes: list[None] = []
    bus = InProcessBus(rig.runtime, CONFIG, owner_of=lambda _: PUBLISHER)
    bus.join(PUBLISHER, rig.publisher)
    bus.join("mail", mail.database, [on(StepDone, mail.react, after=lambda: pokes.append(None))])
    await rig.publish_steps("a", [1, 2, 3])

    await bus.deliver_due()
    seen.append(await mail.database.read(count))

    assert (len(pokes), seen) == (1, [3])


async def test_pruning_keeps_what_a_subscriber_has_not_seen_and_the_newest_event(tmp_path):
    async with BusRig(tmp_path, replace(CONFIG, retention_s=3600.0)) as rig:
        mail, stock = await rig.subscribe("mail"), await rig.subscribe("stock")
        await rig.publish_steps("a", range(10))
        await rig.settle()
        await rig.bus.pause("mail")
        await rig.publish_steps("a", range(10, 20))
        await rig.settle()
        rig.clock.advance(7200)

        await rig.new_bus().prune()
        assert await positions(rig) == [*range(11, 21)]

        await rig.bus.resume("mail")
        await rig.settle()
        await rig.new_bus().prune()
        assert await positions(rig) == [20]

        await rig.publish_steps("a", [20])
        await rig.settle()
        for each in (mail, stock):
            assert await each.steps("a") == [*range(21)]
        with pytest.raises(HistoryPruned):
            await rig.bus.replay("mail", PUBLISHER)


async def positions(rig: BusRig) -> list[int]:
    async def read(tx: Tx) -> list[int]:
        return [row[0] for row in await tx.fetch("SELECT position FROM outbox ORDER BY 1")]

    return await rig.publisher.read(read)


async def test_pruning_forgets_what_was_handled_in_every_generation(tmp_path):
    async with BusRig(tmp_path, replace(CONFIG, retention_s=3600.0)) as rig:
        mail = await rig.subscribe("mail")
        await rig.publish_steps("a", range(10))
        await rig.settle()
        await rig.bus.replay("mail", PUBLISHER)
        await rig.settle()
        rig.clock.advance(7200)

        deleted = await rig.new_bus().prune()

        async def count(tx: Tx) -> int:
            row = await tx.fetch_one("SELECT count(*) FROM inbox")
            return row[0] if row else 0

        assert await mail.database.read(count) == 0
        assert deleted == 10 + 10 + 9


async def test_without_a_retention_everything_is_kept(rig):
    await rig.subscribe("mail")
    await rig.publish_steps("a", range(10))
    await rig.settle()
    rig.clock.advance(10 * 365 * 86_400)

    assert await rig.new_bus().prune() == 0
    assert await positions(rig) == [*range(1, 11)]


def test_event_ids_made_before_an_instant_are_smaller_than_its_first():
    event_id = f"evt_{uuid_utils.uuid7().hex}"
    made_ms = int(event_id[4:16], 16)

    assert first_id_at(made_ms) <= event_id < first_id_at(made_ms + 1)


async def test_what_is_misconfigured_is_refused_before_anything_starts(rig):
    mail = await rig.subscribe("mail")
    bus = InProcessBus(rig.runtime, BusConfig())
    bus.join("mail", mail.database, mail.subscriptions)

    with pytest.raises(ValueError, match="already a service 'mail'"):
        bus.join("mail", mail.database, ())
    with pytest.raises(ValueError, match="stock reacts twice to things"):
        bus.join("stock", mail.database, [*mail.subscriptions, *mail.subscriptions])
    with pytest.raises(LookupError, match="there is no 'bus_rig'"):
        await bus.start()


async def test_an_unknown_subscriber_is_named(rig):
    await rig.subscribe("mail")

    for ask in (
        rig.bus.pause("nobody"),
        rig.bus.redrive("nobody"),
        rig.bus.parked("nobody"),
        rig.bus.replay("mail", "nobody"),
    ):
        with pytest.raises(UnknownSubscriber):
            await ask


async def react_together(rig: BusRig, runs: list[list[str]]) -> tuple[InProcessBus, Subscriber]:
    """A bus with a reaction to several events together, which refuses those of the key "bad"."""
    mail = await rig.subscribe("mail")

    async def note(tx: Tx, received: Sequence[Received[StepDone]]) -> None:
        runs.append([each.event.thing for each in received])
        for each in received:
            await tx.execute(WRITE, each.event_id, each.event.thing, each.event.step, "")
            if each.event.thing == "bad":
                raise LookupError

    bus = InProcessBus(rig.runtime, CONFIG, owner_of=lambda _: PUBLISHER)
    bus.join(PUBLISHER, rig.publisher)
    bus.join("mail", mail.database, [on_many(StepDone, note)])
    return bus, mail


async def test_events_that_a_reaction_takes_together_come_in_one_call(rig):
    runs: list[list[str]] = []
    bus, mail = await react_together(rig, runs)
    await rig.publish(*[StepDone(thing=key, step=1) for key in ("a", "b", "c")])

    await bus.deliver_due()

    assert runs == [["a", "b", "c"]]
    assert await mail.effects() == [("a", 1), ("b", 1), ("c", 1)]


async def test_one_event_that_fails_does_not_hold_up_those_it_came_with(rig):
    bus, mail = await react_together(rig, [])
    await rig.publish(*[StepDone(thing=key, step=1) for key in ("a", "bad", "b")])

    await bus.deliver_due()

    assert await mail.effects() == [("a", 1), ("b", 1)]
    waiting = await bus.parked("mail", status=ParkedStatus.WAITING)
    assert [each.key for each in waiting.events] == ["bad"]


async def test_an_event_that_comes_after_newer_ones_were_handled_is_handled_once(rig):
    """Two publishers' clocks differ: an id below the newest that was handled is looked up."""
    mail = await rig.subscribe("mail")
    await rig.publish_steps("a", [1])
    await rig.settle()
    newer = "INSERT INTO inbox (subscriber, event_id, handled_at_ms) VALUES ('mail', 'evt_z', 0)"
    await mail.database.transaction(lambda tx: tx.execute(newer))

    await rig.publish_steps("a", [2, 3])
    await rig.settle()
    await mail.database.transaction(
        lambda tx: tx.execute("UPDATE bus_cursor SET position = 0 WHERE subscriber = 'mail'")
    )
    rig.restart()
    await rig.settle()

    assert await mail.steps("a") == [1, 2, 3]


async def test_what_nobody_reacts_to_does_not_count_as_waiting(rig, monkeypatch):
    """Counted over more events than fit one read; the age is that of the oldest that is wanted."""
    monkeypatch.setattr(feed, "COUNT_SPAN", 2)
    await rig.subscribe("mail")
    for at in range(9):
        await rig.publish(StepDone(thing="a", step=at) if at in {3, 6} else ThingClosed(thing="a"))
        rig.clock.advance(1.0)

    (lag,) = await rig.bus.lag()

    assert (lag.waiting, lag.oldest_ms) == (2, 6_000)


async def test_much_that_waits_is_counted_up_to_a_bound_and_others_have_their_turn(
    rig, monkeypatch
):
    monkeypatch.setattr(feed, "COUNT_SPAN", 1)
    monkeypatch.setattr(feed, "WAITING_MAX", 15)
    await rig.subscribe("mail")
    await rig.publish_steps("a", range(20))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.ensure_future(others())
    (lag,) = await rig.bus.lag()
    beside.cancel()

    assert (lag.waiting, lag.is_more) == (15, True)
    assert turns > 15, "nothing else ran while it was counted"
    monkeypatch.setattr(feed, "LOOKED_AT_MAX", 4)
    (lag,) = await rig.bus.lag()
    assert (lag.waiting, lag.is_more) == (4, True)
    monkeypatch.setattr(feed, "WAITING_MAX", 20)
    monkeypatch.setattr(feed, "LOOKED_AT_MAX", 20)
    (lag,) = await rig.bus.lag()
    assert (lag.waiting, lag.is_more) == (20, False)
