"""What recommendation needs from outside."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import OrderId, Sku
from emporion.services.recommendation.domain import Basket, Together


class Seller(NamedTuple):
    """In how many orders a SKU is."""

    sku: Sku
    orders: int


class Evidence(NamedTuple):
    """What is known about a basket, at one instant; `orders` is the number of all orders."""

    orders: int
    together: Sequence[Together]
    sellers: Sequence[Seller]


class CountStore(Protocol):
    """Counts over the baskets of all orders that stand.

    An order counts once, whatever comes twice, and not at all once it was taken out, whichever
    came first. Every method raises Unavailable when the engine cannot answer.
    """

    async def add(self, tx: Tx, baskets: Sequence[Basket]) -> None:
        """Count orders that were neither counted nor taken out before.

        Runs inside the subscriber's transaction.
        """
        ...

    async def take_out(self, tx: Tx, order_ids: Sequence[OrderId]) -> None:
        """Count orders no more, nor when they come later. Runs like `add`."""
        ...

    async def evidence(self, skus: Sequence[Sku], *, min_orders: int, limit: int) -> Evidence:
        """What was bought with each of the SKUs in at least `min_orders` orders, and best sellers.

        Those with the highest lift, at most `limit` for each SKU on average; `limit` best sellers.
        """
        ...
