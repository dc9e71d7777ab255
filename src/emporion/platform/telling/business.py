"""Metrics of what is sold: orders, revenue by currency, refusals by reason."""

from typing import Final

import msgspec

from emporion.chassis.events.bus import Delivery
from emporion.chassis.telemetry.metrics import LABEL_LENGTH_MAX, Count, Metrics
from emporion.contracts.order import OrderCancelled, OrderCreated, OrderRejected
from emporion.kernel.money import Money

COUNTED_BY: Final = "analytics"
"""The subscriber whose reactions are counted: each event once, in the process that holds it."""
REASONS_MAX: Final = 100
OTHER: Final = "other"


class _Refusal(msgspec.Struct, frozen=True, gc=False):
    slug: str


class _Told(msgspec.Struct, frozen=True, gc=False):
    """What is read of an order's event."""

    amount: Money
    refusal: _Refusal | None = None


_decode: Final = msgspec.json.Decoder(_Told).decode


class BusinessMetrics:
    """Counts what subscribers hear of orders, off the order path.

    A replay of analytics counts again what it repeats, as a restart begins at 0: for the books
    ask analytics itself.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._reasons: dict[str, Count] = {}

    def record(self, delivery: Delivery) -> None:
        """A batch that was reacted to."""
        if delivery.subscriber != COUNTED_BY:
            return
        for each in delivery.received:
            if each.kind is OrderCreated:
                amount = _decode(each.data).amount
                self._orders("paid").add()
                self._revenue(amount.currency).add(amount.amount_minor)
            elif each.kind is OrderRejected:
                refusal = _decode(each.data).refusal
                self._orders("rejected").add()
                self._refused(refusal.slug if refusal else OTHER).add()
            elif each.kind is OrderCancelled:
                self._orders("cancelled").add()

    def _orders(self, outcome: str) -> Count:
        return self._metrics.count("orders", "Orders by what became of them.", outcome=outcome)

    def _revenue(self, currency: str) -> Count:
        about = "Money of paid orders, in minor units."
        return self._metrics.count("revenue_minor", about, currency=currency)

    def _refused(self, slug: str) -> Count:
        if slug not in self._reasons:
            is_odd = len(slug) > LABEL_LENGTH_MAX or len(self._reasons) >= REASONS_MAX
            reason = OTHER if is_odd else slug
            about = "Rejected orders by why."
            self._reasons[slug] = self._metrics.count("order_refusals", about, reason=reason)
        return self._reasons[slug]
