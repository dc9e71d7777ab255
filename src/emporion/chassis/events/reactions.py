"""Runs a service's reactions to a batch of events, inside its own transaction."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.calls.context import NO_TRACE, Call, Trace, enter, leave
from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Sealed, Subscription
from emporion.contracts.contract import Event

HEADER_LENGTH = 55
"""Of a W3C `traceparent` header, version 00."""


class Item:
    """A published event on its way; read at most once for all subscribers of a process."""

    __slots__ = (
        "attempts",
        "event_id",
        "first_failed_at_ms",
        "key",
        "name",
        "occurred_at_ms",
        "payload",
        "position",
        "received",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - made from a row, by position: it is the hot path
        self,
        position: int,
        event_id: str,
        name: str,
        key: str,
        occurred_at_ms: int,
        payload: bytes,
        attempts: int = 0,
        first_failed_at_ms: int | None = None,
    ) -> None:
        self.position = position
        self.event_id = event_id
        self.name = name
        self.key = key
        self.occurred_at_ms = occurred_at_ms
        self.payload = payload
        self.attempts = attempts
        self.first_failed_at_ms = first_failed_at_ms
        self.received: Received[Any] | None = None

    @property
    def sequence(self) -> int:
        """The publisher's own number: the order in which events of a key queue when set aside."""
        return self.position


class ReactionFailed(Exception):
    """A reaction raised `error` at the `index`-th event of the batch; all is rolled back."""

    def __init__(self, index: int, error: Exception) -> None:
        super().__init__(index, error)
        self.index = index
        self.error = error


class BatchFailed(Exception):
    """The reaction to several events together raised: which of them it was is not known."""


class _Content(msgspec.Struct, frozen=True, gc=False):
    """What a reaction needs of an envelope."""

    data: msgspec.Raw
    traceparent: str = ""


_open: Callable[[bytes], _Content] = msgspec.json.Decoder(_Content).decode


class _Reaction:
    __slots__ = ("after", "command", "decode", "event", "react", "react_many")

    def __init__(self, subscription: Subscription[Any]) -> None:
        self.event: type[Event] = subscription.event
        self.command = f"on {subscription.event.SPEC.name}"
        self.react: Callable[[Tx, Received[Any]], Awaitable[None]] = subscription.react
        self.react_many = subscription.react_many
        self.after = subscription.after
        self.decode: Callable[[msgspec.Raw], Any] = msgspec.json.Decoder(self.event).decode


class Reactions:
    """The reactions of one service to the events of one publisher.

    Raises ValueError when it reacts twice to one event: two transactions' worth of effects under
    one inbox row could not be retried apart.
    """

    def __init__(
        self, service: str, subscriptions: Sequence[Subscription[Any]], *, timeout_s: float
    ) -> None:
        self._by_name: dict[str, _Reaction] = {}
        self._identity = service_identity(service)
        self._timeout_s = timeout_s
        for subscription in subscriptions:
            name = subscription.event.SPEC.name
            if name in self._by_name:
                raise ValueError(f"{service} reacts twice to {name}: make it one reaction")
            self._by_name[name] = _Reaction(subscription)
        self.failure: Callable[[], None] | None = None
        """Raises before a reaction while a fault is switched on: see resilience.faults."""
        self._has_after = any(each.after for each in subscriptions)

    @property
    def names(self) -> Sequence[str]:
        """What is reacted to."""
        return tuple(self._by_name)

    def committed(self, received: Sequence[Received[Any]]) -> None:
        """Tell those who want to know that reactions to these events were committed."""
        if not self._has_after:
            return
        names = {each.kind.SPEC.name for each in received}
        for name in names:
            after = self._by_name[name].after
            if after is not None:
                after()

    def wanted(self, items: Sequence[Item]) -> list[Item]:
        """Those that there is a reaction to."""
        by_name = self._by_name
        return [item for item in items if item.name in by_name]

    async def run(
        self, tx: Tx, items: Sequence[Item], fresh: set[str], *, now_s: float
    ) -> list[Received[Any]]:
        """React to those whose id is in `fresh`, each once, in order.

        Each reaction is a call of its own: by the service itself, under the trace of the call
        that published the event, with the reaction's time limit. Raises ReactionFailed, or
        BatchFailed when it was a reaction to several events together.
        """
        done: list[Received[Any]] = []
        deadline_s = now_s + self._timeout_s
        for run in self._runs(items, fresh):
            try:
                whole = items if len(run) == len(items) else [items[at] for at in run]
                done += await self._react(tx, whole, deadline_s)
            except Exception as error:
                if len(run) > 1:
                    raise BatchFailed from error
                raise ReactionFailed(run[0], error) from error
        return done

    def _is_for_all(self, items: Sequence[Item]) -> bool:
        """Whether one reaction takes them together."""
        names = {item.name for item in items}
        reaction = self._by_name.get(items[0].name) if len(names) == 1 else None
        return reaction is not None and reaction.react_many is not None

    def _runs(self, items: Sequence[Item], fresh: set[str]) -> Iterator[Sequence[int]]:
        """The indices of those to react to: together where one reaction takes several."""
        if len(fresh) == len(items) and self._is_for_all(items):
            yield range(len(items))
            return
        run: list[int] = []
        name = None
        for index, item in enumerate(items):
            if item.event_id not in fresh:
                continue
            fresh.discard(item.event_id)
            if item.name != name and run:
                yield run
                run = []
            run.append(index)
            reaction = self._by_name.get(item.name)
            name = item.name if reaction and reaction.react_many else None
        if run:
            yield run

    async def _react(self, tx: Tx, items: Sequence[Item], deadline_s: float) -> list[Received[Any]]:
        reaction = self._by_name.get(items[0].name)
        if reaction is None:
            raise LookupError(f"there is no reaction to {items[0].name} any more")
        received = [item.received or _received(item, reaction) for item in items]
        trace = _trace_of(received[0].traceparent) if len(items) == 1 else NO_TRACE
        token = enter(Call(self._identity, trace, deadline_s, reaction.command))
        try:
            if self.failure is not None:
                self.failure()
            if reaction.react_many is not None:
                await reaction.react_many(tx, received)
            else:
                await reaction.react(tx, received[0])
        finally:
            leave(token)
        return received


def _received(item: Item, reaction: _Reaction) -> Received[Any]:
    """The event with its envelope opened, once for all subscribers of the process."""
    content = _open(item.payload)
    sealed = Sealed(reaction.event, content.data, reaction.decode)
    item.received = Received(None, item.event_id, item.occurred_at_ms, content.traceparent, sealed)
    return item.received


def _trace_of(header: str) -> Trace:
    """The trace of an envelope from one of our own outboxes: what Trace.header wrote, as it is.

    The checks of Trace.parse are for headers from outside; here they would cost a third of the
    delivery.
    """
    if len(header) != HEADER_LENGTH:
        return NO_TRACE
    return Trace(header[3:35], header[36:52], header[54] == "1")
