"""What the desks' pages are made of: moments, differences, steps, and what counts once."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from emporion.contracts.contract import Empty
from emporion.contracts.inventory import Allocation, Reservation, ReservationStatus
from emporion.contracts.operations import SubscriberLag
from emporion.contracts.shipping import ToShip
from emporion.kernel.errors import InvalidArgument, Unavailable
from emporion.kernel.history import Change
from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.web.console.acting import KEPT_MAX, Once
from emporion.web.console.sections.events import totals_of
from emporion.web.console.sections.orders.listing import instant_of
from emporion.web.console.sections.orders.moments import State, chosen, moments_of, parts_of
from emporion.web.console.sections.orders.timeline import ROWS_MAX, rows_of
from emporion.web.console.sections.sagas import steps_of
from emporion.web.console.sections.shipments import loads_of
from emporion.web.past.of_order import Happened
from emporion.web.past.story import Entry

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def happened(service: str, what: str, after_ms: int) -> Happened:
    at = NOW + timedelta(milliseconds=after_ms)
    nobody = {"facts": "{}", "actor": "", "actor_kind": "", "command": "", "trace_id": ""}
    return Happened(service, Change(at=at, what=what, **nobody))


def test_what_happened_at_one_instant_is_one_moment_whoever_told_it_first():
    told = [happened("payment", "captured", 5), happened("order", "created", 0)]

    moments = moments_of([*told, happened("order", "paid", 5)])

    assert [[each.change.what for each in moment.changes] for moment in moments] == [
        ["created"],
        ["captured", "paid"],
    ]


@pytest.mark.parametrize(
    ("asked", "number"),
    [("", 3), ("1", 1), ("0", 1), ("-1", 3), ("99", 3), ("x", 3), ("²", 3), ("9" * 4300, 3)],
)
def test_a_moment_that_is_none_is_the_nearest_or_the_last(asked, number):
    moments = moments_of([happened("order", str(it), it) for it in range(3)])

    assert chosen(moments, asked) == number


def held(quantity: int, status: ReservationStatus) -> State:
    hold = Allocation(sku=Sku("tea"), warehouse_id=WarehouseId("main"), quantity=quantity)
    of_order = OrderId("ord_" + "0" * 32)
    stock = Reservation(
        order_id=of_order, status=status, allocations=[hold], created_at=NOW, expires_at=None
    )
    return State({"stock": stock})


def test_the_difference_of_two_states_names_what_changed_and_nothing_else():
    before, after = held(2, ReservationStatus.HELD), held(2, ReservationStatus.COMMITTED)

    (part,) = parts_of(before, after)
    (first,) = parts_of(State({}), before)

    assert part.name == "stock"
    assert [(it.fact, it.before, it.after) for it in part.differences] == [
        ("status", "held", "committed")
    ]
    assert {it.before for it in first.differences} == {""}
    assert ("allocations 1.quantity", "2") in {(it.fact, it.after) for it in first.differences}
    assert parts_of(after, after) == []


@pytest.mark.parametrize(
    ("state", "standings"),
    [
        ("running", ["done", "now", "ahead"]),
        ("compensating", ["done", "undoing", "undone"]),
        ("completed", ["done", "done", "done"]),
        ("refused", ["undone", "undone", "undone"]),
    ],
)
def test_a_saga_tells_how_far_it_is_with_each_step(state, standings):
    names = ("reserve", "charge", "confirm")
    steps = [SimpleNamespace(name=name, is_undoable=True) for name in names]
    told: Any = SimpleNamespace(state=state, step="charge", steps=steps)

    assert [step.standing for step in steps_of(told)] == standings


def test_subscribers_with_dead_letters_come_first_and_each_once():
    def lag(publisher: str, subscriber: str, *, waiting: int = 0, dead: int = 0) -> SubscriberLag:
        return SubscriberLag(
            publisher=publisher,
            subscriber=subscriber,
            is_paused=False,
            waiting=waiting,
            oldest_age_s=1.0,
            parked=0,
            dead=dead,
        )

    totals = totals_of(
        [lag("order", "email", waiting=2), lag("user", "email"), lag("order", "fraud", dead=1)]
    )

    assert [(it.subscriber, it.waiting, it.dead, it.mood) for it in totals] == [
        ("fraud", 0, 1, "wrong"),
        ("email", 2, 0, "right"),
    ]
    assert totals[1].publishers == ["order", "user"]


def test_what_was_not_counted_to_the_end_is_said_to_be_more():
    lags = [
        SubscriberLag(
            publisher=publisher,
            subscriber="email",
            is_paused=False,
            waiting=3,
            oldest_age_s=1.0,
            parked=0,
            dead=0,
            is_more_waiting=publisher == "order",
        )
        for publisher in ("order", "user")
    ]
    (total,) = totals_of(lags)
    assert (total.waiting, total.is_more_waiting) == (6, True)


def test_the_timeline_shows_what_matters_and_everything_on_request_up_to_a_bound():
    fine = [Entry("data", it, "order", "SELECT") for it in range(ROWS_MAX)]
    story = [Entry("change", 0, "order", "created"), Entry("log", 5_000, "order", "hm"), *fine]

    main, hidden = rows_of(story, "")
    logs, _ = rows_of(story, "logs")
    everything, left = rows_of(story, "all")

    assert ([row.what for row in main], hidden) == (["created"], len(story) - 1)
    assert [(row.what, row.since_ms) for row in logs] == [("created", 0.0), ("hm", 5.0)]
    assert (len(everything), left) == (ROWS_MAX, 2)


def test_what_is_to_be_sent_is_told_by_warehouse():
    lines = [
        ToShip(warehouse_id=WarehouseId(at), sku=Sku(sku), quantity=1)
        for at, sku in (("b", "tea"), ("a", "tea"), ("b", "bread"))
    ]

    loads = loads_of(lines)

    assert [(it.warehouse_id, [line.sku for line in it.lines]) for it in loads] == [
        ("b", ["tea", "bread"]),
        ("a", ["tea"]),
    ]


def test_an_instant_without_a_zone_is_utc_and_nonsense_is_refused():
    assert instant_of("2026-01-01T12:00", "since") == NOW
    assert instant_of("2026-01-01T13:00+01:00", "since") == NOW
    assert instant_of("", "since") is None
    with pytest.raises(InvalidArgument):
        instant_of("yesterday", "since")


def sent(key: str) -> Any:
    return SimpleNamespace(form=SimpleNamespace(text=lambda _: key))


async def test_a_form_counts_once_also_when_it_is_sent_twice_at_the_same_time():
    once, done, go_on = Once(), [], asyncio.Event()

    async def work() -> Empty:
        await go_on.wait()
        done.append(1)
        return Empty()

    clicks = [asyncio.create_task(once.run(sent("a"), work)) for _ in range(3)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*clicks)
    await once.run(sent("a"), work)
    await once.run(sent("b"), work)

    assert len(done) == 2
    with pytest.raises(InvalidArgument):
        await once.run(sent(""), work)


async def test_a_second_click_is_told_when_the_first_was_broken_off():
    once, is_begun = Once(), asyncio.Event()

    async def work() -> Empty:
        is_begun.set()
        await asyncio.Event().wait()
        return Empty()

    first = asyncio.create_task(once.run(sent("a"), work))
    await is_begun.wait()
    second = asyncio.create_task(once.run(sent("a"), work))
    await asyncio.sleep(0)
    first.cancel()

    with pytest.raises(Unavailable, match="broken off"):
        await second


async def test_a_form_that_was_refused_may_be_sent_again_and_old_ones_are_forgotten():
    once, answers = Once(), [Unavailable("away"), RuntimeError("a defect"), None]

    async def work() -> Empty:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return Empty()

    with pytest.raises(Unavailable):
        await once.run(sent("a"), work)
    with pytest.raises(RuntimeError):
        await once.run(sent("a"), work)
    await once.run(sent("a"), work)
    assert answers == []

    answers += [None] * (KEPT_MAX + 1)
    for number in range(KEPT_MAX + 1):
        await once.run(sent(f"n{number}"), work)
    assert len(once._kept) == KEPT_MAX
