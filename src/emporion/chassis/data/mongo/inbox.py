"""The subscriber's side of a delivery as documents: inbox, cursor and parked events.

Each method runs in the transaction of the reactions it belongs to, as in tables (events/inbox.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emporion.chassis.data.database import Tx, UniqueViolation
from emporion.chassis.data.documents import (
    Change,
    Delete,
    Document,
    DocumentTx,
    Find,
    Insert,
    Update,
    documents_of,
)
from emporion.chassis.events.inbox import CursorMoved, Failure, State
from emporion.chassis.events.reactions import Item
from emporion.kernel.errors import Unavailable

INBOX = "inbox"
CURSOR = "bus_cursor"
PARKED = "parked"
WAITING = "waiting"


class MongoInbox:
    """EventInbox (the port): what a subscriber handled of one publisher's events."""

    def __init__(self, source: str, subscriber: str) -> None:
        self.source = source
        self.subscriber = subscriber
        self._cursor = f"{source}/{subscriber}"
        self._parked = {"subscriber": subscriber, "source": source}

    async def join(self, tx: Tx, *, now_ms: int, log: str = "") -> None:
        """See EventInbox.join."""
        stands = {"position": 0, "generation": 1, "is_paused": False, "updated_at_ms": now_ms}
        change = {"$setOnInsert": {**stands, "log": log}}
        await documents_of(tx).write([Update(CURSOR, {"_id": self._cursor}, change, True)])  # noqa: FBT003 - made if absent

    async def state(self, tx: Tx) -> State | None:
        """See EventInbox.state."""
        found = await documents_of(tx).find(Find(CURSOR, {"_id": self._cursor}))
        if not found:
            return None
        (at,) = found
        due_ms = await self.next_due(tx)
        return State(at["position"], at["generation"], at["is_paused"], due_ms, at["log"])

    async def pause(self, tx: Tx, *, is_paused: bool, now_ms: int) -> None:
        """See EventInbox.pause."""
        change = {"$set": {"is_paused": is_paused, "updated_at_ms": now_ms}}
        await documents_of(tx).update_all(CURSOR, {"_id": self._cursor}, change)

    async def rewind(self, tx: Tx, *, position: int, sequence: int, now_ms: int) -> None:
        """See EventInbox.rewind."""
        books = documents_of(tx)
        change = {
            "$set": {"position": position, "updated_at_ms": now_ms},
            "$inc": {"generation": 1},
        }
        await books.update_all(CURSOR, {"_id": self._cursor}, change)
        await books.delete_all(PARKED, {**self._parked, "position": {"$gt": sequence}})

    async def claim(
        self, tx: Tx, items: Sequence[Item], *, generation: int, now_ms: int
    ) -> set[str]:
        """See EventInbox.claim. Raises Unavailable when another instance handles them now."""
        books = documents_of(tx)
        label = self.subscriber if generation == 1 else f"{self.subscriber}#{generation}"
        keys = {f"{label}/{item.event_id}": item.event_id for item in items}
        known = await books.find(Find(INBOX, {"_id": {"$in": list(keys)}}))
        for each in known:
            del keys[each["_id"]]
        try:
            await books.write([Insert(INBOX, {"_id": key, "at_ms": now_ms}) for key in keys])
        except UniqueViolation as error:
            raise Unavailable("another instance handles these events") from error
        return set(keys.values())

    async def blocked(self, tx: Tx, items: Sequence[Item]) -> set[str]:
        """See EventInbox.blocked."""
        keys = {"$in": list({item.key for item in items})}
        what = Find(PARKED, {**self._parked, "status": WAITING, "key": keys})
        return {each["key"] for each in await documents_of(tx).find(what)}

    async def advance(
        self, tx: Tx, *, generation: int, before: int, after: int, now_ms: int
    ) -> None:
        """See EventInbox.advance."""
        stood = {"generation": generation, "position": before, "is_paused": False}
        await self._move(tx, stood, {"position": after, "updated_at_ms": now_ms})

    async def move(self, tx: Tx, state: State, *, position: int, log: str, now_ms: int) -> None:
        """See EventInbox.move."""
        stood = {"generation": state.generation, "position": state.position, "log": state.log}
        await self._move(tx, stood, {"position": position, "log": log, "updated_at_ms": now_ms})

    async def _move(self, tx: Tx, stood: Mapping[str, Any], goes: Mapping[str, Any]) -> None:
        change = Update(CURSOR, {"_id": self._cursor, **stood}, {"$set": goes})
        if not await documents_of(tx).write([change]):
            raise CursorMoved

    async def park(
        self, tx: Tx, items: Iterable[Item], failure: Failure | None, *, now_ms: int
    ) -> None:
        """See EventInbox.park."""
        parked = [self._put(item, Failure(item, "", None), None) for item in items]
        if failure is not None:
            parked.append(self._put(failure.item, failure, now_ms))
        if parked:
            await documents_of(tx).write(parked)

    async def due(self, tx: Tx, *, now_ms: int, limit: int) -> list[Item]:
        """See EventInbox.due."""
        books = documents_of(tx)
        overdue = {**self._parked, "next_at_ms": {"$gte": 0, "$lte": now_ms}}
        first = await books.find(Find(PARKED, overdue, [("next_at_ms", 1)], limit))
        items: list[Item] = []
        for key in dict.fromkeys(each["key"] for each in first):
            if len(items) >= limit:
                break
            found = await self._waiting(books, key, limit - len(items))
            items += [_item(each) for each in found]
        return items

    async def settle(
        self, tx: Tx, done: Sequence[Item], failure: Failure | None, *, now_ms: int
    ) -> None:
        """See EventInbox.settle."""
        books = documents_of(tx)
        changes: list[Change] = [Delete(PARKED, {"_id": self._id(item)}) for item in done]
        keys = {item.key for item in done}
        if failure is not None:
            changes.append(self._failed(failure, now_ms))
            if failure.next_at_ms is None:
                keys.add(failure.item.key)
            else:
                keys.discard(failure.item.key)
        await books.write(changes)
        for key in sorted(keys):
            await self._promote(books, key, now_ms)

    async def next_due(self, tx: Tx) -> int | None:
        """See EventInbox.next_due."""
        what = Find(PARKED, {**self._parked, "next_at_ms": {"$gte": 0}}, [("next_at_ms", 1)], 1)
        found = await documents_of(tx).find(what)
        return int(found[0]["next_at_ms"]) if found else None

    async def _promote(self, books: DocumentTx, key: str, now_ms: int) -> None:
        """The next event of a key whose first one is done or dead becomes due."""
        first = await self._waiting(books, key, 1)
        if first and first[0]["next_at_ms"] is None:
            due = {"next_at_ms": now_ms, "first_failed_at_ms": now_ms}
            await books.write([Update(PARKED, {"_id": first[0]["_id"]}, {"$set": due})])

    async def _waiting(self, books: DocumentTx, key: str, limit: int) -> list[Document]:
        chosen = {**self._parked, "status": WAITING, "key": key}
        return await books.find(Find(PARKED, chosen, [("position", 1)], limit))

    def _failed(self, failure: Failure, now_ms: int) -> Update:
        item, error, next_at_ms = failure
        noted: dict[str, Any] = {"last_error": error, "next_at_ms": next_at_ms}
        if next_at_ms is None:
            noted["status"] = "dead"
        elif item.first_failed_at_ms is None:
            noted["first_failed_at_ms"] = now_ms
        return Update(PARKED, {"_id": self._id(item)}, {"$set": noted, "$inc": {"attempts": 1}})

    def _put(self, item: Item, failure: Failure, failed_at_ms: int | None) -> Update:
        """Set an event aside, unless it is already; `failed_at_ms` None: it only queues."""
        parked = {
            **self._parked,
            "event_id": item.event_id,
            "position": item.sequence,
            "name": item.name,
            "key": item.key,
            "occurred_at_ms": item.occurred_at_ms,
            "payload": item.payload,
            "status": WAITING,
            "attempts": 0 if failed_at_ms is None else 1,
            "first_failed_at_ms": failed_at_ms,
            "next_at_ms": failure.next_at_ms,
            "last_error": failure.error,
        }
        change = {"$setOnInsert": parked}
        return Update(PARKED, {"_id": self._id(item)}, change, True)  # noqa: FBT003 - made if absent

    def _id(self, item: Item) -> str:
        return f"{self.subscriber}/{item.event_id}"


def _item(found: Document) -> Item:
    return Item(
        found["position"],
        found["event_id"],
        found["name"],
        found["key"],
        found["occurred_at_ms"],
        found["payload"],
        found["attempts"],
        found["first_failed_at_ms"],
    )
