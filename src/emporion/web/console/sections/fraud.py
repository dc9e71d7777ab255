"""The review queue: orders on hold, the rules that fired, and a person's decision."""

from typing import Final
from urllib.parse import urlencode

from emporion.chassis.http.exchange import Response
from emporion.contracts.fraud import (
    Decide,
    FraudService,
    ListReviews,
    Review,
    ReviewStatus,
    ScreeningOf,
)
from emporion.kernel.errors import EmporionError, InvalidArgument, NotFound
from emporion.web.console.acting import act, reason_of, show
from emporion.web.console.section import Section
from emporion.web.forms import message
from emporion.web.visit import Visit

HOME: Final = "/console/fraud"
PER_PAGE: Final = 50
KINDS: Final = {
    ReviewStatus.OPEN: "wait",
    ReviewStatus.RELEASED: "right",
    ReviewStatus.REJECTED: "wrong",
    ReviewStatus.WITHDRAWN: "",
}
WORDS: Final = {
    "released": "Released: it may be shipped.",
    "rejected": "Rejected: the order is called off, its stock and its money go back.",
}


async def reviews(visit: Visit) -> Response:
    """The queue, the longest waiting first."""
    status, cursor = visit.query.text("status"), visit.query.text("cursor")
    chosen = status if status in set(ReviewStatus) else ReviewStatus.OPEN.value
    wanted = message(ListReviews, status=chosen, limit=PER_PAGE, cursor=cursor)
    page = await visit.ask(FraudService).list_reviews(wanted)
    here = f"{HOME}?{urlencode({'status': chosen})}"
    return await visit.show(
        "desks/reviews.html",
        reviews=page.reviews,
        status=chosen,
        statuses=[(each.value, each.value) for each in ReviewStatus],
        kinds=KINDS,
        now_ms=visit.site.runtime.clock.now_ms(),
        first=here if cursor else "",
        next=f"{here}&{urlencode({'cursor': page.next_cursor})}" if page.next_cursor else "",
    )


async def review(visit: Visit) -> Response:
    """One order on hold, or that was. Raises NotFound."""
    return await _shown(visit, None)


async def release(visit: Visit) -> Response:
    """Let it go."""

    async def work() -> Review:
        return await visit.ask(FraudService).release(_decision(visit))

    return await act(visit, work, onto=_address(visit), done="released", shown=_shown)


async def reject(visit: Visit) -> Response:
    """Call it off."""

    async def work() -> Review:
        return await visit.ask(FraudService).reject(_decision(visit))

    return await act(visit, work, onto=_address(visit), done="rejected", shown=_shown)


def _decision(visit: Visit) -> Decide:
    return message(Decide, order_id=visit.path["order_id"], reason=reason_of(visit))


async def _shown(visit: Visit, refusal: EmporionError | None) -> Response:
    try:
        request = message(ScreeningOf, order_id=visit.path["order_id"])
    except InvalidArgument as error:
        raise NotFound("an order's id is ord_ and 32 hexadecimal digits") from error
    told = await visit.ask(FraudService).get_review(request)
    return await show(visit, "desks/review.html", refusal, words=WORDS, review=told, kinds=KINDS)


def _address(visit: Visit) -> str:
    return f"{HOME}/{visit.path['order_id']}"


SECTION: Final = Section(
    "Fraud",
    pages={"": reviews, "/{order_id}": review},
    forms={"/{order_id}/release": release, "/{order_id}/reject": reject},
)
