"""From what was counted to the figures of a period."""

from collections.abc import Iterable, Sequence

from emporion.contracts.analytics import Figures, Refusals, Takings
from emporion.kernel.money import Money
from emporion.services.analytics.domain.facts import (
    CANCELLED,
    REFUNDED,
    REGISTERED,
    REJECTED,
    SOLD,
    Sum,
)
from emporion.services.analytics.ports import Counted

IN_MONEY = frozenset({SOLD, CANCELLED, REFUNDED})
"""What is counted by currency."""
_NOTHING = Sum(0, 0, 0)


def currencies_in(counted: Iterable[Counted]) -> list[str]:
    """The currencies that money was counted in, sorted."""
    return sorted({one.label for one in counted if one.what in IN_MONEY})


def added_up(counted: Iterable[Counted]) -> list[Counted]:
    """All buckets together, as one."""
    sums: dict[tuple[str, str], Sum] = {}
    for one in counted:
        found = sums.get((one.what, one.label), _NOTHING)
        total = Sum(*(have + more for have, more in zip(found, one.sum, strict=True)))
        sums[one.what, one.label] = total
    return [Counted(0, what, label, total) for (what, label), total in sums.items()]


def figures_of(counted: Sequence[Counted], currencies: Sequence[str]) -> Figures:
    """The figures of one bucket, with all of these currencies."""
    sums = {(one.what, one.label): one.sum for one in counted}
    orders, cancelled, rejected, registered = (
        sum(one.sum.number for one in counted if one.what == what)
        for what in (SOLD, CANCELLED, REJECTED, REGISTERED)
    )
    checkouts = orders + rejected
    return Figures(
        checkouts=checkouts,
        orders=orders,
        rejected=rejected,
        cancelled=cancelled,
        registered=registered,
        conversion=orders / checkouts if checkouts else None,
        takings=[_takings(sums, currency) for currency in currencies],
        refusals=refusals_in(counted),
    )


def refusals_in(counted: Iterable[Counted]) -> list[Refusals]:
    """Why orders were refused, the most frequent reason first."""
    found = [(one.label, one.sum.number) for one in counted if one.what == REJECTED]
    found.sort(key=lambda one: (-one[1], one[0]))
    return [Refusals(reason=reason, orders=orders) for reason, orders in found]


def _takings(sums: dict[tuple[str, str], Sum], currency: str) -> Takings:
    sold = sums.get((SOLD, currency), _NOTHING)
    refunded = sums.get((REFUNDED, currency), _NOTHING)
    revenue = Money(sold.amount_minor, currency)
    back = Money(refunded.amount_minor, currency)
    return Takings(
        currency=currency,
        orders=sold.number,
        units=sold.units,
        revenue=revenue,
        average=_average(sold, currency),
        cancelled=sums.get((CANCELLED, currency), _NOTHING).number,
        refunds=refunded.number,
        refunded=back,
        net=revenue - back,
    )


def _average(sold: Sum, currency: str) -> Money | None:
    """Revenue by order, to the nearest minor unit, halves up."""
    if not sold.number:
        return None
    return Money((2 * sold.amount_minor + sold.number) // (2 * sold.number), currency)
