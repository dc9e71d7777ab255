"""What the payment service needs from outside: a provider that moves money, and a store."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.eventstore.store import Stored
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.payment.domain import Payment, PaymentEvent, Status


class Approval(msgspec.Struct, frozen=True, gc=False):
    """The provider took the money; `reference` is its own name for that.

    `is_held`: it only holds it, until it is captured or voided.
    """

    reference: str
    is_held: bool = False


class Decline(msgspec.Struct, frozen=True, gc=False):
    """The provider said no, for ever; `reason` is a short code. No money moved."""

    reason: str


class Reversal(msgspec.Struct, frozen=True, gc=False):
    """The provider gave the money back; `reference` is its own name for that."""

    reference: str


class ReturnedThere(msgspec.Struct, frozen=True, gc=False):
    """A refund as the provider has it; `key` is empty when it was not asked for by us."""

    key: str
    reference: str
    amount: Money


class Standing(msgspec.Struct, frozen=True, gc=False):
    """The provider's word on where the money of an order is.

    Held, or taken, of which `returned` went back; neither: declined or voided, for `reason`.
    """

    order_id: OrderId
    reference: str
    amount: Money
    is_held: bool = False
    is_taken: bool = False
    returned: tuple[ReturnedThere, ...] = ()
    reason: str = ""


class Notice(msgspec.Struct, frozen=True, gc=False):
    """A webhook: something changed about an order. `order_id` is empty when it is not one of ours.

    `event_id` is the provider's own and the same at every repetition.
    """

    event_id: str
    order_id: OrderId
    reference: str


Answer: TypeAlias = Approval | Decline
Listener: TypeAlias = Callable[[str, Answer], Awaitable[None]]
"""Is told the key of a charge and its answer; may be told any number of times, in any order."""


class PaymentProvider(Protocol):
    """Who moves the money.

    Every call carries an idempotency key: the same key has its effect once and the same outcome
    at every repetition, for at least as long as a saga may retry (days). An implementation bounds
    its own waiting, and puts no payment token into errors, logs or references. Every method
    raises Unavailable when the outcome is not known, and no other error that leaves it open.
    """

    @property
    def name(self) -> str:
        """Which provider it is, as in the path of its webhooks."""
        ...

    async def charge(self, *, key: str, amount: Money, token: str) -> Answer:
        """Take `amount` (> 0) by the payment method behind `token`.

        What was authorised under that key stays held: it is to be captured.
        """
        ...

    async def authorise(self, *, key: str, amount: Money, token: str) -> Answer:
        """Hold `amount` (> 0) for us, by the payment method behind `token`.

        What was charged under that key is taken already.
        """
        ...

    async def capture(self, *, key: str, reference: str, amount: Money) -> Approval:
        """Take what the authorisation `reference` holds, all of it.

        Also raises FailedPrecondition: it is not held any more, and nothing was taken.
        """
        ...

    async def void(self, *, key: str, reference: str) -> None:
        """Let go of what the authorisation `reference` holds; nothing when it holds none.

        Also raises FailedPrecondition when it was captured.
        """
        ...

    async def refund(self, *, key: str, reference: str, amount: Money) -> Reversal:
        """Give back `amount` of the charge `reference`; all refunds of it at most what it took.

        Also raises FailedPrecondition: it will never be given back under that key.
        """
        ...

    async def find(self, *, key: str) -> Answer | None:
        """The outcome of the charge with that key; None: not seen, or voided."""
        ...

    async def look(self, *, order_id: OrderId, reference: str) -> Standing | None:
        """What it has about an order, by its own `reference` where we know it; None: nothing."""
        ...

    def dealings(self, *, since_ms: int) -> AsyncIterator[Standing]:
        """Every charge and hold of orders made since then, one each, in any order.

        Raises Unavailable while iterating.
        """
        ...

    def read_webhook(self, body: bytes, signature: str, *, now_ms: int) -> Notice:
        """What a webhook is about, once its signature is checked.

        Raises WebhookRefused: not signed by the provider, too old, or not one of its.
        """
        ...

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of answers that come on their own: late ones, repeated ones."""
        ...


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
    """A webhook on our side, `body` as it came. `due_at_ms` None: it is dealt with."""

    provider: str
    event_id: str
    order_id: OrderId
    reference: str
    body: bytes
    received_at_ms: int
    due_at_ms: int | None
    attempts: int = 0
    last_error: str = ""


class WebhookStore(Protocol):
    """Webhooks as they came, inside the caller's transaction.

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


class Healing(msgspec.Struct, frozen=True, gc=False):
    """Somebody puts something right by hand."""

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

    async def note_healing(self, tx: Tx, healing: Healing) -> None:
        """Write down that somebody heals something."""
        ...

    async def posted_after(self, tx: Tx, seq: int, *, limit: int) -> Posted:
        """The sums of up to `limit` transfers after `seq`, in the order of posting."""
        ...
