"""What staff write about a person, sealed with the key of that person."""

from emporion.chassis.sealing.people import People
from emporion.kernel.ids import UserId


class SealedNotes:
    """Notes of one field; the field is authenticated with what is sealed: for ever.

    Both methods raise what asking for keys raises, and KeyMissing when one was lost.
    """

    def __init__(self, people: People, field: str) -> None:
        self._people = people
        self._field = field

    async def sealed(self, user_id: UserId, note: str) -> str:
        """A note about a person, for being stored; of somebody who was erased it says so."""
        if not note:
            return note
        ring = await self._people.ring_to_seal([user_id])
        return ring.seal(user_id, self._field, note)

    async def opened(self, user_id: UserId, note: str) -> str:
        """What a stored note says; ERASED once the person is. Also raises SealBroken."""
        if not note:
            return note
        ring = await self._people.ring([user_id])
        return ring.open(user_id, self._field, note)
