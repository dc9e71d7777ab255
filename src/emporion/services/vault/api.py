"""Answers the contract of the vault."""

from emporion.contracts.vault import (
    KeyDestroyed,
    KeyMade,
    KeysOf,
    PersonKey,
    PersonKeys,
    PersonOf,
    VaultService,
)
from emporion.kernel.clock import to_datetime
from emporion.services.vault.commands import KeyCommands
from emporion.services.vault.queries import KeyQueries


class VaultApi(VaultService):
    """The contract, method by method."""

    def __init__(self, commands: KeyCommands, queries: KeyQueries) -> None:
        self._commands = commands
        self._queries = queries

    async def keys_of(self, request: KeysOf) -> PersonKeys:
        keys = await self._queries.keys_of(request.person_ids)
        return PersonKeys(keys=[PersonKey(person_id=id_, key=key) for id_, key in keys.items()])

    async def make_key(self, request: PersonOf) -> KeyMade:
        key = await self._commands.make(request.person_id)
        return KeyMade(key=PersonKey(person_id=request.person_id, key=key))

    async def destroy_key(self, request: PersonOf) -> KeyDestroyed:
        at_ms = await self._commands.destroy(request.person_id)
        return KeyDestroyed(person_id=request.person_id, destroyed_at=to_datetime(at_ms))
