"""The rules of orders and carts: pure, no clock, no storage."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, Self

from emporion.kernel.aggregate import Aggregate
from emporion.kernel.errors import InvalidArgument
from emporion.kernel.ids import OrderId, Sku, UserId
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.kernel.value import Value

LINES_MAX = 200
UNITS_PER_LINE_MAX = 10_000


class Status(StrEnum):
    """Where an order stands."""

    DRAFT = "draft"
    PENDING = "pending"
    PAID = "paid"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


_PENDING = Status.PENDING


class EmptyOrder(InvalidArgument):
    """An order has at least one line."""

    slug = "empty-order"
    title = "The order has no lines"


class Priced(Protocol):
    """So many units at a price each: what a total is made of."""

    @property
    def unit_price(self) -> Money:
        """The price of one."""
        ...

    @property
    def quantity(self) -> int:
        """How many."""
        ...


class OrderLine(Value, frozen=True, gc=False):
    """So many units of a SKU at the price of the day."""

    sku: Sku
    name: str
    quantity: int
    unit_price: Money


class Created(Value, frozen=True, gc=False):
    """Somebody ordered; stock and money are being settled."""

    user_id: UserId
    lines: tuple[OrderLine, ...]
    total: Money


class Paid(Value, frozen=True, gc=False):
    """The stock is held and the money captured."""


class Rejected(Value, frozen=True, gc=False):
    """The order could not be fulfilled; what had been done for it was undone."""

    slug: str
    detail: str


class Cancelled(Value, frozen=True, gc=False):
    """A paid order was called off."""

    reason: str


OrderEvent = Created | Paid | Rejected | Cancelled


class Order(Aggregate[OrderEvent]):
    """An order, folded from its events."""

    START = Status.DRAFT
    LIFECYCLE = {  # noqa: RUF012 - the base declares it ClassVar
        # state before             event      state after
        (Status.DRAFT, Created): Status.PENDING,
        (Status.PENDING, Paid): Status.PAID,
        (Status.PENDING, Rejected): Status.REJECTED,
        (Status.PAID, Cancelled): Status.CANCELLED,
    }

    user_id: UserId
    lines: tuple[OrderLine, ...] = ()
    total: Money
    refusal: Rejected | None = None

    @classmethod
    def as_opened(cls, order_id: OrderId) -> Self:
        """An order that was opened and nothing since, without what was ordered."""
        order = cls(order_id)
        order.status, order.version = _PENDING, 1
        return order

    @property
    def order_id(self) -> OrderId:
        """The order's id."""
        return OrderId(self.id)

    @property
    def units(self) -> int:
        """All units of all lines."""
        return sum(line.quantity for line in self.lines)

    def create(self, user_id: UserId, lines: tuple[OrderLine, ...]) -> None:
        """Take an order. Raises EmptyOrder or CurrencyMismatch."""
        self.record(Created(user_id, lines, total_of(lines)))

    def pay(self) -> None:
        """Stock is held and money captured. Raises NotInThisState."""
        self.record(Paid())

    def reject(self, slug: str, detail: str) -> None:
        """It cannot be fulfilled. Raises NotInThisState."""
        self.record(Rejected(slug, detail))

    def cancel(self, reason: str) -> None:
        """Call off a paid order. Raises NotInThisState."""
        self.record(Cancelled(reason))

    def on_created(self, event: Created) -> None:
        """Take over who ordered what."""
        self.user_id, self.lines, self.total = event.user_id, event.lines, event.total

    def on_rejected(self, event: Rejected) -> None:
        """Remember why."""
        self.refusal = event


def total_of(lines: Sequence[Priced]) -> Money:
    """The sum of the lines, exact. Raises EmptyOrder or CurrencyMismatch."""
    if not lines:
        raise EmptyOrder
    currency = lines[0].unit_price.currency
    amount_minor = 0
    for line in lines:
        price = line.unit_price
        if price.currency != currency:
            raise CurrencyMismatch(f"{currency} and {price.currency} in one order")
        amount_minor += price.amount_minor * line.quantity
    return Money(amount_minor, currency)


def is_overfull(units_per_sku: dict[Sku, int]) -> bool:
    """Whether a cart holds more lines, or a line more units, than a cart may."""
    return len(units_per_sku) > LINES_MAX or any(
        units > UNITS_PER_LINE_MAX for units in units_per_sku.values()
    )
