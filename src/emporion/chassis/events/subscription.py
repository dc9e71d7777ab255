"""How a service reacts to events of others: a table of subscriptions."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from emporion.chassis.data.database import Tx
from emporion.contracts.contract import Event

E = TypeVar("E", bound=Event)


class Received(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """An event as delivered: `event_id` is the same at every delivery of it."""

    event: E
    event_id: str
    occurred_at_ms: int
    traceparent: str


@dataclass(frozen=True, slots=True)
class Subscription(Generic[E]):
    """One row of a service's table of reactions.

    `react` runs in a transaction of the subscriber's own database, in which the inbox row of the
    event is written too: its effects there happen once, however often the event is delivered.
    Events of one key arrive in order. When it raises, the event is retried with backoff and then
    becomes a dead letter; meanwhile later events of the same key wait, others go on.
    """

    event: type[E]
    react: Callable[[Tx, Received[E]], Awaitable[None]]
    after: Callable[[], None] | None = None
    """Called on the event loop after a commit that holds such reactions: poke an alarm with it.
    A crash may come between the two, so that it may only hurry what would happen anyway."""
    react_many: Callable[[Tx, Sequence[Received[E]]], Awaitable[None]] | None = None
    """See `on_many`."""


def on(
    event: type[E],
    react: Callable[[Tx, Received[E]], Awaitable[None]],
    *,
    after: Callable[[], None] | None = None,
) -> Subscription[E]:
    """`on(OrderCreated, confirm_by_mail, after=sender.poke)`."""
    return Subscription(event, react, after)


def on_many(
    event: type[E],
    react: Callable[[Tx, Sequence[Received[E]]], Awaitable[None]],
    *,
    after: Callable[[], None] | None = None,
) -> Subscription[E]:
    """Events that follow each other in a batch, reacted to together: one statement for all.

    When `react` raises, the batch is delivered again one by one, so that the event at fault is
    found and the others are not held up. Several events together belong to no trace.
    """

    async def react_to_one(tx: Tx, received: Received[E]) -> None:
        await react(tx, (received,))

    return Subscription(event, react_to_one, after, react)
