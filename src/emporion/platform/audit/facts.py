"""What the audit knows about one order from five services' books, and what it finds."""

from dataclasses import dataclass
from typing import NamedTuple


class OrderFact(NamedTuple):
    """The order service's row; `status` as in the contract."""

    order_id: str
    status: str
    total_minor: int
    currency: str


class PaymentFact(NamedTuple):
    """The payment service's row; `captured_minor` was taken, `refunded_minor` given back.

    `parts_minor` of that went back in parts, so that the order stands without it.
    """

    order_id: str
    status: str
    captured_minor: int
    refunded_minor: int
    parts_minor: int
    currency: str


class SpendingFact(NamedTuple):
    """What an order took from gift cards; of that, what was undone and what returns gave back."""

    order_id: str
    spent_minor: int
    undone_minor: int
    returned_minor: int
    currency: str


class HoldFact(NamedTuple):
    """An open hold on stock: held or committed."""

    order_id: str
    status: str


class SaleFact(NamedTuple):
    """An order that analytics counts as sold, and for how much."""

    order_id: str
    total_minor: int
    currency: str


class ScreeningFact(NamedTuple):
    """An order that was screened."""

    order_id: str


class MailFact(NamedTuple):
    """How many confirmations of an order were queued or sent."""

    order_id: str
    confirmations: int


@dataclass(frozen=True, slots=True)
class Story:
    """One order over all services.

    Args:
        is_saga_open: a saga about it is running or compensating: its books may still move.
        unread_by: the subscribers that have its `orders.created` still to come.
    """

    order_id: str
    order: OrderFact | None
    payment: PaymentFact | None
    hold: HoldFact | None
    confirmations: int
    is_saga_open: bool
    unread_by: frozenset[str]
    sale: SaleFact | None = None
    is_screened: bool = False
    spending: SpendingFact | None = None

    @property
    def net_minor(self) -> int:
        """The money we keep for it, captured or from gift cards."""
        net_minor = 0
        if self.payment is not None:
            net_minor += self.payment.captured_minor - self.payment.refunded_minor
        if self.spending is not None:
            spent = self.spending
            net_minor += spent.spent_minor - spent.undone_minor - spent.returned_minor
        return net_minor

    @property
    def currencies(self) -> frozenset[str]:
        """In which the money was taken."""
        return frozenset(told.currency for told in (self.payment, self.spending) if told)

    @property
    def sold_minor(self) -> int:
        """The money the order was sold for: kept, or given back in parts while it stands."""
        parts_minor = self.payment.parts_minor if self.payment else 0
        returned_minor = self.spending.returned_minor if self.spending else 0
        return self.net_minor + parts_minor + returned_minor


class Violation(NamedTuple):
    """A book that does not balance: which check, about what, and in what way."""

    check: str
    subject: str
    detail: str


@dataclass(slots=True)
class Finding:
    """The result of one check.

    Args:
        examined: how many things were looked at; None: the check counts nothing.
        violations: at most VIOLATIONS_MAX of them.
        total: all of them.
        is_warning: worth knowing, but nothing is lost: does not fail the audit.
    """

    check: str
    examined: int | None
    violations: list[Violation]
    total: int
    is_warning: bool = False

    def add(self, violation: Violation) -> None:
        """Note one more; beyond the limit only its number."""
        self.total += 1
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(violation)


VIOLATIONS_MAX = 1_000
