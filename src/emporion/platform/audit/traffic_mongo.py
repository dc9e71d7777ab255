"""Events in documents. A service on them has no sagas: these need tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from emporion.chassis.data.database import Database
from emporion.chassis.data.documents import Document, DocumentTx, Find, documents
from emporion.platform.audit.traffic_port import (
    Cursor,
    DeadLetter,
    Numbering,
    Published,
    StoredSaga,
)

_COUNT: Sequence[Document] = [{"$group": {"_id": None, "number": {"$sum": 1}}}]
_NUMBERS: Sequence[Document] = [
    {
        "$group": {
            "_id": None,
            "number": {"$sum": 1},
            "first": {"$min": "$_id"},
            "last": {"$max": "$_id"},
        }
    }
]
_SET_ASIDE: Sequence[Document] = [
    {
        "$group": {
            "_id": {"source": "$source", "subscriber": "$subscriber", "status": "$status"},
            "number": {"$sum": 1},
        }
    }
]


class MongoTraffic:
    """Traffic (the port) of a database of documents."""

    def __init__(self, database: Database) -> None:
        self._database = documents(database)

    async def count(self, table: str) -> int:
        """See Traffic.count."""
        return _number(await self._told(table, _COUNT))

    async def sagas(self) -> int:
        """See Traffic.sagas."""
        return 0

    async def open_sagas(self, after: str, limit: int) -> Sequence[StoredSaga]:
        """See Traffic.open_sagas."""
        return []

    async def numbering(self) -> Numbering:
        """See Traffic.numbering. A counter gives the numbers, and knows the newest of them."""

        async def work(tx: DocumentTx) -> Numbering:
            found = await tx.aggregate("outbox", _NUMBERS)
            counter = await tx.find(Find("relay", {"_id": "outbox"}))
            given = int(counter[0]["position"]) if counter else 0
            if not found:
                return Numbering(0, given)
            events = int(found[0]["number"])
            last = max(given, int(found[0]["last"]))
            return Numbering(events, last - int(found[0]["first"]) + 1 - events)

        return await self._database.read(work)

    async def published(
        self, after: int, names: Collection[str], limit: int
    ) -> Sequence[Published]:
        """See Traffic.published."""
        found = await self._found("outbox", _above(after, names), limit)
        return [
            Published(at["_id"], at["event_id"], at["name"], at["key"], at.get("sent_at_ms"))
            for at in found
        ]

    async def waiting(self, after: int, names: Collection[str]) -> int:
        """See Traffic.waiting."""
        return _number(await self._told("outbox", [{"$match": _above(after, names)}, *_COUNT]))

    async def unsent(self) -> int:
        """See Traffic.unsent."""
        return _number(await self._told("outbox", [{"$match": {"unsent": {"$gt": 0}}}, *_COUNT]))

    async def cursors(self) -> Sequence[Cursor]:
        """See Traffic.cursors."""

        async def work(tx: DocumentTx) -> Sequence[Cursor]:
            cursors = await tx.find(Find("bus_cursor", {}, [("_id", 1)]))
            return _cursors(cursors, await tx.aggregate("parked", _SET_ASIDE))

        return await self._database.read(work)

    async def handled(self, label: str, event_ids: Sequence[str]) -> set[str]:
        """See Traffic.handled."""
        keys = {"_id": {"$in": [f"{label}/{event_id}" for event_id in event_ids]}}
        found = await self._found("inbox", keys)
        return {each["_id"].partition("/")[2] for each in found}

    async def first_handled(self, label: str) -> str:
        """See Traffic.first_handled."""
        own = {"_id": {"$gte": f"{label}/", "$lt": f"{label}0"}}  # "0" follows "/"
        found = await self._found("inbox", own, 1)
        return str(found[0]["_id"].partition("/")[2]) if found else ""

    async def set_aside(self, subscriber: str, event_ids: Sequence[str]) -> set[str]:
        """See Traffic.set_aside."""
        these = {"subscriber": subscriber, "event_id": {"$in": list(event_ids)}}
        return {each["event_id"] for each in await self._found("parked", these)}

    async def keys_set_aside(self, cursor: Cursor, name: str, limit: int) -> Sequence[str]:
        """See Traffic.keys_set_aside."""
        these = {"subscriber": cursor.subscriber, "source": cursor.source, "name": name}
        return [each["key"] for each in await self._found("parked", these, limit)]

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """See Traffic.dead_letters."""
        found = await self._found("parked", {"status": "dead"}, limit)
        return [DeadLetter(*(each[field] for field in DeadLetter._fields)) for each in found]

    async def _found(
        self,
        collection: str,
        chosen: Mapping[str, Any],
        limit: int = 0,
    ) -> list[Document]:
        """The documents that match, by their keys."""
        what = Find(collection, chosen, [("_id", 1)], limit)
        return await self._database.read(lambda tx: tx.find(what))

    async def _told(self, collection: str, stages: Sequence[Document]) -> list[Document]:
        return await self._database.read(lambda tx: tx.aggregate(collection, stages))


def _above(position: int, names: Collection[str]) -> Mapping[str, Any]:
    return {"_id": {"$gt": position}, "name": {"$in": list(names)}}


def _number(found: Sequence[Document]) -> int:
    return int(found[0]["number"]) if found else 0


def _cursors(found: Sequence[Document], told: Sequence[Document]) -> Sequence[Cursor]:
    """Each cursor's id is `source/subscriber`."""
    numbers = {
        (each["_id"]["source"], each["_id"]["subscriber"], each["_id"]["status"]): each["number"]
        for each in told
    }
    cursors = []
    for at in found:
        source, _, subscriber = at["_id"].partition("/")
        set_aside = (int(numbers.get((source, subscriber, s), 0)) for s in ("waiting", "dead"))
        place = (at["position"], at["generation"], at["log"])
        cursors.append(Cursor(source, subscriber, *place, *set_aside))
    return cursors
