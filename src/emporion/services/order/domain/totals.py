"""What an order costs."""

from collections.abc import Sequence
from typing import Protocol

from emporion.kernel.errors import InvalidArgument
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.order.domain.events import Detail, OrderLine


class EmptyOrder(InvalidArgument):
    """An order has at least one line."""

    slug = "empty-order"
    title = "The order has no lines"


class UnexplainedTotal(InvalidArgument):
    """The lines cost more than what is paid in all."""

    slug = "unexplained-total"
    title = "The total does not follow from its parts"


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


def explained(lines: Sequence[OrderLine], details: Sequence[Detail]) -> Money:
    """The sum of the details, of which the lines are a part and the delivery the rest.

    Raises EmptyOrder, CurrencyMismatch or UnexplainedTotal.
    """
    total = Money.zero(total_of(lines).currency)
    for detail in details:
        total = total if detail.is_included else total + detail.amount
    paid_minor = sum(line.total.amount_minor for line in lines)
    if not 0 <= paid_minor <= total.amount_minor:
        raise UnexplainedTotal(f"{total} in all, and {paid_minor} minor units for the lines")
    return total
