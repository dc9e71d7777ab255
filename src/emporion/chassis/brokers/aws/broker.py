"""Broker (the port) on Amazon SNS and SQS, with FIFO topics and queues.

Ordering: the group of a message is its key, so that a subscriber gets the events of a key in the
order of publication, also after a reader died (its keys wait for `visibility_s`). De-duplication:
by the event's id for five minutes; the inbox recognises later repetitions. Durability: SNS and SQS
acknowledge what they have stored. A queue keeps events for 14 days at most, and one that is made
later gets nothing of what was published before: `declare` the links of a whole shop before its
first start, and replay to a subscriber that comes later. A replay comes from the publisher's
outbox; along a key it is in order in itself, and may mix with what is published meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiobotocore.session import AioSession

from emporion.chassis.brokers.aws.connection import (
    BATCH_BYTES_MAX,
    AwsConfig,
    Connection,
    answer,
    chunks,
)
from emporion.chassis.brokers.aws.log import QueueLog
from emporion.chassis.brokers.aws.names import group_of
from emporion.chassis.brokers.aws.queue import Queue, attributes, declare_topic
from emporion.chassis.events.broker.port import Link, MessageRefused
from emporion.chassis.events.bus import Features
from emporion.chassis.events.log import LogUnreachable
from emporion.chassis.events.tables import Row
from emporion.chassis.runtime.ports import Runtime


class AwsBroker:
    """SNS and SQS, as one process is connected to them.

    Args:
        config: where they are.
        runtime: time and tasks.
        session: botocore's, when several are to share what it has read.
    """

    features = Features(has_replay=True, has_pause=True, has_history=False)

    def __init__(
        self, config: AwsConfig, runtime: Runtime, *, session: AioSession | None = None
    ) -> None:
        self._connection = Connection(config, session=session)
        self._runtime = runtime
        self._topics: dict[str, str] = {}

    async def open(self) -> None:
        """See Broker.open."""
        await self._connection.open()

    async def close(self) -> None:
        """See Broker.close."""
        await self._connection.close()

    def on_up(self, call: Callable[[], None]) -> None:
        """See Broker.on_up. There is no connection whose return one could notice."""

    async def declare(self, source: str) -> str:
        """See Broker.declare."""
        self._topics[source] = await declare_topic(self._connection, source)
        return f"sns {self._topics[source]}"

    async def declare_links(self, links: Sequence[Link]) -> None:
        """Make topics, queues and subscriptions of a whole shop. Raises LogUnreachable."""
        for link in links:
            _ = await Queue(link, self._connection).declare()

    def subscribed(self, link: Link) -> QueueLog:
        """See Broker.subscribed."""
        return QueueLog(link, self._connection, self._runtime)

    async def send(self, source: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """See Broker.send: requests of up to ten events, all at once."""
        topic = self._topics.get(source) or await self._declared(source)
        results: list[Exception | None] = [
            MessageRefused(f"{len(row.payload)} bytes are more than SNS takes")
            if len(row.payload) > BATCH_BYTES_MAX
            else None
            for row in rows
        ]
        taken = [index for index, result in enumerate(results) if result is None]
        runs = chunks([len(rows[index].payload) for index in taken])
        requests = [[taken[at] for at in run] for run in runs]
        sent = await asyncio.gather(
            *(self._publish(topic, [rows[index] for index in request]) for request in requests)
        )
        for request, failures in zip(requests, sent, strict=True):
            for index, failure in zip(request, failures, strict=True):
                results[index] = failure
        return results

    async def _declared(self, source: str) -> str:
        _ = await self.declare(source)
        return self._topics[source]

    async def _publish(self, topic: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        entries: list[dict[str, Any]] = [
            {
                "Id": str(index),
                "Message": row.payload.decode(),
                "MessageGroupId": group_of(row.key),
                "MessageDeduplicationId": row.event_id,
                "MessageAttributes": attributes(row),
            }
            for index, row in enumerate(rows)
        ]
        asked = self._connection.sns.publish_batch(
            TopicArn=topic, PublishBatchRequestEntries=entries
        )
        try:
            reply = await answer(asked)
        except LogUnreachable as error:
            return [error] * len(rows)
        failed = {each["Id"]: each for each in reply.get("Failed", ())}
        return [_failure(failed.get(str(index))) for index in range(len(rows))]


def _failure(entry: Any) -> Exception | None:
    if entry is None:
        return None
    what = f"SNS: {entry.get('Code')}: {entry.get('Message')}"
    return MessageRefused(what) if entry.get("SenderFault") else LogUnreachable(what)
