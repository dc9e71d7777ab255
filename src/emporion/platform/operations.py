"""Answers the operations contract: over the bus and the sagas of every service of a process."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emporion.chassis.calls.clients import Clients
from emporion.chassis.data.database import Database
from emporion.chassis.data.deeds import Deed, Deeds
from emporion.chassis.events.bus import Bus
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.desk import SagaDesk, SagaStanding, Wanted
from emporion.chassis.saga.port import SagaState
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
    Subscribers,
)
from emporion.contracts.operations_desk import (
    CallOffSaga,
    DeedPage,
    DeedSummary,
    ListDeeds,
    SagaDetails,
    SagaOf,
)
from emporion.contracts.operations_faults import ClearFault, FaultsOfShop, SwitchFaultOn
from emporion.contracts.operations_telemetry import TelemetryOfShop
from emporion.contracts.refusals import UnknownSubscriber
from emporion.kernel.clock import to_instant_ms
from emporion.kernel.errors import NotFound
from emporion.platform.desk.holdings import KEEP_S, Asking, Holdings
from emporion.platform.desk.parts import PartsBehind
from emporion.platform.desk.rehearsing import rehearse_redrive, rehearse_replay
from emporion.platform.desk.saga_file import details_of, summary_of
from emporion.platform.desk.telling import (
    across,
    dead_letter_of,
    deed_by,
    deed_of,
    is_long,
    lag_of,
    newest_deeds,
    record,
    require_deed,
)
from emporion.platform.shared_answers import SharedAnswers

Asked = Redrive | OneSubscriber | Replay | RetrySaga | CallOffSaga | SwitchFaultOn | ClearFault
"""What operators ask for, with a reason."""
_Found = tuple[str, SagaStanding]
"""A saga, and whose."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What the desk stands on.

    Args:
        databases: those of the services here.
        clients: for each service with sagas, its way to the others: who asks what is held.
        records: what this process tells of itself.
        faults: switches them on in the services here.
    """

    databases: Mapping[str, Database]
    clients: Mapping[str, Clients]
    runtime: Runtime
    records: TelemetryOfShop
    faults: FaultsOfShop


class OperationsDesk(PartsBehind, OperationsService):
    """The contract. Has no database of its own: it speaks for those of the services.

    Args:
        bus: carries the events of this process.
        subscribers: the names of the services that react to any.
        sagas: the desk of each service that has sagas.

    Every change is written down as a deed in the database of the service that it is about, and in
    the log, with who asked and why.
    """

    def __init__(
        self, bus: Bus, subscribers: Sequence[str], sagas: Mapping[str, SagaDesk], *, behind: Behind
    ) -> None:
        super().__init__(behind.records, behind.faults)
        self._bus = bus
        self._subscribers = tuple(sorted(subscribers))
        self._sagas = dict(sorted(sagas.items()))
        self._behind = behind
        self._now_ms = behind.runtime.clock.now_ms
        self._asking = Asking(behind.runtime)
        self._lags = SharedAnswers[str, Subscribers](
            "lag of subscribers", behind.runtime, keep_s=KEEP_S, questions_max=1, is_kept=is_long
        )
        self._deeds = {name: Deeds(each) for name, each in sorted(behind.databases.items())}

    async def list_subscribers(self, request: ListSubscribers) -> Subscribers:
        """See OperationsService. Much that waits is counted once for all who ask for a while."""
        return await self._lags.get("lag", self._count_lags)

    async def _count_lags(self) -> Subscribers:
        found = [lag_of(lag) for lag in await self._bus.lag()]
        return Subscribers(
            subscribers=sorted(found, key=lambda lag: (lag.publisher, lag.subscriber))
        )

    async def list_dead_letters(self, request: ListDeadLetters) -> DeadLetterPage:
        """See OperationsService."""
        names = self._subscribers if request.subscriber is None else (request.subscriber,)

        async def turn(subscriber: str, limit: int, cursor: str) -> tuple[list[DeadLetter], str]:
            page = await self._bus.parked(subscriber, limit=limit, cursor=cursor)
            return [dead_letter_of(parked) for parked in page.events], page.next_cursor

        found, cursor = await across(names, turn, cursor=request.cursor, limit=request.limit)
        return DeadLetterPage(dead_letters=found, next_cursor=cursor)

    async def redrive(self, request: Redrive) -> Redriven:
        """See OperationsService."""
        if request.is_dry_run:
            told = await rehearse_redrive(
                self._bus,
                request.subscriber,
                self._behind.runtime.tasks,
                now_ms=self._now_ms(),
                event_ids=request.event_ids,
                name=request.name,
            )
            return Redriven(events=told.events, keys=told.keys, is_dry_run=True)
        what = ", ".join(request.event_ids[:10]) or request.name or "all"
        await self._write("redrive", request, detail=what)
        count = await self._bus.redrive(
            request.subscriber, event_ids=request.event_ids or None, name=request.name
        )
        self._lags.forget()
        record(f"{count} events are delivered again to {request.subscriber}")
        return Redriven(events=count)

    async def pause(self, request: OneSubscriber) -> Empty:
        """See OperationsService."""
        await self._write("pause", request)
        await self._bus.pause(request.subscriber)
        self._lags.forget()
        record(f"the delivery to {request.subscriber} is paused")
        return Empty()

    async def resume(self, request: OneSubscriber) -> Empty:
        """See OperationsService."""
        await self._write("resume", request)
        await self._bus.resume(request.subscriber)
        self._lags.forget()
        record(f"the delivery to {request.subscriber} goes on")
        return Empty()

    async def replay(self, request: Replay) -> Replayed:
        """See OperationsService."""
        since_ms = to_instant_ms(request.since)
        if request.is_dry_run:
            publisher = self._behind.databases.get(request.publisher)
            if publisher is None:
                raise UnknownSubscriber(f"no service {request.publisher!r} publishes here")
            told = await rehearse_replay(
                self._bus,
                publisher,
                self._behind.runtime.tasks,
                source=request.publisher,
                subscriber=request.subscriber,
                since_ms=since_ms,
            )
            return Replayed(**told._asdict(), is_dry_run=True)
        await self._write("replay", request, detail=f"{request.publisher} since {request.since}")
        position = await self._bus.replay(request.subscriber, request.publisher, since_ms=since_ms)
        self._lags.forget()
        what = f"{request.subscriber} reacts again to what {request.publisher} announced"
        record(f"{what} after position {position}")
        return Replayed(position=position)

    async def _write(
        self, action: str, request: Redrive | OneSubscriber | Replay, *, detail: str = ""
    ) -> None:
        """Write down what is about to be done to a subscriber. Raises UnknownSubscriber."""
        subscriber = request.subscriber
        if subscriber not in self._subscribers:
            raise UnknownSubscriber(f"no service {subscriber!r} subscribes to anything")
        deed = self._deed(action, subscriber, request, detail=detail)
        await self._deeds[subscriber].write(deed)

    def _deed(self, action: str, subject: str, asked: Asked, *, detail: str = "") -> Deed:
        runtime = self._behind.runtime
        return deed_by(runtime, asked, action=action, subject=subject, detail=detail)

    async def list_deeds(self, request: ListDeeds) -> DeedPage:
        """See OperationsService."""
        require_deed(request.cursor)
        found: list[DeedSummary] = []
        for service, deeds in self._deeds.items():
            if request.service in (None, service):
                # One more than is shown tells whether there are more.
                limit = request.limit + 1
                page = await deeds.page(request.cursor, limit, subject=request.subject)
                found += [deed_of(service, deed) for deed in page]
        return newest_deeds(found, request.limit)

    async def list_sagas(self, request: ListSagas) -> SagaPage:
        """See OperationsService."""
        wanted = Wanted(request.name, request.state, 1 if request.is_stuck else 0)

        async def turn(service: str, limit: int, cursor: str) -> tuple[list[_Found], str]:
            if request.service not in (None, service):
                return [], ""
            desk = self._sagas[service]
            turn_page = desk.open_page if request.is_open else desk.page
            page = await turn_page(limit=limit, cursor=cursor, wanted=wanted)
            return [(service, saga) for saga in page.sagas], page.next_cursor

        found, cursor = await across(
            tuple(self._sagas), turn, cursor=request.cursor, limit=request.limit
        )
        held = await asyncio.gather(*(self._held(*each, is_kept=True) for each in found))
        now_ms = self._now_ms()
        sagas = [
            summary_of(service, saga, its, now_ms)
            for (service, saga), its in zip(found, held, strict=True)
        ]
        return SagaPage(sagas=sagas, next_cursor=cursor)

    async def _held(
        self, service: str, standing: SagaStanding, *, is_kept: bool = False
    ) -> Holdings:
        clients = self._behind.clients[service]
        return await self._asking.holdings_of(clients, standing, is_kept=is_kept)

    async def get_saga(self, request: SagaOf) -> SagaDetails:
        """See OperationsService."""
        service, standing = await self._find(request.saga_id)
        held = await self._held(service, standing)
        desk, now_ms = self._sagas[service], self._now_ms()
        return details_of(service, desk, standing, held=held, now_ms=now_ms)

    async def retry_saga(self, request: RetrySaga) -> SagaSummary:
        """See OperationsService."""
        service, standing = await self._find(request.saga_id)
        deed = self._deed("retry", request.saga_id, request, detail=standing.last_error)
        desk = self._sagas[service]
        if not await desk.make_due(request.saga_id, now_ms=deed.at_ms, deed=deed):
            raise SagaIsOver(f"{request.saga_id} is {standing.state}", state=standing.state)
        record(f"the saga {request.saga_id} is tried again now")
        now = await desk.find(request.saga_id) or standing
        held = await self._held(service, now)
        return summary_of(service, now, held, self._now_ms())

    async def compensate_saga(self, request: CallOffSaga) -> SagaDetails:
        """See OperationsService."""
        service, standing = await self._find(request.saga_id)
        deed = self._deed("compensate", request.saga_id, request, detail=f"at {standing.step!r}")
        is_turned = standing.state is SagaState.COMPENSATING
        if not is_turned and not await self._sagas[service].call_off(standing, deed):
            state = (await self._find(request.saga_id))[1].state
            if state is not SagaState.COMPENSATING:
                raise SagaIsOver(f"{request.saga_id} is {state}", state=state)
        record(f"the saga {request.saga_id} is called off")
        return await self.get_saga(SagaOf(saga_id=request.saga_id))

    async def _find(self, saga_id: str) -> tuple[str, SagaStanding]:
        for service, desk in self._sagas.items():
            standing = await desk.find(saga_id)
            if standing is not None:
                return service, standing
        raise NotFound
