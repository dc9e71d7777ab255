"""An open transaction on MongoDB, and the snapshot that a read sees."""

from collections.abc import Sequence
from typing import Any, cast

from pymongo import AsyncMongoClient, DeleteOne, InsertOne, ReturnDocument, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

from emporion.chassis.calls.context import NEVER_S, NO_TRACE, current_call
from emporion.chassis.data.documents import Change, Delete, Document, Filter, Find, Insert, Update
from emporion.chassis.data.mongo.errors import cause, is_transient, named
from emporion.chassis.events import outbox
from emporion.contracts.contract import Event
from emporion.kernel.clock import Clock
from emporion.kernel.errors import DeadlineExceeded, EmporionError, Internal, ResourceExhausted
from emporion.kernel.ids import Ids

Client = AsyncMongoClient[dict[str, Any]]
_Operation = InsertOne[dict[str, Any]] | UpdateOne | DeleteOne
OUTBOX = "outbox"
RELAY = "relay"
OUTBOX_FIELDS = ("event_id", "name", "topic", "key", "occurred_at_ms", "payload")


class Connected:
    """What all transactions of a database share.

    `has_bulk`: whether one command may write to several collections (MongoDB 8.0); without it a
    list of changes costs a round trip for each collection in turn.
    """

    def __init__(  # noqa: PLR0913 - made in one place, by keyword
        self,
        client: Client,
        *,
        database_name: str,
        source: str,
        where: str,
        clock: Clock,
        ids: Ids,
        has_bulk: bool,
    ) -> None:
        self.client = client
        self.database = client[database_name]
        self.source = source
        self.where = where
        self.clock = clock
        self.ids = ids
        self.has_bulk = has_bulk


class MongoTx:
    """DocumentTx (the port) in a session of the driver; what is published leaves with a write.

    The position of an event comes from one counter, whose document a publishing transaction holds
    until its end: so positions become visible in their order, and whoever reads them in order
    misses none. Transactions that publish therefore collide when they run side by side.
    """

    def __init__(
        self, connected: Connected, session: AsyncClientSession, *, is_writable: bool
    ) -> None:
        self.is_conflict = False
        """Whether nothing was done because others were first: the transaction may run again."""
        self.published = 0
        self._connected = connected
        self._session = session
        self._is_writable = is_writable
        self._unsent: list[dict[str, Any]] = []

    async def find(self, what: Find) -> list[Document]:
        """See DocumentTx.find."""
        try:
            cursor = self._collection(what.collection).find(what.filter, session=self._session)
            if what.sort:
                cursor = cursor.sort(list(what.sort))
            return cast("list[Document]", await cursor.limit(what.limit).to_list())
        except PyMongoError as error:
            raise self._named(error) from error

    async def aggregate(self, collection: str, stages: Sequence[Document]) -> list[Document]:
        """See DocumentTx.aggregate."""
        try:
            cursor = await self._collection(collection).aggregate(
                list(stages), session=self._session
            )
            return cast("list[Document]", await cursor.to_list())
        except PyMongoError as error:
            raise self._named(error) from error

    async def write(self, changes: Sequence[Change]) -> bool:
        """See DocumentTx.write."""
        self._refuse_in_a_read()
        if not changes and not self._unsent:
            return True
        try:
            sent = [*changes, *await self._events()]
            matched = await (self._bulk(sent) if self._connected.has_bulk else self._runs(sent))
        except PyMongoError as error:
            raise self._named(error) from error
        return matched == len(sent)

    async def update_all(self, collection: str, filter_: Filter, change: Document) -> int:
        """See DocumentTx.update_all."""
        self._refuse_in_a_read()
        try:
            done = await self._collection(collection).update_many(
                filter_, change, session=self._session
            )
        except PyMongoError as error:
            raise self._named(error) from error
        return done.matched_count

    async def delete_all(self, collection: str, filter_: Filter) -> int:
        """See DocumentTx.delete_all."""
        self._refuse_in_a_read()
        try:
            done = await self._collection(collection).delete_many(filter_, session=self._session)
        except PyMongoError as error:
            raise self._named(error) from error
        return done.deleted_count

    async def publish(self, event: Event) -> None:
        """See DocumentTx.publish."""
        self._refuse_in_a_read()
        trace = current_call().trace
        row = outbox.row(
            event,
            source=self._connected.source,
            ids=self._connected.ids,
            now_ms=self._connected.clock.now_ms(),
            traceparent="" if trace is NO_TRACE else trace.header(),
        )
        self._unsent.append(dict(zip(OUTBOX_FIELDS, row, strict=True)))
        self.published += 1

    async def flush(self) -> None:
        """Send what was published and has not left with a write."""
        if self._unsent:
            await self.write(())

    async def _events(self) -> list[Insert]:
        """What was published and not sent yet, each with the next position."""
        events, self._unsent = self._unsent, []
        if not events:
            return []
        counted = await self._collection(RELAY).find_one_and_update(
            {"_id": OUTBOX},
            {"$inc": {"position": len(events)}},
            return_document=ReturnDocument.AFTER,
            session=self._session,
        )
        if counted is None:
            raise Internal("the counter of the outbox is gone: positions would be given twice")
        first = counted["position"] - len(events) + 1
        return [
            Insert(OUTBOX, {"_id": position, "unsent": position, **event})
            for position, event in enumerate(events, first)
        ]

    async def _bulk(self, changes: Sequence[Change]) -> int:
        """All changes in one command, whatever their collections; how many did what they should."""
        prefix = f"{self._connected.database.name}."
        done = await self._connected.client.bulk_write(
            [_operation(change, namespace=prefix + change.collection) for change in changes],
            session=self._session,
        )
        return done.inserted_count + done.matched_count + done.upserted_count + done.deleted_count

    async def _runs(self, changes: Sequence[Change]) -> int:
        """A command for each run of changes to one collection."""
        total, start = 0, 0
        while start < len(changes):
            name, end = changes[start].collection, start
            while end < len(changes) and changes[end].collection == name:
                end += 1
            operations = [_operation(change) for change in changes[start:end]]
            done = await self._collection(name).bulk_write(operations, session=self._session)
            total += done.inserted_count + done.matched_count
            total += done.upserted_count + done.deleted_count
            start = end
        return total

    def _collection(self, name: str) -> AsyncCollection[dict[str, Any]]:
        return self._connected.database[name]

    def _refuse_in_a_read(self) -> None:
        if not self._is_writable:
            raise Internal("a read writes nothing: use a transaction")

    def _named(self, error: PyMongoError) -> EmporionError:
        # An engine that cannot be found was looked for long enough: others may try again.
        if is_transient(error) and not isinstance(cause(error), ServerSelectionTimeoutError):
            self.is_conflict = True
        found = named(error, self._connected.where)
        is_bounded_by_us = current_call().deadline_s == NEVER_S and not self._is_writable
        if is_bounded_by_us and isinstance(found, DeadlineExceeded):
            return ResourceExhausted("the query ran too long and was interrupted")
        return found


def _operation(change: Change, namespace: str | None = None) -> _Operation:
    if isinstance(change, Insert):
        return InsertOne(dict(change.document), namespace=namespace)
    if isinstance(change, Update):
        return UpdateOne(change.filter, change.change, upsert=change.is_upsert, namespace=namespace)
    if isinstance(change, Delete):
        return DeleteOne(change.filter, namespace=namespace)
    raise Internal(f"there is no such change: {change!r}")
