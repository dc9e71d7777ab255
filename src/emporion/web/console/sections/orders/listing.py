"""Finds orders: everybody's, by conditions that stand in the address."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from emporion.chassis.http.exchange import Response
from emporion.chassis.http.problem import status_of
from emporion.contracts.order import OrderService
from emporion.contracts.order_desk import FindOrders, FoundOrder, OrderStatus
from emporion.kernel.errors import InvalidArgument
from emporion.kernel.ids import ORDER, USER, has_prefix
from emporion.web.forms import Fields, message
from emporion.web.visit import Visit

PER_PAGE: Final = 50
HOME: Final = "/console/orders"
KINDS: Final = {
    OrderStatus.PENDING: "wait",
    OrderStatus.CANCELLING: "wait",
    OrderStatus.PAID: "right",
    OrderStatus.PARTLY_SHIPPED: "right",
    OrderStatus.SHIPPED: "right",
    OrderStatus.DELIVERED: "right",
    OrderStatus.REJECTED: "wrong",
    OrderStatus.CANCELLED: "",
    OrderStatus.RETURNED: "",
    OrderStatus.REFUNDED: "",
}
"""The colour of a status; its word is always there, too."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The conditions, as they were written."""

    order: str
    status: str
    person: str
    since: str
    until: str
    cursor: str

    @classmethod
    def of(cls, query: Fields) -> "Wanted":
        """Those in an address."""
        names = ("order", "status", "person", "since", "until", "cursor")
        return cls(*(query.text(name) for name in names))

    def request(self) -> FindOrders:
        """What is asked for. Raises InvalidArgument."""
        given: dict[str, Any] = {
            "status": self.status,
            "user_id": self.person,
            "since": instant_of(self.since, "since"),
            "until": instant_of(self.until, "until"),
            "cursor": self.cursor,
        }
        given = {name: value for name, value in given.items() if value}
        return message(FindOrders, limit=PER_PAGE, **given)

    def address(self, cursor: str = "") -> str:
        """That of the same conditions, from a cursor on."""
        fields = {
            "status": self.status,
            "person": self.person,
            "since": self.since,
            "until": self.until,
            "cursor": cursor,
        }
        given = {name: value for name, value in fields.items() if value}
        return f"{HOME}?{urlencode(given)}" if given else HOME


async def orders(visit: Visit) -> Response:
    """A page of those that meet every condition; an id leads to its order."""
    wanted = Wanted.of(visit.query)
    if has_prefix(wanted.order, ORDER):
        return visit.redirect(f"{HOME}/{wanted.order}")
    try:
        if wanted.order:
            raise InvalidArgument("an order's id is ord_ and 32 hexadecimal digits")
        if wanted.person and not has_prefix(wanted.person, USER):
            raise InvalidArgument("a person's id is usr_ and 32 hexadecimal digits")
        page = await visit.ask(OrderService).find_orders(wanted.request())
    except InvalidArgument as refusal:
        return await _shown(visit, wanted, refusal=refusal)
    return await _shown(visit, wanted, found=page.orders, next_cursor=page.next_cursor)


async def _shown(
    visit: Visit,
    wanted: Wanted,
    *,
    found: list[FoundOrder] | None = None,
    next_cursor: str = "",
    refusal: InvalidArgument | None = None,
) -> Response:
    return await visit.show(
        "desks/orders.html",
        200 if refusal is None else status_of(refusal),
        wanted=wanted,
        orders=found or [],
        kinds=KINDS,
        statuses=[("", "any"), *((each.value, words_of(each)) for each in OrderStatus)],
        refusal=refusal,
        first=wanted.address() if wanted.cursor else "",
        next=wanted.address(next_cursor) if next_cursor else "",
    )


def words_of(status: str) -> str:
    """A status as people read it."""
    return status.replace("_", " ")


def instant_of(text: str, field: str) -> datetime | None:
    """What a field for date and time sent, in UTC; none if empty. Raises InvalidArgument."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument("that is no date and time", field=field) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
