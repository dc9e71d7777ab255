"""The keys in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

import msgspec

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import UserId
from emporion.services.vault.ports import StoredKey

_FIND = (
    "SELECT person_id, wrapped, made_at_ms, destroyed_at_ms FROM person_key"
    " WHERE person_id IN (SELECT value FROM json_each(?))"
)
# Ids sort by time: the last one is at an end of the table.
_LATEST = (
    "SELECT person_id, wrapped, made_at_ms, destroyed_at_ms FROM person_key"
    " WHERE wrapped IS NOT NULL ORDER BY person_id DESC LIMIT 1"
)
_ADD = "INSERT INTO person_key VALUES (?, ?, ?, NULL) ON CONFLICT (person_id) DO NOTHING"
# Also for somebody who never had a key: a late `add` must not give them one.
_DESTROY = (
    "INSERT INTO person_key VALUES (?, NULL, ?, ?) ON CONFLICT (person_id) DO UPDATE"
    " SET wrapped = NULL, destroyed_at_ms = excluded.destroyed_at_ms"
    " WHERE person_key.destroyed_at_ms IS NULL"
)


class SqlKeys:
    """The table person_key."""

    async def find(self, tx: Tx, person_ids: Sequence[UserId]) -> list[StoredKey]:
        rows = await tx.fetch(_FIND, msgspec.json.encode(person_ids).decode())
        return [StoredKey._make(row) for row in rows]

    async def latest(self, tx: Tx) -> StoredKey | None:
        row = await tx.fetch_one(_LATEST)
        return StoredKey._make(row) if row else None

    async def add(self, tx: Tx, person_id: UserId, wrapped: bytes, *, at_ms: int) -> None:
        await tx.execute(_ADD, person_id, wrapped, at_ms)

    async def destroy(self, tx: Tx, person_id: UserId, *, at_ms: int) -> None:
        await tx.execute(_DESTROY, person_id, at_ms, at_ms)
