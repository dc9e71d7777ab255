"""Who moves the money, and what they say."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeAlias

import msgspec

from emporion.kernel.ids import OrderId
from emporion.kernel.money import Money


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
