"""Seals what people write about their orders with the key of the person whose order it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from msgspec import structs

from emporion.chassis.eventstore.store import Stored
from emporion.chassis.sealing.people import KeyRing, People
from emporion.kernel.ids import UserId
from emporion.services.order.domain import (
    CallOffAsked,
    Cancelled,
    OrderEvent,
    ReturnRefused,
    ReturnRequested,
)
from emporion.services.order.ports import StoredReturn

NOTE: Final = "order.note"
"""The field, as it is authenticated with what is sealed: for ever."""


class SealedNotes:
    """Notes (the port), with keys from the vault."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def sealed(self, user_id: UserId, note: str) -> str:
        if not note:
            return note
        ring = await self._people.ring_to_seal([user_id])
        return ring.seal(user_id, NOTE, note)

    async def opened(self, returns: Sequence[StoredReturn]) -> list[StoredReturn]:
        ring = await self._people.ring(each.user_id for each in returns)
        return [_opened(ring, each) for each in returns]

    async def history(
        self, user_id: UserId, history: Sequence[Stored[OrderEvent]]
    ) -> list[Stored[OrderEvent]]:
        ring = await self._people.ring([user_id])
        return [replace(each, event=_told(ring, user_id, each.event)) for each in history]


def _opened(ring: KeyRing, stored: StoredReturn) -> StoredReturn:
    reason, note = (
        ring.open(stored.user_id, NOTE, text) for text in (stored.told.reason, stored.told.note)
    )
    return replace(stored, told=stored.told._replace(reason=reason, note=note))


def _told(ring: KeyRing, user_id: UserId, event: OrderEvent) -> OrderEvent:
    match event:
        case CallOffAsked() | Cancelled() | ReturnRequested() | ReturnRefused():
            return structs.replace(event, reason=ring.open(user_id, NOTE, event.reason))
        case _:
            return event
