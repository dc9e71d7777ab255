"""Reviews: the queue of orders on hold, and what staff decide about them."""

import asyncio
from pathlib import Path

import pytest

from emporion.chassis.data.database import Tx
from emporion.chassis.sealing.people import REMEMBERED_S
from emporion.chassis.testing.time import ManualClock
from emporion.contracts.fraud import (
    AlreadyDecided,
    Decide,
    Decision,
    ListReviews,
    ReviewDecided,
    ReviewStatus,
    ScreeningOf,
)
from emporion.contracts.order import CallOffOrder
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.vault import PersonOf
from emporion.kernel.errors import DeadlineExceeded, FailedPrecondition, NotFound, Unavailable
from emporion.services.fraud.adapters.sql import SqlScreenings
from emporion.services.fraud.commands.reviews import Rejection, ReviewSteps
from emporion.services.fraud.sagas import REASON
from tests.services.fraud.watch import ADA, OFFICER, Orders, Watch, open_watch, order_id


def decide(number: int, reason: str = "she called") -> Decide:
    return Decide(order_id=order_id(number), reason=reason)


async def test_an_order_on_hold_waits_in_the_queue_and_says_why(watch: Watch):
    await watch.deliver(watch.paid(1))
    await watch.hold(2)

    (waiting,) = (await watch.service.list_reviews(ListReviews())).reviews
    review = await watch.service.get_review(ScreeningOf(order_id=order_id(2)))

    assert (waiting.order_id, waiting.score) == (order_id(2), 100)
    assert review.status is ReviewStatus.OPEN
    assert [(each.name, each.weight) for each in review.screening.fired] == [
        ("declined-before", 60),
        ("large-amount", 40),
    ]
    assert review.screening.fired[1].says == "1000.00 EUR, at least 1000.00 EUR"


async def test_a_released_order_leaves_the_queue_with_name_and_reason(watch: Watch):
    await watch.hold(1)

    review = await watch.ask("release", decide(1))

    assert (review.status, review.decided_by) == (ReviewStatus.RELEASED, OFFICER)
    assert (review.reason, review.decided_at is None) == ("she called", False)
    assert (await watch.service.list_reviews(ListReviews())).reviews == []
    (told,) = await watch.announced(ReviewDecided)
    assert (told.order_id, told.decision) == (order_id(1), Decision.RELEASE)


@pytest.mark.parametrize("how", ["release", "reject"])
async def test_why_it_was_decided_cannot_be_read_without_the_key_of_whose_order_it_is(
    watch: Watch, how: str
):
    await watch.hold(1, user_id=ADA)
    await watch.ask(how, decide(1, "Ada Lovelace called"))

    kept = [await watch.rows(f"SELECT * FROM {table}") for table in ("review", "saga", "outbox")]
    review = await watch.service.get_review(ScreeningOf(order_id=order_id(1)))
    await watch.vault.destroy_key(PersonOf(person_id=ADA))
    watch.clock.advance(REMEMBERED_S + 1)
    erased = await watch.service.get_review(ScreeningOf(order_id=order_id(1)))

    assert "Lovelace" not in str(kept)
    assert (review.reason, erased.reason) == ("Ada Lovelace called", "erased")


async def test_releasing_again_changes_and_announces_nothing(watch: Watch):
    await watch.hold(1)
    first = await watch.ask("release", decide(1))
    watch.clock.advance(60)

    assert await watch.ask("release", decide(1, "another reason")) == first
    assert len(await watch.announced(ReviewDecided)) == 1


@pytest.mark.parametrize("number", [1, 2])
async def test_an_order_that_was_never_on_hold_has_no_review(watch: Watch, number: int):
    await watch.deliver(watch.paid(1))

    with pytest.raises(NotFound):
        await watch.ask("release", decide(number))
    with pytest.raises(NotFound):
        await watch.service.get_review(ScreeningOf(order_id=order_id(number)))


async def test_an_order_that_was_called_off_needs_no_decision(watch: Watch):
    await watch.hold(1, 2)
    await watch.deliver(watch.cancelled(1), watch.cancelled(1))

    assert len((await watch.service.list_reviews(ListReviews())).reviews) == 1
    with pytest.raises(AlreadyDecided) as refused:
        await watch.ask("release", decide(1))
    assert refused.value.fields == {"status": "withdrawn"}
    assert await watch.announced(ReviewDecided) == []


async def test_calling_off_an_order_that_was_released_leaves_the_decision(watch: Watch):
    await watch.hold(1)
    released = await watch.ask("release", decide(1))
    await watch.deliver(watch.cancelled(1))

    assert await watch.service.get_review(ScreeningOf(order_id=order_id(1))) == released


@pytest.mark.parametrize("user_id", [None, ADA])
async def test_the_queue_holds_every_review_once_the_longest_waiting_first(watch: Watch, user_id):
    await watch.hold(5, 3, 4)
    await watch.hold(2, 1, user_id=ADA)
    expected = [2, 1] if user_id else [5, 3, 4, 2, 1]

    seen, cursor = [], ""
    while True:
        page = await watch.service.list_reviews(
            ListReviews(user_id=user_id, limit=2, cursor=cursor)
        )
        seen += [int(each.order_id[4:], 16) for each in page.reviews]
        cursor = page.next_cursor
        if not cursor:
            break

    assert seen == expected


