"""Answers the operations contract: over the bus and the sagas of every service of a process."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from emporion.chassis.calls.context import caller
from emporion.chassis.events.bus import Bus, Lag, Parked
from emporion.chassis.saga.desk import SagaDesk, SagaStanding
from emporion.contracts.contract import Empty
from emporion.contracts.operations import (
    DeadLetter,
    DeadLetterPage,
    ListDeadLetters,
    ListSagas,
    ListSubscribers,
    OneSubscriber,
    OperationsService,
    Redrive,
    Redriven,
    Replay,
    Replayed,
    RetrySaga,
    SagaIsOver,
    SagaPage,
    SagaSummary,
    SubscriberLag,
    Subscribers,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import Clock, to_datetime, to_instant_ms
from emporion.kernel.errors import NotFound

T = TypeVar("T")
Turn = Callable[[str, int, str], Awaitable[tuple[list[T], str]]]
"""Turns a page of one service, given its name, a limit and a cursor: entries and next cursor."""
_log = logging.getLogger(__name__)


class OperationsDesk(OperationsService):
    """The contract. Has no database: it speaks for those of the services.

    Args:
        bus: carries the events of this process.
        subscribers: the names of the services that react to any.
        sagas: the desk of each service that has sagas.
        clock: tells ages.

    What it changes is written to the log, with who asked and why.
    """

    def __init__(
        self, bus: Bus, subscribers: Sequence[str], sagas: Mapping[str, SagaDesk], *, clock: Clock
    ) -> None:
        self._bus = bus
        self._subscribers = tuple(sorted(subscribers))
        self._sagas = dict(sorted(sagas.items()))
        self._clock = clock

    async def list_subscribers(self, request: ListSubscribers) -> Subscribers:
        """See OperationsService."""
        found = [_lag(lag) for lag in await self._bus.lag()]
        return Subscribers(
            subscribers=sorted(found, key=lambda lag: (lag.publisher, lag.subscriber))
        )

    async def list_dead_letters(self, request: ListDeadLetters) -> DeadLetterPage:
        """See OperationsService."""
        names = self._subscribers if request.subscriber is None else (request.subscriber,)

        async def turn(subscriber: str, limit: int, cursor: str) -> tuple[list[DeadLetter], str]:
            page = await self._bus.parked(subscriber, limit=limit, cursor=cursor)
            return [_dead_letter(parked) for parked in page.events], page.next_cursor

        found, cursor = await across(names, turn, cursor=request.cursor, limit=request.limit)
        return DeadLetterPage(dead_letters=found, next_cursor=cursor)

    async def redrive(self, request: Redrive) -> Redriven:
        """See OperationsService."""
        count = await self._bus.redrive(
            request.subscriber, event_ids=request.event_ids or None, name=request.name
        )
        record(f"{count} events are delivered again to {request.subscriber}", request.reason)
        return Redriven(events=count)

    async def pause(self, request: OneSubscriber) -> Empty:
        """See OperationsService."""
        await self._bus.pause(request.subscriber)
        record(f"the delivery to {request.subscriber} is paused", request.reason)
        return Empty()

    async def resume(self, request: OneSubscriber) -> Empty:
        """See OperationsService."""
        await self._bus.resume(request.subscriber)
        record(f"the delivery to {request.subscriber} goes on", request.reason)
        return Empty()

    async def replay(self, request: Replay) -> Replayed:
        """See OperationsService."""
        position = await self._bus.replay(
            request.subscriber, request.publisher, since_ms=to_instant_ms(request.since)
        )
        what = f"{request.subscriber} reacts again to what {request.publisher} announced"
        record(f"{what} after position {position}", request.reason)
        return Replayed(position=position)

    async def list_sagas(self, request: ListSagas) -> SagaPage:
        """See OperationsService."""

        async def turn(service: str, limit: int, cursor: str) -> tuple[list[SagaSummary], str]:
            desk = self._sagas[service]
            turn_page = desk.open_page if request.is_open else desk.page
            page = await turn_page(limit=limit, cursor=cursor)
            return [self._saga(service, standing) for standing in page.sagas], page.next_cursor

        found, cursor = await across(
            tuple(self._sagas), turn, cursor=request.cursor, limit=request.limit
        )
        return SagaPage(sagas=found, next_cursor=cursor)

    async def retry_saga(self, request: RetrySaga) -> SagaSummary:
        """See OperationsService."""
        for service, desk in self._sagas.items():
            is_due = await desk.make_due(request.saga_id, now_ms=self._clock.now_ms())
            standing = await desk.find(request.saga_id)
            if standing is None:
                continue
            if not is_due:
                raise SagaIsOver(f"{request.saga_id} is {standing.state}", state=standing.state)
            record(f"the saga {request.saga_id} is tried again now", request.reason)
            return self._saga(service, standing)
        raise NotFound

    def _saga(self, service: str, standing: SagaStanding) -> SagaSummary:
        next_at_ms = standing.next_at_ms
        return SagaSummary(
            saga_id=standing.saga_id,
            service=service,
            name=standing.name,
            state=standing.state,
            step=standing.step,
            attempts=standing.attempts,
            age_s=max(0, self._clock.now_ms() - standing.started_at_ms) / 1000,
            last_error=standing.last_error,
            next_attempt_at=None if next_at_ms is None else to_datetime(next_at_ms),
        )


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


def _lag(lag: Lag) -> SubscriberLag:
    return SubscriberLag(
        publisher=lag.source,
        subscriber=lag.subscriber,
        is_paused=lag.is_paused,
        waiting=lag.waiting,
        oldest_age_s=lag.oldest_ms / 1000,
        parked=lag.parked,
        dead=lag.dead,
    )


def _dead_letter(parked: Parked) -> DeadLetter:
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


def record(what: str, reason: str) -> None:
    """Log what was done, by whom and why."""
    _log.info("%s", what, extra={"actor": caller().subject, "reason": reason})
