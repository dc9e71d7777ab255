"""How a payment and its dealings with the provider are named."""

from emporion.kernel.ids import ORDER, PAYMENT, OrderId, PaymentId


def payment_id_of(order_id: OrderId) -> PaymentId:
    """One order, one payment: so the payment's id is the order's under another prefix."""
    return PaymentId(PAYMENT + order_id[len(ORDER) :])


def order_id_of(payment_id: PaymentId) -> OrderId:
    """The order of a payment."""
    return OrderId(ORDER + payment_id[len(PAYMENT) :])


def charge_key(order_id: OrderId) -> str:
    """The provider's idempotency key of the order's charge: the same at every attempt.

    Authorising is under the same key: an order has one charge, held first or taken at once.
    """
    return f"charge-{order_id}"


def capture_key(order_id: OrderId) -> str:
    """The provider's idempotency key of taking what it holds."""
    return f"capture-{order_id}"


def void_key(order_id: OrderId) -> str:
    """The provider's idempotency key of letting go of what it holds."""
    return f"void-{order_id}"


def refund_key(order_id: OrderId, refund_id: str = "") -> str:
    """The provider's idempotency key of a refund; without an id, that of the undo."""
    return f"refund-{order_id}-{refund_id}" if refund_id else f"refund-{order_id}"


def refund_id_of(key: str) -> str | None:
    """The id of the refund that a key stands for, empty for the undo; None: it is no such key."""
    kind, _, rest = key.partition("-")
    return rest.partition("-")[2] if kind == "refund" else None


def order_of_key(key: str) -> OrderId:
    """The order that a charge's or refund's key belongs to."""
    return OrderId(key.split("-", 2)[1])
