"""Who works on a saga: the one process there is, or one of several instances on one database.

Among several, the row says whose it is and until when (`owner`, `next_at_ms`). The owner renews
while it works on it; when the instant has passed and a while more, another instance takes it over
by a compare-and-set of that instant. So a saga has one driver as long as clocks differ by less
than GRACE_MS; should it ever have two, each transition still happens once and each effect too.
"""

from collections.abc import Sequence
from typing import Protocol

from emporion.chassis.data.database import Tx
from emporion.chassis.saga import journal

LEASE_MS = 30_000
"""A saga that nobody has finished is looked at again this long after its start."""
GRACE_MS = 10_000
"""How long after that another instance leaves it to its owner."""
LOOK_AROUND_MS = 10_000
"""How often an instance looks whether another one left something behind."""


class Tenure(Protocol):
    """How a process comes by the sagas it works on. Every method raises what Tx raises."""

    owner: str
    """The name of this instance among those that share the database; empty: there is one."""

    async def recover(self, tx: Tx, *, now_ms: int) -> None:
        """Make due what this instance, or the one before it of that name, had begun."""
        ...

    async def due(
        self, tx: Tx, active: Sequence[str], *, now_ms: int, limit: int
    ) -> list[journal.Entry]:
        """What this instance may take up now; the `active` ones stay its own."""
        ...

    async def claim(self, tx: Tx, entry: journal.Entry, *, now_ms: int) -> bool:
        """Take up a saga as it was read; whether nobody else did."""
        ...

    async def next_due_ms(self, tx: Tx, *, now_ms: int) -> int | None:
        """When to look again; None: when poked."""
        ...

    async def release(self, tx: Tx, *, now_ms: int) -> None:
        """This instance stops: others may take up at once what it leaves behind."""
        ...


class Alone:
    """The one process that has the database: every open saga is its own."""

    owner = ""

    async def recover(self, tx: Tx, *, now_ms: int) -> None:
        """See Tenure.recover."""
        await journal.make_all_due(tx, now_ms=now_ms)

    async def due(
        self, tx: Tx, active: Sequence[str], *, now_ms: int, limit: int
    ) -> list[journal.Entry]:
        """See Tenure.due."""
        return await journal.due(tx, until_ms=now_ms, limit=limit + len(active))

    async def claim(self, tx: Tx, entry: journal.Entry, *, now_ms: int) -> bool:
        """See Tenure.claim."""
        return True

    async def next_due_ms(self, tx: Tx, *, now_ms: int) -> int | None:
        """See Tenure.next_due_ms."""
        return await journal.next_due_ms(tx)

    async def release(self, tx: Tx, *, now_ms: int) -> None:
        """See Tenure.release: the next start recovers everything."""


_OPEN = "state IN ('running', 'compensating')"
_RECOVER = f"UPDATE saga SET next_at_ms = ?1 WHERE {_OPEN} AND owner = ?2 AND next_at_ms > ?1"  # noqa: S608 - constants
_DUE = (
    f"SELECT {journal.COLUMNS} FROM saga WHERE {_OPEN} AND next_at_ms <= ?1"  # noqa: S608 - constants
    " AND (owner IN (?2, '') OR next_at_ms <= ?3) ORDER BY next_at_ms LIMIT ?4"
)
_RENEW = (
    f"UPDATE saga SET next_at_ms = ? WHERE {_OPEN} AND owner = ? AND next_at_ms <= ?"  # noqa: S608 - constants
    " AND id IN (SELECT value FROM json_each(?))"
)
_CLAIM = f"UPDATE saga SET owner = ?, next_at_ms = ? WHERE id = ? AND next_at_ms = ? AND {_OPEN}"  # noqa: S608 - constants
_NEXT = (
    f"SELECT min(next_at_ms) FROM (SELECT next_at_ms, owner FROM saga WHERE {_OPEN}"  # noqa: S608 - constants
    " ORDER BY next_at_ms LIMIT 100) AS first WHERE owner IN (?, '')"
)
_RELEASE = f"UPDATE saga SET next_at_ms = ?, owner = '' WHERE {_OPEN} AND owner = ?"  # noqa: S608 - constants


class Shared:
    """One of several instances on one database. `owner` is its name, which no other has."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    async def recover(self, tx: Tx, *, now_ms: int) -> None:
        """See Tenure.recover. What other instances have begun is theirs."""
        await tx.execute(_RECOVER, now_ms, self.owner)

    async def due(
        self, tx: Tx, active: Sequence[str], *, now_ms: int, limit: int
    ) -> list[journal.Entry]:
        """See Tenure.due. Renews the active ones whose time is over before the next look."""
        soon_ms = now_ms + 2 * LOOK_AROUND_MS
        if active:
            until_ms = now_ms + LEASE_MS
            await tx.execute(_RENEW, until_ms, self.owner, soon_ms, journal.json_list(active))
        rows = await tx.fetch(_DUE, now_ms, self.owner, now_ms - GRACE_MS, limit)
        return [journal.entry(row) for row in rows]

    async def claim(self, tx: Tx, entry: journal.Entry, *, now_ms: int) -> bool:
        """See Tenure.claim."""
        until_ms = now_ms + LEASE_MS
        changed = await tx.execute(_CLAIM, self.owner, until_ms, entry.saga_id, entry.next_at_ms)
        return changed == 1

    async def next_due_ms(self, tx: Tx, *, now_ms: int) -> int | None:
        """See Tenure.next_due_ms. Never None: the others may die without a word."""
        row = await tx.fetch_one(_NEXT, self.owner)
        own_ms = row[0] if row and row[0] is not None else now_ms + LOOK_AROUND_MS
        return min(int(own_ms), now_ms + LOOK_AROUND_MS)

    async def release(self, tx: Tx, *, now_ms: int) -> None:
        """See Tenure.release."""
        await tx.execute(_RELEASE, now_ms, self.owner)
