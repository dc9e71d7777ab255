"""Why an order costs what it costs: the catalogue explains it as it was then."""

from emporion.chassis.auth.identity import Identity
from emporion.contracts.catalog import CatalogService
from emporion.contracts.order import PricedLine
from emporion.contracts.order_prices import WhyOrderPrice
from emporion.contracts.pricing import DetailKind, PriceDetail
from emporion.contracts.pricing import PricedLine as Quoted
from emporion.contracts.pricing_why import ExplainPrices
from emporion.kernel.ids import OrderId
from emporion.services.order.queries.orders import OrderQueries


class PriceQueries:
    """Prices of orders, explained."""

    def __init__(self, orders: OrderQueries, catalog: CatalogService) -> None:
        self._orders = orders
        self._catalog = catalog

    async def why(self, order_id: OrderId, caller: Identity) -> WhyOrderPrice:
        """See OrderService.why_order_price. Raises NotFound, and what calls raise."""
        order = await self._orders.get_for(order_id, caller)
        goods = PriceDetail(kind=DetailKind.GOODS, name="", ref="", amount=order.total)
        told = await self._catalog.explain_prices(
            ExplainPrices(
                at=order.created_at,
                lines=[_line(line) for line in order.lines],
                details=order.details or [goods],
            )
        )
        is_changed = any(line.is_changed for line in told.lines)
        return WhyOrderPrice(
            order_id=order_id,
            priced_at=order.created_at,
            total=order.total,
            lines=told.lines,
            details=told.details,
            is_changed=is_changed or any(detail.is_changed for detail in told.details),
        )


def _line(line: PricedLine) -> Quoted:
    return Quoted(
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.total,
        off=line.off,
        tax=line.tax,
    )
