"""The past of a stream: as it was at an instant, and what changed it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from emporion.chassis.eventstore.store import Stored
from emporion.contracts.refusals import DidNotExistYet, InTheFuture
from emporion.kernel.clock import Clock, to_datetime, to_instant_ms
from emporion.kernel.history import Change

E = TypeVar("E")
_encode = msgspec.json.Encoder().encode
NO_TRACE_ID = "0" * 32


def past_ms(moment: datetime, clock: Clock) -> int:
    """The instant asked about. Raises InTheFuture: what will be is not known."""
    instant_ms, now_ms = to_instant_ms(moment), clock.now_ms()
    if instant_ms > now_ms:
        detail = f"{told(instant_ms)} has not come yet: it is {told(now_ms)}"
        raise InTheFuture(detail, field="as_of")
    return instant_ms


def until(history: Sequence[Stored[E]], instant_ms: int, *, what: str) -> list[Stored[E]]:
    """The part of a history that had happened by then. Raises DidNotExistYet when none had."""
    events = [stored for stored in history if stored.at_ms <= instant_ms]
    if not events:
        require_begun(history[0].at_ms, instant_ms, what=what)
    return events


def require_begun(began_at_ms: int, instant_ms: int, *, what: str) -> None:
    """Raises DidNotExistYet when the instant lies before the first thing recorded of it."""
    if instant_ms < began_at_ms:
        raise DidNotExistYet(
            f"{what} did not exist at {told(instant_ms)}: it began at {told(began_at_ms)}",
            began_at=told(began_at_ms),
        )


def changes_of(history: Sequence[Stored[Any]], *, until: datetime | None = None) -> list[Change]:
    """What happened (until an instant), in order, each with its actor, command and trace."""
    return [
        change(
            stored.at_ms,
            stored.name,
            _encode(stored.event).decode(),
            who=(stored.actor, stored.cause, stored.trace_id),
        )
        for stored in history
        if until is None or to_datetime(stored.at_ms) <= until
    ]


def change(at_ms: int, what: str, facts: str, *, who: tuple[str, str, str]) -> Change:
    """A change as it is told; `who` is the stored actor, cause and trace id."""
    actor, cause, trace_id = who
    kind, _, command = cause.partition(":")
    return Change(
        at=to_datetime(at_ms),
        what=what,
        facts=facts,
        actor=actor,
        actor_kind=kind,
        command=command,
        trace_id="" if trace_id == NO_TRACE_ID else trace_id,
    )


def told(instant_ms: int) -> str:
    """An instant as people write it: ISO 8601, UTC, with milliseconds."""
    return to_datetime(instant_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
