"""Where payments, their webhooks and their healings are kept."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.eventstore.store import Stored
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.payment.domain import Payment, PaymentEvent, Status


class StoredPayment(msgspec.Struct, frozen=True, gc=False):
    """A payment's row: what its events add up to. Instants in ms since the epoch.

    `parts_minor` of `refunded_minor` went back in parts, so that the order stands without them.
    """

    order_id: OrderId
    user_id: UserId
    status: Status
    amount: Money
    refunded_minor: int
    parts_minor: int
    reference: str
    decline_reason: str
    recheck_at_ms: int | None
    created_at_ms: int
    updated_at_ms: int


class Posted(msgspec.Struct, frozen=True, gc=False):
    """Sums of a stretch of the ledger: per (account, currency) the debits and credits, minor.

    `last_seq` is the last transfer in it; equal to where it began when there was none.
    """

    sums: dict[tuple[str, str], tuple[int, int]]
    last_seq: int


class KeptWebhook(msgspec.Struct, frozen=True, gc=False):
    """A webhook on our side. `due_at_ms` None: it is dealt with.

    Not its body: nobody needs it, and the provider may put names and addresses into it.
    """

    provider: str
    event_id: str
    order_id: OrderId
    reference: str
    received_at_ms: int
    due_at_ms: int | None
    attempts: int = 0
    last_error: str = ""


class WebhookStore(Protocol):
    """Webhooks, inside the caller's transaction.

    Every method also raises what the transaction raises.
    """

    async def keep(self, tx: Tx, webhook: KeptWebhook) -> bool:
        """Keep it, unless one of its provider and id is kept; whether it is new."""
        ...

    async def due(self, tx: Tx, now_ms: int, *, limit: int) -> list[KeptWebhook]:
        """Webhooks to be dealt with by now, those that waited longest first."""
        ...

    async def next_due_ms(self, tx: Tx) -> int | None:
        """When the next one is to be dealt with, or None."""
        ...

    async def settle(self, tx: Tx, webhook: KeptWebhook) -> None:
        """Write down its `due_at_ms`, `attempts` and `last_error`."""
        ...

    async def waiting(self, tx: Tx, *, limit: int) -> list[KeptWebhook]:
        """Those tried and not dealt with, the oldest first."""
        ...

    async def prune(self, tx: Tx, before_ms: int, *, limit: int) -> None:
        """Forget up to `limit` of those received before an instant and dealt with."""
        ...


class StoredHealing(msgspec.Struct, frozen=True, gc=False):
    """Somebody puts something right by hand.

    `reason` is sealed with the key of whose payment it is, where we have recorded one.
    """

    order_id: OrderId
    kind: str
    actor: str
    reason: str
    at_ms: int


class PaymentStore(Protocol):
    """Payments, their events and the ledger, inside the caller's transaction.

    Every method also raises what the transaction raises.
    """

    async def find(self, tx: Tx, order_id: OrderId) -> StoredPayment | None:
        """The row, or None."""
        ...

    async def load(self, tx: Tx, order_id: OrderId) -> Payment:
        """The payment folded from its events; one without any is new."""
        ...

    async def history(self, tx: Tx, order_id: OrderId) -> list[Stored[PaymentEvent]]:
        """Everything that happened to an order's payment, in order; empty: there is none."""
        ...

    def row_of(self, order_id: OrderId, history: Sequence[Stored[PaymentEvent]]) -> StoredPayment:
        """The row that these events (at least one) add up to."""
        ...

    async def save(self, tx: Tx, payment: Payment, *, at_ms: int) -> StoredPayment:
        """Append the pending events, write the row and the ledger transfers; returns the row.

        Leaves the pending events pending, as a transaction may run again. Raises Conflict when
        another writer was first.
        """
        ...

    async def postpone(self, tx: Tx, order_id: OrderId, recheck_at_ms: int | None) -> None:
        """When to look at this payment again, unless nothing is open about it any more."""
        ...

    async def due_rechecks(self, tx: Tx, now_ms: int, *, limit: int) -> list[OrderId]:
        """Payments to look at by now: voided, owed, or with a refund on its way."""
        ...

    async def next_recheck_ms(self, tx: Tx) -> int | None:
        """When the next payment is to be looked at again, or None."""
        ...

    async def page(
        self, tx: Tx, *, status: Status | None, before: str, limit: int
    ) -> list[StoredPayment]:
        """Up to `limit` payments, those of newer orders first, older than order `before`."""
        ...

    async def rows_after(self, tx: Tx, order_id: str, *, limit: int) -> list[StoredPayment]:
        """Up to `limit` payments past `order_id`, by rising order id; "" is before all."""
        ...

    async def movements(
        self, tx: Tx, after: str, *, limit: int
    ) -> tuple[list[tuple[OrderId, list[Stored[PaymentEvent]]]], str]:
        """The histories of up to `limit` payments past an order id, and the last of these ids."""
        ...

    async def note_healing(self, tx: Tx, healing: StoredHealing) -> None:
        """Write down that somebody heals something."""
        ...

    async def healings(self, tx: Tx, order_id: OrderId, *, limit: int) -> list[StoredHealing]:
        """Up to `limit` of those of an order, the oldest first."""
        ...

    async def posted_after(self, tx: Tx, seq: int, *, limit: int) -> Posted:
        """The sums of up to `limit` transfers after `seq`, in the order of posting."""
        ...
