"""The operator's side of parked events as documents: list, count, redrive."""

from collections.abc import Sequence
from typing import Any

from emporion.chassis.data.documents import Document, DocumentDatabase, DocumentTx, Find
from emporion.chassis.data.mongo.inbox import PARKED, WAITING
from emporion.chassis.events.bus import Parked, ParkedPage, ParkedStatus
from emporion.chassis.events.desk import CHUNK, PAGE_MAX


class MongoDesk:
    """ParkedDesk (the port) of one subscriber."""

    def __init__(self, subscriber: str, database: DocumentDatabase) -> None:
        self._subscriber = subscriber
        self._database = database

    async def page(self, *, status: ParkedStatus, limit: int, cursor: str) -> ParkedPage:
        """See ParkedDesk.page."""
        size = max(1, min(limit, PAGE_MAX))
        chosen = {
            "subscriber": self._subscriber,
            "status": status.value,
            "event_id": {"$gt": cursor},
        }
        what = Find(PARKED, chosen, [("event_id", 1)], size + 1)
        found = await self._database.read(lambda tx: tx.find(what))
        events = tuple(_parked(each) for each in found[:size])
        return ParkedPage(events, events[-1].event_id if len(found) > size else "")

    async def count(self, source: str) -> tuple[int, int]:
        """See ParkedDesk.count."""
        stages: list[Document] = [
            {"$match": {"subscriber": self._subscriber, "source": source}},
            {"$group": {"_id": "$status", "number": {"$sum": 1}}},
        ]
        found = await self._database.read(lambda tx: tx.aggregate(PARKED, stages))
        numbers = {each["_id"]: int(each["number"]) for each in found}
        return numbers.get(WAITING, 0), numbers.get("dead", 0)

    async def redrive(
        self, *, now_ms: int, event_ids: Sequence[str] | None, name: str | None
    ) -> int:
        """See ParkedDesk.redrive; in chunks of a transaction each."""
        chosen: dict[str, Any] = {
            "subscriber": self._subscriber,
            "$or": [{"status": "dead"}, {"next_at_ms": {"$gt": now_ms}}],
        }
        if event_ids is not None:
            chosen["event_id"] = {"$in": list(event_ids)}
        if name is not None:
            chosen["name"] = name
        change = {
            "$set": {
                "status": WAITING,
                "attempts": 0,
                "first_failed_at_ms": now_ms,
                "next_at_ms": now_ms,
            }
        }

        async def work(tx: DocumentTx) -> int:
            found = await tx.find(Find(PARKED, chosen, limit=CHUNK))
            ids = {"_id": {"$in": [each["_id"] for each in found]}}
            return await tx.update_all(PARKED, ids, change) if found else 0

        total = 0
        while changed := await self._database.transaction(work):
            total += changed
        return total


def _parked(found: Document) -> Parked:
    return Parked(
        subscriber=found["subscriber"],
        source=found["source"],
        event_id=found["event_id"],
        name=found["name"],
        key=found["key"],
        occurred_at_ms=found["occurred_at_ms"],
        status=ParkedStatus(found["status"]),
        attempts=found["attempts"],
        first_failed_at_ms=found["first_failed_at_ms"],
        next_at_ms=found["next_at_ms"],
        last_error=found["last_error"],
    )
