"""What the payment service needs from outside: a provider that moves money, and a store."""

from emporion.services.payment.ports.provider import (
    Answer,
    Approval,
    Decline,
    Listener,
    Notice,
    PaymentProvider,
    ReturnedThere,
    Reversal,
    Standing,
)
from emporion.services.payment.ports.stores import (
    KeptWebhook,
    PaymentStore,
    Posted,
    StoredHealing,
    StoredPayment,
    WebhookStore,
)

__all__ = [
    "Answer",
    "Approval",
    "Decline",
    "KeptWebhook",
    "Listener",
    "Notice",
    "PaymentProvider",
    "PaymentStore",
    "Posted",
    "ReturnedThere",
    "Reversal",
    "Standing",
    "StoredHealing",
    "StoredPayment",
    "WebhookStore",
]
