"""How the desk tells what it found: pages over several services, and a line in the log."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

from emporion.chassis.auth.identity import Kind
from emporion.chassis.calls.context import caller, current_call
from emporion.chassis.data.deeds import Deed
from emporion.chassis.events.bus import Lag, Parked
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.operations import DeadLetter, SubscriberLag, Subscribers
from emporion.contracts.operations_desk import DeedPage, DeedSummary
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime

T = TypeVar("T")
Turn = Callable[[str, int, str], Awaitable[tuple[list[T], str]]]
"""Turns a page of one service, given its name, a limit and a cursor: entries and next cursor."""
DEED: Final = "deed"
"""How the ids of deeds begin."""
LONG_FROM: Final = 1_000
_DEED_ID: Final = re.compile(rf"{DEED}_[0-9a-f]{{32}}")
_log = logging.getLogger("emporion.platform.operations")


class AskedFor(Protocol):
    """Something that operators ask for."""

    @property
    def reason(self) -> str:
        """Why."""
        ...

    @property
    def speaks_for(self) -> str:
        """The person on whose behalf one of our services asks; empty: none."""
        ...


async def across(
    names: Sequence[str], turn: Turn[T], *, cursor: str, limit: int
) -> tuple[list[T], str]:
    """A page over several services, one after the other, and the cursor of the next one.

    The cursor is `service:` and the service's own. Raises UnknownCursor.
    """
    name, colon, own = cursor.partition(":")
    if cursor and (not colon or name not in names):
        raise UnknownCursor
    found: list[T] = []
    for service in names[names.index(name) if cursor else 0 :]:
        if len(found) == limit:
            return found, f"{service}:"
        try:
            entries, own = await turn(service, limit - len(found), own)
        except ValueError:
            raise UnknownCursor from None
        found += entries
        if own:
            return found, f"{service}:{own}"
    return found, ""


def lag_of(lag: Lag) -> SubscriberLag:
    """How far a subscriber is, as lists show it."""
    return SubscriberLag(
        publisher=lag.source,
        subscriber=lag.subscriber,
        is_paused=lag.is_paused,
        waiting=lag.waiting,
        is_more_waiting=lag.is_more,
        oldest_age_s=lag.oldest_ms / 1000,
        parked=lag.parked,
        dead=lag.dead,
    )


def is_long(told: Subscribers) -> bool:
    """Whether so much waits that to count it again takes a while."""
    return sum(lag.waiting for lag in told.subscribers) >= LONG_FROM


def dead_letter_of(parked: Parked) -> DeadLetter:
    """An event given up, as lists show it."""
    failed_at_ms = parked.first_failed_at_ms
    return DeadLetter(
        subscriber=parked.subscriber,
        publisher=parked.source,
        event_id=parked.event_id,
        name=parked.name,
        key=parked.key,
        occurred_at=to_datetime(parked.occurred_at_ms),
        attempts=parked.attempts,
        first_failed_at=None if failed_at_ms is None else to_datetime(failed_at_ms),
        last_error=parked.last_error,
    )


def record(what: str) -> None:
    """Log what was done, and by whom. Why is kept with the deed: it may name people."""
    _log.info("%s", what, extra={"actor": caller().subject})


def deed_by(runtime: Runtime, asked: AskedFor, *, action: str, subject: str, detail: str) -> Deed:
    """What is done now, by whoever asks for it: a service may speak for a person."""
    call = current_call()
    is_service = call.identity.kind is Kind.SERVICE
    speaker = asked.speaks_for if is_service and asked.speaks_for else call.identity.subject
    return Deed(
        deed_id=runtime.ids.new(DEED),
        at_ms=runtime.clock.now_ms(),
        actor=speaker,
        trace_id=call.trace.trace_id,
        action=action,
        subject=subject,
        reason=asked.reason,
        detail=detail,
    )


def deed_of(service: str, deed: Deed) -> DeedSummary:
    """What an operator did, as lists show it."""
    return DeedSummary(
        deed_id=deed.deed_id,
        service=service,
        at=to_datetime(deed.at_ms),
        actor=deed.actor,
        action=deed.action,
        subject=deed.subject,
        reason=deed.reason,
        detail=deed.detail,
        trace_id=deed.trace_id,
    )


def newest_deeds(found: Iterable[DeedSummary], limit: int, *, has_more: bool = False) -> DeedPage:
    """The newest of what several services found, the newest first: ids begin with the instant.

    `has_more`: some of them have older ones than they gave.
    """
    deeds = sorted(found, key=lambda deed: deed.deed_id, reverse=True)
    page = deeds[:limit]
    is_last = len(deeds) <= limit and not has_more
    return DeedPage(deeds=page, next_cursor="" if is_last else page[-1].deed_id)


def require_deed(cursor: str) -> None:
    """A page of deeds goes on after the last that was shown. Raises UnknownCursor."""
    if cursor and not _DEED_ID.fullmatch(cursor):
        raise UnknownCursor
