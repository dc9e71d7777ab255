"""The rules that hold between services, each about the whole story of one order."""

from collections.abc import Callable, Mapping

from emporion.contracts.analytics import AnalyticsService
from emporion.contracts.email import EmailService
from emporion.contracts.fraud import FraudService
from emporion.contracts.inventory import InventoryService, ReservationStatus
from emporion.contracts.order_desk import OrderStatus
from emporion.kernel.money import Money
from emporion.platform.audit.facts import Story

Rule = Callable[[Story], str | None]
"""None: the rule is not about this order. Empty: it is kept. Otherwise: how it is broken."""

SOLD = frozenset(
    {
        OrderStatus.PAID,
        OrderStatus.PARTLY_SHIPPED,
        OrderStatus.SHIPPED,
        OrderStatus.DELIVERED,
        OrderStatus.RETURNED,
        OrderStatus.REFUNDED,
    }
)
"""Statuses of orders that have, or had, their stock, and whose money was kept."""
ANNOUNCED = SOLD | {OrderStatus.CANCELLED}
"""Statuses of orders that were announced as created."""


def paid_means_captured(story: Story) -> str | None:
    """A sold order has captured exactly its total, but for what it took from gift cards.

    What went back in parts is still its own. One that gift cards paid, or that promotions made
    free, has no payment.
    """
    order, payment = story.order, story.payment
    if order is None or order.status not in SOLD:
        return None
    if payment is None and story.sold_minor < order.total_minor:
        return f"is {order.status} ({_money(order.total_minor, order.currency)}) without a payment"
    if story.sold_minor != order.total_minor or story.currencies - {order.currency}:
        currency = "+".join(sorted(story.currencies))
        kept = f"{story.sold_minor} minor units ({currency})"
        return f"costs {_money(order.total_minor, order.currency)}, kept are {kept}"
    return ""


def no_money_without_a_sale(story: Story) -> str | None:
    """A rejected or cancelled order keeps no money, and nothing of a gift card."""
    order = story.order
    if order is None or not story.currencies or story.is_saga_open:
        return None
    if order.status not in {OrderStatus.REJECTED, OrderStatus.CANCELLED}:
        return None
    if story.net_minor:
        return f"is {order.status}, but {_money(story.net_minor, order.currency)} are kept"
    return ""


def every_payment_has_its_order(story: Story) -> str | None:
    """A payment belongs to an order."""
    if story.payment is None:
        return None
    if story.order is None:
        kept = _money(story.net_minor, story.payment.currency)
        return f"a payment ({story.payment.status}, {kept} kept) without an order"
    return ""


def every_spending_has_its_order(story: Story) -> str | None:
    """What was taken from a gift card was taken for an order."""
    if story.spending is None:
        return None
    if story.order is None:
        spent = _money(story.net_minor, story.spending.currency)
        return f"{spent} of gift cards spent without an order"
    return ""


def sold_means_stock_held(story: Story) -> str | None:
    """A sold order has its stock, committed once inventory has heard of it."""
    order, hold = story.order, story.hold
    if order is None or order.status not in SOLD:
        return None
    if hold is None:
        return f"is {order.status}, but no stock is held for it"
    is_told = InventoryService.NAME not in story.unread_by
    if hold.status != ReservationStatus.COMMITTED and is_told:
        return f"is {order.status}, but its stock is only {hold.status}"
    return ""


def stock_is_held_for_orders_that_need_it(story: Story) -> str | None:
    """An open hold belongs to an order that is paid or being decided."""
    if story.hold is None:
        return None
    if story.order is None:
        return f"stock is {story.hold.status} for an order that does not exist"
    if story.order.status in {OrderStatus.REJECTED, OrderStatus.CANCELLED}:
        if story.is_saga_open:
            return None
        return f"is {story.order.status}, but its stock is still {story.hold.status}"
    return ""


def one_confirmation_per_sale(story: Story) -> str | None:
    """A sold order has one confirmation mail, or its event is still to come; others have none."""
    if story.order is None:
        return f"{story.confirmations} mails, but no order" if story.confirmations else None
    if story.order.status not in ANNOUNCED:
        return f"is {story.order.status}, but was confirmed" if story.confirmations else None
    is_told = EmailService.NAME not in story.unread_by
    if story.confirmations > 1 or (is_told and story.confirmations == 0):
        return f"has {story.confirmations} confirmations"
    return ""


def every_sale_is_counted(story: Story) -> str | None:
    """A sold order is in the figures with its total, or its event is still to come; others not.

    One that was called off stays in them: it was sold before.
    """
    order, sale = story.order, story.sale
    if order is None:
        return "is in the figures, but does not exist" if sale else None
    if order.status not in ANNOUNCED:
        return f"is {order.status}, but in the figures as sold" if sale else None
    if sale is None:
        is_told = AnalyticsService.NAME not in story.unread_by
        return "is missing in the figures" if is_told else ""
    if (sale.total_minor, sale.currency) != (order.total_minor, order.currency):
        counted = _money(sale.total_minor, sale.currency)
        return f"costs {_money(order.total_minor, order.currency)}, counted are {counted}"
    return ""


def every_sale_is_screened(story: Story) -> str | None:
    """A sold order was screened, or its event is still to come; others were not."""
    if story.order is None:
        return "was screened, but does not exist" if story.is_screened else None
    if story.order.status not in ANNOUNCED:
        return f"is {story.order.status}, but was screened" if story.is_screened else None
    is_told = FraudService.NAME not in story.unread_by
    return "was not screened" if is_told and not story.is_screened else ""


def pending_means_a_saga_works_on_it(story: Story) -> str | None:
    """A pending order is being decided by a saga."""
    undecided = {OrderStatus.PENDING, OrderStatus.CANCELLING}
    if story.order is None or story.order.status not in undecided:
        return None
    return "" if story.is_saga_open else f"is {story.order.status}, but no saga works on it"


RULES: Mapping[str, Rule] = {
    "paid orders = captured payments": paid_means_captured,
    "no money kept for unsold orders": no_money_without_a_sale,
    "every payment has its order": every_payment_has_its_order,
    "every gift card spending has its order": every_spending_has_its_order,
    "paid orders have their stock": sold_means_stock_held,
    "open holds = orders that need them": stock_is_held_for_orders_that_need_it,
    "one confirmation per sold order": one_confirmation_per_sale,
    "figures count each sold order": every_sale_is_counted,
    "sold orders are screened once": every_sale_is_screened,
    "a saga works on each pending order": pending_means_a_saga_works_on_it,
}


def _money(amount_minor: int, currency: str) -> str:
    return str(Money(amount_minor, currency))
