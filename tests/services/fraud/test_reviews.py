"""Reviews: the queue of orders on hold, and what staff decide about them."""

import pytest

from emporion.contracts.fraud import (
    AlreadyDecided,
    Decide,
    Decision,
    ListReviews,
    ReviewDecided,
    ReviewStatus,
    ScreeningOf,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.errors import NotFound
from tests.services.fraud.watch import ADA, OFFICER, Watch, order_id


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
