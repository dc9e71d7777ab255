"""Events as other services announce them, at the test's own times."""

from datetime import UTC, datetime, timedelta
from typing import Any

from emporion.contracts.giftcard import GiftCardsRefunded
from emporion.contracts.order import (
    OrderCancelled,
    OrderCreated,
    OrderRejected,
    PricedLine,
    Refusal,
)
from emporion.contracts.payment import PaymentRefunded
from emporion.contracts.user import UserRegistered
from emporion.kernel.ids import PaymentId, Sku, UserId
from emporion.kernel.money import Money
from tests.services.till import ADA, order_id

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours after the start of the year."""
    return START + timedelta(hours=hours)


def sold(
    number: int, when: datetime, *lines: tuple[str, int, int], currency: str = "EUR"
) -> OrderCreated:
    """An order; each line a SKU, its units and the price of one."""
    lines = lines or (("tea", 1, 300),)
    return OrderCreated(
        order_id=order_id(number),
        user_id=ADA,
        amount=Money(sum(units * price for _, units, price in lines), currency),
        lines=[
            PricedLine(
                sku=Sku(sku),
                name=sku,
                quantity=units,
                unit_price=Money(price, currency),
                total=Money(units * price, currency),
            )
            for sku, units, price in lines
        ],
        created_at=when,
    )


def cancelled(order: OrderCreated, when: datetime) -> OrderCancelled:
    """That order called off."""
    return OrderCancelled(
        order_id=order.order_id,
        user_id=order.user_id,
        amount=order.amount,
        reason="",
        cancelled_at=when,
    )


def rejected(number: int, when: datetime, slug: str = "out-of-stock") -> OrderRejected:
    """An order that was refused."""
    return OrderRejected(
        order_id=order_id(number),
        user_id=ADA,
        amount=Money(300, "EUR"),
        refusal=Refusal(slug=slug, detail="no"),
        rejected_at=when,
    )


def refunded(
    number: int, when: datetime, amount_minor: int = 300, *, part: str = "", currency: str = "EUR"
) -> PaymentRefunded:
    """Money of an order that went back."""
    return PaymentRefunded(
        payment_id=PaymentId(f"pay_{number:032x}"),
        order_id=order_id(number),
        amount=Money(amount_minor, currency),
        refunded_at=when,
        refund_id=part,
    )


def given_back(
    number: int, when: datetime, amount_minor: int = 300, *, part: str = "", currency: str = "EUR"
) -> GiftCardsRefunded:
    """Money of an order that went back to gift cards."""
    return GiftCardsRefunded(
        order_id=order_id(number),
        refund_id=part,
        amount=Money(amount_minor, currency),
        refunded_at=when,
    )


def registered(number: int, when: datetime) -> UserRegistered:
    """Somebody signed up."""
    return UserRegistered(user_id=UserId(f"usr_{number:032x}"), registered_at=when)


def some_of_everything() -> list[Any]:
    """A day of events of every kind, in the order in which they happened."""
    events: list[Any] = []
    for number in range(1, 97):
        when = at(number / 4)
        if number % 5 == 0:
            slug = "payment-declined" if number % 2 else "out-of-stock"
            events += [rejected(number, when, slug), refunded(number, when)]
            continue
        currency = "GBP" if number % 7 == 0 else "EUR"
        order = sold(number, when, ("tea", number % 3 + 1, 300), ("jam", 1, 450), currency=currency)
        events.append(order)
        if number % 6 == 0:
            back = order.amount.amount_minor
            events += [
                cancelled(order, at(number / 4 + 1)),
                refunded(number, at(number / 4 + 1), back, currency=currency),
            ]
        if number % 11 == 0:
            parts = [refunded(number, at(26), 100, part=part, currency=currency) for part in "ab"]
            events += [*parts, given_back(number, at(26), 50, part="b", currency=currency)]
        if number % 10 == 3:
            events.append(registered(number, when))
    return events
