"""The keys in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.sealing.makers import makers
from emporion.kernel.ids import UserId
from emporion.services.vault.ports import StoredKey

_COLUMNS = "person_id, wrapped, wrapped_by, made_at_ms, destroyed_at_ms"
_FIND = (
    f"SELECT {_COLUMNS} FROM person_key"  # noqa: S608 - constants only
    " WHERE person_id IN (SELECT value FROM json_each(?))"
)
# Ids sort by time: the last one is at an end of the table.
_LATEST = (
    f"SELECT {_COLUMNS} FROM person_key"  # noqa: S608 - constants only
    " WHERE wrapped IS NOT NULL ORDER BY person_id DESC LIMIT 1"
)
_ADD = (
    f"INSERT INTO person_key ({_COLUMNS}) VALUES (?, ?, ?, ?, NULL)"  # noqa: S608 - constants only
    " ON CONFLICT (person_id) DO NOTHING"
)
# Also for somebody who never had a key: a late `add` must not give them one.
_DESTROY = (
    f"INSERT INTO person_key ({_COLUMNS}) VALUES (?, NULL, '', ?, ?)"  # noqa: S608 - constants only
    " ON CONFLICT (person_id) DO UPDATE"
    " SET wrapped = NULL, wrapped_by = '', destroyed_at_ms = excluded.destroyed_at_ms"
    " WHERE person_key.destroyed_at_ms IS NULL"
)
_OTHERS = (
    f"SELECT {_COLUMNS} FROM person_key"  # noqa: S608 - constants only
    " WHERE person_id > ? AND wrapped IS NOT NULL AND wrapped_by <> ? ORDER BY person_id LIMIT ?"
)
# Only what it was read as: who is erased meanwhile stays erased.
_REPLACE = "UPDATE person_key SET wrapped = ?, wrapped_by = ? WHERE person_id = ? AND wrapped = ?"
# One step in the index for each name, however many keys there are.
_NEXT_NAME = "SELECT min(wrapped_by) FROM person_key WHERE wrapped IS NOT NULL AND wrapped_by > ?"
_HAS_NAMELESS = "SELECT 1 FROM person_key WHERE wrapped IS NOT NULL AND wrapped_by = '' LIMIT 1"
_COUNT = "SELECT wrapped_by, count(*) FROM person_key WHERE wrapped IS NOT NULL GROUP BY wrapped_by"


class SqlKeys:
    """The table person_key."""

    async def find(self, tx: Tx, person_ids: Sequence[UserId]) -> list[StoredKey]:
        rows = await tx.fetch(_FIND, msgspec.json.encode(person_ids).decode())
        return [StoredKey._make(row) for row in rows]

    async def latest(self, tx: Tx) -> StoredKey | None:
        row = await tx.fetch_one(_LATEST)
        return StoredKey._make(row) if row else None

    async def add(self, tx: Tx, person_id: UserId, wrapped: bytes, *, by: str, at_ms: int) -> None:
        await tx.execute(_ADD, person_id, wrapped, by, at_ms)

    async def destroy(self, tx: Tx, person_id: UserId, *, at_ms: int) -> None:
        await tx.execute(_DESTROY, person_id, at_ms, at_ms)

    async def wrapped_by_others(
        self, tx: Tx, by: str, *, after: str, limit: int
    ) -> list[StoredKey]:
        return [StoredKey._make(row) for row in await tx.fetch(_OTHERS, after, by, limit)]

    async def replace(self, tx: Tx, before: StoredKey, wrapped: bytes, *, by: str) -> bool:
        changed = await tx.execute(_REPLACE, wrapped, by, before.person_id, before.wrapped)
        return changed == 1

    async def names(self, tx: Tx) -> frozenset[str]:
        return await makers(tx, _NEXT_NAME, _HAS_NAMELESS)

    async def counts(self, tx: Tx) -> dict[str, int]:
        """How many keys are wrapped with the secret of which name."""
        return dict(await tx.fetch(_COUNT))
