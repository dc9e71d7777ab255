"""How a service reacts to events of others: a table of subscriptions."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from emporion.chassis.data.database import Tx
from emporion.contracts.contract import Event

E = TypeVar("E", bound=Event)
_encode = msgspec.json.Encoder().encode


class Received(Generic[E]):
    """An event as delivered.

    Args:
        event: what happened; give `sealed` instead where it comes as text.
        event_id: the same at every delivery of it.
        occurred_at_ms: when it was published, in milliseconds since the epoch.
        traceparent: the W3C header of the call that published it; empty: none.
        sealed: the event as it came, opened when somebody reads it.
    """

    __slots__ = ("_event", "_sealed", "event_id", "occurred_at_ms", "traceparent")

    def __init__(  # noqa: PLR0917 - made for every event, by position: the hot path
        self,
        event: E | None,
        event_id: str,
        occurred_at_ms: int,
        traceparent: str,
        sealed: "Sealed[E] | None" = None,
    ) -> None:
        self._event = event
        self._sealed = sealed
        self.event_id = event_id
        self.occurred_at_ms = occurred_at_ms
        self.traceparent = traceparent

    @property
    def event(self) -> E:
        """What happened, validated: once for all who read it. Raises msgspec.ValidationError."""
        event = self._event
        if event is None:
            assert self._sealed is not None  # noqa: S101 - one of the two is given
            event = self._event = self._sealed.opened()
        return event

    @property
    def kind(self) -> type[E]:
        """What sort of event it is, without reading it."""
        return type(self.event) if self._sealed is None else self._sealed.kind

    @property
    def data(self) -> bytes:
        """The event as JSON, as it was published: for reactions that need little of it."""
        return _encode(self._event) if self._sealed is None else bytes(self._sealed.data)


class Sealed(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """An event as text, and how to read it."""

    kind: type[E]
    data: msgspec.Raw
    decode: Callable[[msgspec.Raw], E]

    def opened(self) -> E:
        """The event. Raises msgspec.ValidationError."""
        return self.decode(self.data)


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
    found and the others are not held up. Each event has a span in its own trace; what is logged
    or published in between, for several together, belongs to none of them.
    """

    async def react_to_one(tx: Tx, received: Received[E]) -> None:
        await react(tx, (received,))

    return Subscription(event, react_to_one, after, react)
