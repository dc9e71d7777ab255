"""Which events each service reacts to, for whoever has its files only and not the service."""

from collections.abc import Mapping, Sequence

from emporion.contracts.contract import Event
from emporion.contracts.fraud import ReviewDecided, ScreeningCompleted
from emporion.contracts.giftcard import GiftCardsRefunded
from emporion.contracts.order import OrderCancelled, OrderCreated, OrderRefunded, OrderRejected
from emporion.contracts.payment import PaymentRefunded
from emporion.contracts.shipping import ShipmentDelivered, ShipmentShipped
from emporion.contracts.user import UserErased, UserRegistered
from emporion.platform.contracts import EVENTS


def _names(*events: type[Event]) -> Sequence[str]:
    return tuple(event.SPEC.name for event in events)


REACTS_TO: Mapping[str, Sequence[str]] = {
    "analytics": _names(
        OrderCreated,
        OrderCancelled,
        OrderRejected,
        PaymentRefunded,
        GiftCardsRefunded,
        UserRegistered,
    ),
    "email": _names(
        OrderCreated,
        OrderCancelled,
        OrderRejected,
        ShipmentShipped,
        ShipmentDelivered,
        OrderRefunded,
    ),
    "fraud": _names(OrderCreated, OrderCancelled, OrderRejected),
    "inventory": _names(OrderCreated),
    "recommendation": _names(OrderCreated, OrderCancelled),
    "order": _names(ShipmentShipped, ShipmentDelivered, UserErased),
    "shipping": _names(OrderCreated, OrderCancelled, ScreeningCompleted, ReviewDecided),
    "webhook": _names(*EVENTS),
}
"""By service; the tests compare it with the services' own tables of subscriptions."""