@pytest.mark.parametrize("cursor", ["1", "\u00b2." + order_id(1), "1.usr", "9" * 19 + order_id(1)])
async def test_a_cursor_that_is_none_of_ours_is_refused(watch: Watch, cursor: str):
    with pytest.raises(UnknownCursor):
        await watch.service.list_reviews(ListReviews(cursor=cursor))


async def test_a_rejected_order_is_called_off_once_and_says_no_more_than_that(watch: Watch):
    await watch.hold(1)

    review = await watch.ask("reject", decide(1, "a stolen card"))
    again = await watch.ask("reject", decide(1, "another reason"))

    assert (review.status, review.reason) == (ReviewStatus.REJECTED, "a stolen card")
    assert (review.decided_by, again) == (OFFICER, review)
    assert watch.orders.called_off == [CallOffOrder(order_id=order_id(1), reason=REASON)]
    (told,) = await watch.announced(ReviewDecided)
    assert told.decision is Decision.REJECT


async def test_of_two_who_reject_at_once_one_decides_and_both_are_told_so(watch: Watch):
    await watch.hold(1)

    one, other = await asyncio.gather(
        watch.ask("reject", decide(1, "one")), watch.ask("reject", decide(1, "other"))
    )

    assert one == other
    assert len(watch.orders.called_off) == len(await watch.announced(ReviewDecided)) == 1


@pytest.mark.parametrize(("first", "second"), [("release", "reject"), ("reject", "release")])
async def test_what_was_decided_is_not_decided_otherwise(watch: Watch, first: str, second: str):
    await watch.hold(1)
    decided = await watch.ask(first, decide(1))

    with pytest.raises(AlreadyDecided) as refused:
        await watch.ask(second, decide(1))

    assert refused.value.fields == {"status": decided.status}
    assert await watch.service.get_review(ScreeningOf(order_id=order_id(1))) == decided
    assert len(watch.orders.called_off) == (first == "reject")


async def test_rejecting_what_was_never_on_hold_is_not_found(watch: Watch):
    await watch.deliver(watch.paid(1))

    for number in (1, 2):
        with pytest.raises(NotFound):
            await watch.ask("reject", decide(number))
    assert watch.orders.called_off == []


async def test_rejecting_an_order_that_was_called_off_is_refused(watch: Watch):
    await watch.hold(1)
    await watch.deliver(watch.cancelled(1))

    with pytest.raises(AlreadyDecided):
        await watch.ask("reject", decide(1))
    assert watch.orders.called_off == []


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_rejection_whose_outcome_is_unknown_goes_on_until_it_is_done(
    watch: Watch, effect: str
):
    await watch.hold(1)
    getattr(watch.orders, effect).extend([Unavailable("away"), DeadlineExceeded("slow")])

    review = await watch.ask("reject", decide(1))
    assert review.status is ReviewStatus.REJECTED
    for _ in range(3):
        watch.clock.advance(120)
        await watch.engine.run_due()

    assert len(watch.orders.called_off) == 1
    assert len(await watch.announced(ReviewDecided)) == 1


async def test_a_rejection_that_a_restart_cut_off_is_taken_up(engine, tmp_path: Path):
    clock, orders = ManualClock(), Orders(before=[Unavailable("away")])
    async with open_watch(tmp_path, engine, clock, orders) as watch:
        await watch.hold(1)
        await watch.ask("reject", decide(1))
        await watch.engine.release()
    assert orders.called_off == []
    async with open_watch(tmp_path, engine, clock, orders) as watch:
        await watch.engine.recover()
        await watch.engine.run_due()

    assert len(orders.called_off) == 1


async def test_an_order_that_cannot_be_called_off_any_more_is_open_again_and_says_why(
    watch: Watch,
):
    await watch.hold(1)
    watch.orders.before.append(FailedPrecondition("the order has left"))

    with pytest.raises(FailedPrecondition, match="the order has left"):
        await watch.ask("reject", decide(1))

    review = await watch.service.get_review(ScreeningOf(order_id=order_id(1)))
    assert (review.status, review.decided_by) == (ReviewStatus.OPEN, "")
    assert review.reason == "could not be called off: the order has left"
    watch.clock.advance(1)
    assert (await watch.ask("reject", decide(1))).status is ReviewStatus.REJECTED
    assert len(watch.orders.called_off) == 1


async def test_each_part_of_a_rejection_may_run_twice(watch: Watch):
    await watch.hold(1)
    steps = ReviewSteps(SqlScreenings(), watch.clock)
    rejection = Rejection(order_id=order_id(1), actor=OFFICER, reason="no")

    async def twice(tx: Tx) -> None:
        for _ in range(2):
            await steps.reject(tx, rejection)
        for _ in range(2):
            await steps.reopen(tx, rejection, FailedPrecondition("gone"))

    await watch.database.transaction(twice)

    review = await watch.service.get_review(ScreeningOf(order_id=order_id(1)))
    assert review.status is ReviewStatus.OPEN
    assert len(await watch.announced(ReviewDecided)) == 1
