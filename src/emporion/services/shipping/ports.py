"""What the shipping service needs from its storage."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import OrderId, ShipmentId, UserId
from emporion.services.shipping.domain import (
    Allocation,
    Fulfilment,
    Shipment,
    ShipmentState,
    Status,
)


class Planned(NamedTuple):
    """A paid order that is to be sent."""

    order_id: OrderId
    user_id: UserId


class Screened(NamedTuple):
    """What the screening of an order means for its fulfilment: READY or HELD."""

    order_id: OrderId
    status: Status


class FulfilmentStore(Protocol):
    """Fulfilments, one for each paid order.

    Every method also raises what the transaction raises.
    """

    async def plan(self, tx: Tx, planned: Sequence[Planned], *, at_ms: int) -> None:
        """Note paid orders, which wait for their screening unless that came first. Repeatable."""
        ...

    async def screen(self, tx: Tx, screened: Sequence[Screened], *, at_ms: int) -> None:
        """Take over verdicts; of orders that do not wait for one nothing changes. Repeatable."""
        ...

    async def release_held(self, tx: Tx, order_ids: Sequence[OrderId], *, at_ms: int) -> None:
        """A reviewer let them go: those that are held are ready. Repeatable."""
        ...

    async def cancel(self, tx: Tx, order_ids: Sequence[OrderId], *, at_ms: int) -> None:
        """They were called off: those of which nothing left are cancelled. Repeatable."""
        ...

    async def find(self, tx: Tx, order_id: OrderId) -> Fulfilment | None:
        """The fulfilment of an order, or None."""
        ...

    async def find_to_change(self, tx: Tx, order_id: OrderId) -> Fulfilment | None:
        """The same, kept from being changed by others until the transaction ends."""
        ...

    async def save(self, tx: Tx, fulfilment: Fulfilment) -> None:
        """Write down what became of a fulfilment that was read to be changed."""
        ...

    async def page(
        self, tx: Tx, *, status: Status | None, after: str, limit: int
    ) -> list[Fulfilment]:
        """Fulfilments by rising order id, above `after`."""
        ...


class ShipmentStore(Protocol):
    """Shipments.

    Every method also raises what the transaction raises.
    """

    async def add(self, tx: Tx, shipment: Shipment) -> None:
        """A new shipment. Raises UniqueViolation when there is one of that id."""
        ...

    async def save(self, tx: Tx, shipment: Shipment) -> None:
        """Write down what became of a shipment."""
        ...

    async def find(self, tx: Tx, shipment_id: ShipmentId) -> Shipment | None:
        """A shipment, or None."""
        ...

    async def of_order(self, tx: Tx, order_id: OrderId) -> list[Shipment]:
        """All shipments of an order, the oldest first."""
        ...

    async def page(
        self, tx: Tx, *, status: ShipmentState | None, before: str, limit: int
    ) -> list[Shipment]:
        """Shipments by falling id, below `before` unless that is empty."""
        ...


class Allocations(Protocol):
    """What inventory holds for an order."""

    async def of(self, order_id: OrderId) -> Sequence[Allocation]:
        """What is held for good. Raises StockNotSettled while it is not, and what calls raise."""
        ...
