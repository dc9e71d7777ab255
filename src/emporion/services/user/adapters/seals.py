"""Seals and opens addresses and names with the key of the person."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from emporion.chassis.sealing.people import KeyRing, People
from emporion.kernel.ids import UserId
from emporion.services.user.domain import Account, Person
from emporion.services.user.ports import Reachable

EMAIL: Final = "user.email"
NAME: Final = "user.name"
"""The fields, as they are authenticated with what is sealed: for ever."""


class PersonalSeals:
    """Seals (the port), with keys from the vault."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def sealed_newcomer(self, person: Person) -> Account:
        ring = await self._people.newcomer(person.account.user_id)
        return _sealed(ring, person)

    async def sealed(self, person: Person) -> Account:
        ring = await self._people.ring_to_seal([person.account.user_id])
        return _sealed(ring, person)

    async def sealed_name(self, user_id: UserId, name: str) -> str:
        ring = await self._people.ring_to_seal([user_id])
        return ring.seal(user_id, NAME, name)

    async def opened(self, account: Account) -> Person:
        ring, user_id = await self._people.ring([account.user_id]), account.user_id
        email = ring.open(user_id, EMAIL, account.email)
        return Person(account, email, ring.open(user_id, NAME, account.name))

    async def reachable(self, found: Iterable[Reachable]) -> list[Reachable]:
        rows = list(found)
        ring = await self._people.ring([row.user_id for row in rows])
        return [_opened(ring, row) for row in rows if not ring.is_erased(row.user_id)]

    def forget(self, user_id: UserId) -> None:
        self._people.forget(user_id)


def _sealed(ring: KeyRing, person: Person) -> Account:
    account, user_id = person.account, person.account.user_id
    email = ring.seal(user_id, EMAIL, person.email)
    return replace(account, email=email, name=ring.seal(user_id, NAME, person.name))


def _opened(ring: KeyRing, row: Reachable) -> Reachable:
    email = ring.open(row.user_id, EMAIL, row.email)
    return row._replace(email=email, name=ring.open(row.user_id, NAME, row.name))
