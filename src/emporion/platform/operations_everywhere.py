"""Operations over a shop in several processes: each answers for its own services, one for all.

Between processes the contract means "of the services you hold"; over REST it means the whole
shop, whichever process is asked.
"""

import asyncio
from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from emporion.chassis.auth.identity import Kind
from emporion.chassis.calls.context import caller
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
    SagaPage,
    SagaSummary,
    Subscribers,
)
from emporion.contracts.operations_desk import (
    CallOffSaga,
    DeedPage,
    ListDeeds,
    SagaDetails,
    SagaOf,
)
from emporion.contracts.operations_faults import FaultsOfShop
from emporion.contracts.operations_telemetry import TelemetryOfShop
from emporion.contracts.refusals import UnknownCursor, UnknownSubscriber
from emporion.kernel.errors import NotFound
from emporion.platform.desk.parts import PartsBehind
from emporion.platform.desk.telling import across, newest_deeds, record, require_deed
from emporion.platform.operations import Asked, OperationsDesk

A = TypeVar("A", bound=Asked)


class WholeShopOperations(PartsBehind, OperationsService):
    """The contract for all services, here and elsewhere.

    Args:
        desks: for each service of the shop, what answers for the process that holds it.
        records: what all processes tell of themselves.
        faults: switches them on in the services of all processes.

    A process that does not answer makes the lists fail with Unavailable, naming it, rather than
    look complete without it.
    """

    def __init__(
        self,
        desks: Mapping[str, OperationsService],
        records: TelemetryOfShop,
        faults: FaultsOfShop,
    ) -> None:
        super().__init__(records, faults)
        self._desks = dict(sorted(desks.items()))

    async def list_subscribers(self, request: ListSubscribers) -> Subscribers:
        """See OperationsService."""
        answers = await asyncio.gather(
            *(desk.list_subscribers(request) for desk in self._desks.values())
        )
        found = [
            lag
            for service, answer in zip(self._desks, answers, strict=True)
            for lag in answer.subscribers
            if lag.subscriber == service
        ]
        return Subscribers(
            subscribers=sorted(found, key=lambda lag: (lag.publisher, lag.subscriber))
        )

    async def list_dead_letters(self, request: ListDeadLetters) -> DeadLetterPage:
        """See OperationsService."""
        if request.subscriber is not None:
            return await self._desk_of(request.subscriber).list_dead_letters(request)

        async def turn(service: str, limit: int, cursor: str) -> tuple[list[DeadLetter], str]:
            wanted = ListDeadLetters(subscriber=service, limit=limit, cursor=f"{service}:{cursor}")
            try:
                page = await self._desks[service].list_dead_letters(wanted)
            except UnknownSubscriber:
                return [], ""  # it reacts to nothing
            return page.dead_letters, page.next_cursor.partition(":")[2]

        found, cursor = await across(
            tuple(self._desks), turn, cursor=request.cursor, limit=request.limit
        )
        return DeadLetterPage(dead_letters=found, next_cursor=cursor)

    async def redrive(self, request: Redrive) -> Redriven:
        """See OperationsService."""
        desk = self._desk_of(request.subscriber, "redrive")
        return await desk.redrive(spoken(request))

    async def pause(self, request: OneSubscriber) -> Empty:
        """See OperationsService."""
        desk = self._desk_of(request.subscriber, "pause")
        return await desk.pause(spoken(request))

    async def resume(self, request: OneSubscriber) -> Empty:
        """See OperationsService."""
        desk = self._desk_of(request.subscriber, "resume")
        return await desk.resume(spoken(request))

    async def replay(self, request: Replay) -> Replayed:
        """See OperationsService."""
        if request.is_dry_run:  # the publisher's outbox tells what there is
            self._desk_of(request.subscriber)
            return await self._desk_of(request.publisher).replay(request)
        desk = self._desk_of(request.subscriber, "replay")
        return await desk.replay(spoken(request))

    async def list_sagas(self, request: ListSagas) -> SagaPage:
        """See OperationsService."""

        async def turn(service: str, limit: int, cursor: str) -> tuple[list[SagaSummary], str]:
            # The process begins with this service, whatever others it holds; they follow in the
            # same page, and are asked by themselves.
            wanted = replace(request, limit=limit, cursor=f"{service}:{cursor}")
            try:
                page = await self._desks[service].list_sagas(wanted)
            except UnknownCursor:
                if cursor:
                    raise
                return [], ""  # it has no sagas
            return _own(service, page)

        found, cursor = await across(
            tuple(self._desks), turn, cursor=request.cursor, limit=request.limit
        )
        return SagaPage(sagas=found, next_cursor=cursor)

    async def retry_saga(self, request: RetrySaga) -> SagaSummary:
        """See OperationsService."""
        for service, desk in self._desks.items():
            try:
                retried = await desk.retry_saga(spoken(request))
            except NotFound:
                continue
            if not isinstance(desk, OperationsDesk):
                record(f"{service} was told to try the saga {request.saga_id} now")
            return retried
        raise NotFound

    async def get_saga(self, request: SagaOf) -> SagaDetails:
        """See OperationsService."""
        for desk in self._desks.values():
            try:
                return await desk.get_saga(request)
            except NotFound:
                continue
        raise NotFound

    async def compensate_saga(self, request: CallOffSaga) -> SagaDetails:
        """See OperationsService."""
        for service, desk in self._desks.items():
            try:
                told = await desk.compensate_saga(spoken(request))
            except NotFound:
                continue
            if not isinstance(desk, OperationsDesk):
                record(f"{service} was told to call {request.saga_id} off")
            return told
        raise NotFound

    async def list_deeds(self, request: ListDeeds) -> DeedPage:
        """See OperationsService."""
        require_deed(request.cursor)
        pages = await asyncio.gather(
            *(
                desk.list_deeds(replace(request, service=service))
                for service, desk in self._desks.items()
                if request.service in (None, service)
            )
        )
        found = [deed for page in pages for deed in page.deeds]
        has_more = any(page.next_cursor for page in pages)
        return newest_deeds(found, request.limit, has_more=has_more)

    def _desk_of(self, service: str, order: str = "") -> OperationsService:
        """The desk of a subscriber. Between processes an order carries no person: it is noted here.

        Raises UnknownSubscriber.
        """
        desk = self._desks.get(service)
        if desk is None:
            raise UnknownSubscriber(f"no service {service!r} subscribes to anything")
        if order and not isinstance(desk, OperationsDesk):
            record(f"the process of {service} is told to {order} it")
        return desk


def spoken(request: A) -> A:
    """The request as another process is to be told it: on behalf of the person who asks here."""
    who = caller()
    return replace(request, speaks_for=who.subject if who.kind is Kind.PERSON else "")


def _own(service: str, page: SagaPage) -> tuple[list[SagaSummary], str]:
    """Of a process's page what is the service's own, and where that goes on."""
    found = [saga for saga in page.sagas if saga.service == service]
    name, _, cursor = page.next_cursor.partition(":")
    return found, cursor if name == service else ""
