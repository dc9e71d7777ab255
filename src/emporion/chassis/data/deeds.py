"""Deeds: what operators did to the sagas and deliveries of a service, kept in its own database."""

from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.data.documents import DocumentTx, Find, Insert, documents

DEED = "deed"
_ADD = "INSERT INTO deed VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PAGE = "SELECT * FROM deed WHERE deed_id < ? ORDER BY deed_id DESC LIMIT ?"
_ABOUT = "SELECT * FROM deed WHERE deed_id < ? AND subject = ? ORDER BY deed_id DESC LIMIT ?"
_ABOVE_ALL = "~"
"""Sorts after every id."""


class Deed(NamedTuple):
    """Who did what to what, when and why. `detail` says what came of it, as far as is known."""

    deed_id: str
    at_ms: int
    actor: str
    trace_id: str
    action: str
    subject: str
    reason: str
    detail: str


async def put(tx: Tx, deed: Deed) -> None:
    """Write a deed down in the transaction in which it is done, on rows."""
    await tx.execute(_ADD, *deed)


class Deeds:
    """The deeds of one service, on whatever engine. Its methods raise what the database raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, deed: Deed) -> None:
        """Write a deed down that is done elsewhere: before it is done."""
        if self._database.engine == "mongodb":
            await documents(self._database).transaction(
                lambda tx: tx.write([Insert(DEED, {"_id": deed.deed_id, **deed._asdict()})])
            )
            return

        async def work(tx: Tx) -> None:
            await put(tx, deed)

        await self._database.transaction(work)

    async def page(self, before: str, limit: int, *, subject: str = "") -> list[Deed]:
        """The newest first, older than `before` and about `subject`, unless those are empty."""
        start = before or _ABOVE_ALL
        about = {"subject": subject} if subject else {}
        if self._database.engine == "mongodb":
            what = Find(DEED, {"_id": {"$lt": start}, **about}, [("_id", -1)], limit)

            async def look(tx: DocumentTx) -> list[Deed]:
                return [Deed(*(each[f] for f in Deed._fields)) for each in await tx.find(what)]

            return await documents(self._database).read(look)

        async def work(tx: Tx) -> list[Row]:
            if subject:
                return await tx.fetch(_ABOUT, start, subject, limit)
            return await tx.fetch(_PAGE, start, limit)

        return [Deed(*row) for row in await self._database.read(work)]
