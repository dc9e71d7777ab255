"""What a database of documents keeps of events: the outbox as a queue, the lease, the inbox."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from emporion.chassis.data.documents import (
    Document,
    DocumentDatabase,
    DocumentTx,
    Find,
    Update,
)
from emporion.chassis.data.mongo.desk import MongoDesk
from emporion.chassis.data.mongo.inbox import INBOX, MongoInbox
from emporion.chassis.data.mongo.transaction import OUTBOX, RELAY
from emporion.chassis.events.desk import CHUNK, first_id_at
from emporion.chassis.events.tables import Row, Unsent

WAITING_MAX = 100_000
_EVENTS = {"_id": "events"}
_UNSENT = {"unsent": {"$gt": 0}}
_SENT = {"sent_at_ms": {"$gte": 0}}
_IN_ORDER = [("_id", 1)]


class MongoOutboxQueue:
    """OutboxQueue (the port): positions become visible in their order, so none is held back."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._database = database

    async def unsent(self, *, limit: int, held: Sequence[str]) -> Unsent:
        """See OutboxQueue.unsent."""
        others = {"key": {"$nin": list(held)}} if held else {}
        what = Find(OUTBOX, {**_UNSENT, **others}, [("unsent", 1)], limit)
        found = await self._database.read(lambda tx: tx.find(what))
        return Unsent([_row(each) for each in found], is_more_soon=False)

    async def mark_sent(self, positions: Sequence[int], *, now_ms: int) -> None:
        """See OutboxQueue.mark_sent."""
        chosen = {"_id": {"$in": list(positions)}}
        change = {"$set": {"sent_at_ms": now_ms}, "$unset": {"unsent": ""}}
        await self._database.transaction(lambda tx: tx.update_all(OUTBOX, chosen, change))

    async def begin(self, log: str) -> None:
        """See OutboxQueue.begin."""
        (relay,) = await self._database.read(lambda tx: tx.find(Find(RELAY, _EVENTS)))
        if relay["log"] == log:
            return
        if relay["log"]:
            await self.resend(since_ms=0)
        change = {"$set": {"log": log}}
        await self._database.transaction(lambda tx: tx.update_all(RELAY, _EVENTS, change))

    async def resend(self, *, since_ms: int) -> int:
        """See OutboxQueue.resend."""
        chosen = {**_SENT, "occurred_at_ms": {"$gte": since_ms}}

        async def forget(tx: DocumentTx) -> int:
            found = await tx.find(Find(OUTBOX, chosen, _IN_ORDER, CHUNK))
            await tx.write([_forgotten(each["_id"]) for each in found])
            return len(found)

        return await _repeated(self._database, forget)

    async def sent_since(self, since_ms: int, *, after: int, limit: int) -> Sequence[Row]:
        """See OutboxQueue.sent_since."""
        chosen = {**_SENT, "occurred_at_ms": {"$gte": since_ms}, "_id": {"$gt": after}}
        what = Find(OUTBOX, chosen, _IN_ORDER, limit)
        return [_row(each) for each in await self._database.read(lambda tx: tx.find(what))]

    async def waiting(self) -> tuple[int, int | None]:
        """See OutboxQueue.waiting."""
        told = {"_id": None, "number": {"$sum": 1}, "oldest": {"$min": "$occurred_at_ms"}}
        stages: list[Document] = [{"$match": _UNSENT}, {"$limit": WAITING_MAX}, {"$group": told}]
        found = await self._database.read(lambda tx: tx.aggregate(OUTBOX, stages))
        return (int(found[0]["number"]), int(found[0]["oldest"])) if found else (0, None)

    async def prune(self, *, before_ms: int, sent_before_ms: int) -> int:
        """See OutboxQueue.prune."""
        newest = await self._database.read(lambda tx: tx.find(Find(OUTBOX, {}, [("_id", -1)], 1)))
        if not newest:
            return 0
        chosen = {
            "_id": {"$lt": newest[0]["_id"]},
            "occurred_at_ms": {"$lt": before_ms},
            "sent_at_ms": {"$gte": 0, "$lt": sent_before_ms},
        }
        return await _repeated(self._database, _deletion(OUTBOX, chosen))


class MongoLease:
    """ServiceLease (the port): a conditional update of one document."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._database = database

    async def take(self, owner: str, *, now_ms: int, until_ms: int) -> bool:
        """See ServiceLease.take."""
        free = {**_EVENTS, "$or": [{"owner": owner}, {"until_ms": {"$lte": now_ms}}]}
        change = {"$set": {"owner": owner, "until_ms": until_ms}}
        return bool(await self._database.transaction(lambda tx: tx.update_all(RELAY, free, change)))

    async def give_up(self, owner: str) -> None:
        """See ServiceLease.give_up."""
        own = {**_EVENTS, "owner": owner}
        change = {"$set": {"owner": "", "until_ms": 0}}
        await self._database.transaction(lambda tx: tx.update_all(RELAY, own, change))


class MongoEventTables:
    """EventTables (the port) of a database of documents."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._database = database

    def inbox(self, source: str, subscriber: str) -> MongoInbox:
        """See EventTables.inbox."""
        return MongoInbox(source, subscriber)

    def desk(self, subscriber: str) -> MongoDesk:
        """See EventTables.desk."""
        return MongoDesk(subscriber, self._database)

    def outbox(self) -> MongoOutboxQueue:
        """See EventTables.outbox."""
        return MongoOutboxQueue(self._database)

    def lease(self) -> MongoLease:
        """See EventTables.lease."""
        return MongoLease(self._database)

    async def prune_inbox(self, *, before_ms: int) -> int:
        """See EventTables.prune_inbox. Keys are `subscriber/event id`, and ids rise with time."""
        deleted, label = 0, ""
        while True:
            next_label = {"_id": {"$gte": f"{label}0" if label else ""}}  # "0" follows "/"
            what = Find(INBOX, next_label, _IN_ORDER, 1)
            found = await self._database.read(lambda tx, what=what: tx.find(what))  # type: ignore[misc]
            if not found:
                return deleted
            label = found[0]["_id"].partition("/")[0]
            old = {"_id": {"$gte": f"{label}/", "$lt": f"{label}/{first_id_at(before_ms)}"}}
            deleted += await _repeated(self._database, _deletion(INBOX, old))


def _deletion(collection: str, chosen: dict[str, Any]) -> Callable[[DocumentTx], Awaitable[int]]:
    async def delete(tx: DocumentTx) -> int:
        found = await tx.find(Find(collection, chosen, _IN_ORDER, CHUNK))
        ids = {"_id": {"$in": [each["_id"] for each in found]}}
        return await tx.delete_all(collection, ids) if found else 0

    return delete


async def _repeated(
    database: DocumentDatabase, work: Callable[[DocumentTx], Awaitable[int]]
) -> int:
    """Run a bounded step until it has nothing left to change."""
    total = 0
    while changed := await database.transaction(work):
        total += changed
    return total


def _forgotten(position: int) -> Update:
    change = {"$set": {"unsent": position}, "$unset": {"sent_at_ms": ""}}
    return Update(OUTBOX, {"_id": position}, change)


def _row(found: Document) -> Row:
    fields = ("_id", "event_id", "name", "key", "occurred_at_ms", "payload")
    return Row(*(found[field] for field in fields))
