"""What the order service needs from outside: its storage, and seals of what people write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from emporion.chassis.data.database import Tx
from emporion.chassis.eventstore.store import Proved, Stored
from emporion.kernel.ids import OrderId, ReturnId, Sku, UserId
from emporion.services.order.domain import Order, OrderEvent, Return, ReturnStatus, Status


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order's current state as lists show it."""

    order_id: OrderId
    user_id: UserId
    status: Status
    version: int
    total_minor: int
    currency: str
    units: int
    created_at_ms: int
    updated_at_ms: int


@dataclass(frozen=True, slots=True)
class LoadedOrder:
    """An order with the instants (ms) of its first and last event."""

    order: Order
    created_at_ms: int
    updated_at_ms: int


@dataclass(frozen=True, slots=True)
class PageOfOrders:
    """Which of a person's orders: after (older than) `before`, at most `limit`."""

    user_id: UserId
    status: Status | None
    before: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which of everybody's orders.

    Args:
        user_id, status: whose and in which state; empty: any.
        first, before: by id from the one on, and below the other.
        limit: how many are wanted.
        scanned_max: how many are looked at for that.
    """

    user_id: str
    status: str
    first: str
    before: str
    limit: int
    scanned_max: int


class OrderStore(Protocol):
    """Orders as streams of events, with a row each for their current state.

    Every method also raises what the transaction raises.
    """

    async def save(self, tx: Tx, order: Order, *, at_ms: int) -> None:
        """Append the pending events and bring the row up to date.

        Raises Conflict when the order was changed since it was loaded.
        """
        ...

    async def load(self, tx: Tx, order_id: OrderId) -> LoadedOrder:
        """An order, folded from its events. Raises NotFound."""
        ...

    async def history(self, tx: Tx, order_id: OrderId) -> list[Stored[OrderEvent]]:
        """Everything that happened to an order, in order. Raises NotFound."""
        ...

    async def row(self, tx: Tx, order_id: OrderId) -> OrderRow | None:
        """An order's row, or None."""
        ...

    async def page(self, tx: Tx, wanted: PageOfOrders) -> list[OrderRow]:
        """A person's orders, newest first."""
        ...

    async def found(self, tx: Tx, wanted: Search) -> tuple[list[OrderRow], str]:
        """Orders by falling id, and below which id to look on; empty when all were looked at."""
        ...

    async def rows_after(self, tx: Tx, order_id: str, *, limit: int) -> list[OrderRow]:
        """Everybody's orders by id, for the audit."""
        ...

    async def histories(self, tx: Tx, *, after: str, until: str) -> dict[str, Proved[OrderEvent]]:
        """The events of all orders past `after` up to `until`, for the audit."""
        ...


@dataclass(frozen=True, slots=True)
class StoredReturn:
    """A return, with whose it is."""

    order_id: OrderId
    user_id: UserId
    currency: str
    told: Return
    updated_at_ms: int


class ReturnStore(Protocol):
    """Returns, a row each beside the events of their orders.

    Every method also raises what the transaction raises.
    """

    async def lock(self, tx: Tx, order_id: OrderId) -> None:
        """Nobody else who locks it changes the order until the transaction ends."""
        ...

    async def save(self, tx: Tx, order: Order, return_id: ReturnId, *, at_ms: int) -> None:
        """Write down how a return of the order stands."""
        ...

    async def find(self, tx: Tx, return_id: ReturnId) -> StoredReturn | None:
        """A return, or None."""
        ...

    async def of_order(self, tx: Tx, order_id: OrderId) -> list[StoredReturn]:
        """All returns of an order, the oldest first."""
        ...

    async def page(
        self, tx: Tx, *, status: ReturnStatus | None, before: str, limit: int
    ) -> list[StoredReturn]:
        """Returns by falling id, below `before` unless that is empty."""
        ...


class Notes(Protocol):
    """Makes what is written about an order unreadable without its owner's key, and readable.

    Of somebody who was erased, every note says so. Every method raises Unavailable,
    DeadlineExceeded or ResourceExhausted when keys cannot be asked for, or one was lost; those
    that open also SealBroken.
    """

    async def sealed(self, user_id: UserId, note: str) -> str:
        """A note, for being stored; nothing stays nothing."""
        ...

    async def opened(self, returns: Sequence[StoredReturn]) -> list[StoredReturn]:
        """Returns with what was written about them."""
        ...

    async def history(
        self, user_id: UserId, history: Sequence[Stored[OrderEvent]]
    ) -> list[Stored[OrderEvent]]:
        """The events of an order with what was written about it."""
        ...


class CartStore(Protocol):
    """Carts: units per SKU.

    Every method also raises what the transaction raises.
    """

    async def lock(self, tx: Tx, user_id: UserId) -> None:
        """Nobody else changes the cart until the transaction ends."""
        ...

    async def lines(self, tx: Tx, user_id: UserId) -> dict[Sku, int]:
        """The cart, in the order in which the SKUs were first added."""
        ...

    async def add(
        self, tx: Tx, user_id: UserId, units_per_sku: dict[Sku, int], *, at_ms: int
    ) -> None:
        """Add units to what is there; concurrent adds all count."""
        ...

    async def put(self, tx: Tx, user_id: UserId, sku: Sku, *, quantity: int, at_ms: int) -> None:
        """Set the units of a SKU; 0 removes the line."""
        ...

    async def clear(self, tx: Tx, user_id: UserId) -> None:
        """Empty the cart."""
        ...
