"""The queue of a link: made and subscribed to the publisher's topic when it is missing."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from emporion.chassis.brokers.aws.connection import (
    TEXT,
    Connection,
    answer,
    chunks,
    is_code,
)
from emporion.chassis.brokers.aws.names import dead_letters_of, group_of, queue_of, topic_of
from emporion.chassis.events.broker.message import SEQUENCE
from emporion.chassis.events.broker.port import Link
from emporion.chassis.events.log import LogUnreachable
from emporion.chassis.events.tables import Row

MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
VISIBLE = "ApproximateNumberOfMessages"
HIDDEN = "ApproximateNumberOfMessagesNotVisible"
NAME = "emporion-name"
"""The attribute with the event's name, by which subscriptions filter."""


def attributes(row: Row) -> dict[str, Any]:
    """What travels beside an event."""
    return {
        NAME: {"DataType": TEXT, "StringValue": row.name},
        SEQUENCE: {"DataType": TEXT, "StringValue": str(row.position)},
    }


class Queue:
    """One queue of SQS. Every method raises LogUnreachable."""

    def __init__(self, link: Link, connection: Connection) -> None:
        config = connection.config
        self.name = queue_of(config.prefix, link.source, link.subscriber)
        self._link = link
        self._connection = connection
        self._config = config
        self._url = ""

    async def declare(self) -> str:
        """Make topic, queue and subscription, as far as they are missing; the queue's identity.

        The subscription is brought up to date each time: on AWS a changed filter takes effect
        within minutes.
        """
        if self._config.topic_arns:
            self._url = await self._found(self.name)
            return await self._identity()
        topic = await declare_topic(self._connection, self._link.source)
        dead = await self._create(dead_letters_of(self.name), {})
        redrive = {
            "deadLetterTargetArn": await self._arn(dead),
            "maxReceiveCount": str(self._config.receives_max),
        }
        self._url = await self._create(self.name, {"RedrivePolicy": json.dumps(redrive)})
        arn = (await self._attributes("QueueArn"))["QueueArn"]
        await self._allow(topic, arn)
        await self._subscribe(topic, arn)
        return await self._identity()

    async def _identity(self) -> str:
        made = (await self._attributes("CreatedTimestamp"))["CreatedTimestamp"]
        return f"sqs {self.name} {made}"

    async def url(self) -> str:
        """The address of the queue."""
        if not self._url:
            await self.declare()
        return self._url

    def forget(self) -> None:
        """The queue may not be there any more."""
        self._url = ""

    async def _found(self, name: str) -> str:
        asked = self._connection.sqs.get_queue_url(QueueName=name)
        return str((await answer(asked))["QueueUrl"])

    async def _create(self, name: str, more: dict[str, str]) -> str:
        sqs = self._connection.sqs
        try:
            return await self._found(name)
        except LogUnreachable as error:
            if not is_code(error, *MISSING):
                raise
        wanted = {
            "FifoQueue": "true",
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
            "MessageRetentionPeriod": str(self._config.retention_s),
            "VisibilityTimeout": str(self._config.visibility_s),
            **more,
        }
        made = await answer(sqs.create_queue(QueueName=name, Attributes=wanted))
        return str(made["QueueUrl"])

    async def _arn(self, url: str) -> str:
        asked = self._connection.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str((await answer(asked))["Attributes"]["QueueArn"])

    async def _attributes(self, *names: str) -> dict[str, str]:
        asked = self._connection.sqs.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=[*names]
        )
        found: dict[str, str] = (await answer(asked))["Attributes"]
        return found

    async def _allow(self, topic: str, queue: str) -> None:
        """Let the topic, and nobody else, write into the queue."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        await answer(
            self._connection.sqs.set_queue_attributes(
                QueueUrl=self._url, Attributes={"Policy": policy}
            )
        )

    async def _subscribe(self, topic: str, queue: str) -> None:
        wanted = {
            "RawMessageDelivery": "true",
            "FilterPolicy": json.dumps({NAME: sorted(self._link.names)}),
        }
        sns = self._connection.sns
        asked = sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True
        )
        subscription = (await answer(asked))["SubscriptionArn"]
        for name, value in wanted.items():
            await answer(
                sns.set_subscription_attributes(
                    SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
                )
            )

    async def receive(self, limit: int, *, wait_s: int) -> Sequence[Any]:
        """Up to 10 messages, hidden from others for a while."""
        asked = self._connection.sqs.receive_message(
            QueueUrl=await self.url(),
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=self._config.visibility_s,
            MessageAttributeNames=[NAME, SEQUENCE],
        )
        found: Sequence[Any] = (await answer(asked)).get("Messages", ())
        return found

    async def delete(self, receipts: Sequence[str]) -> None:
        """These were handled. A receipt that is too old is not minded: the message comes again."""
        url = await self.url()
        for entries in _entries(receipts):
            await answer(self._connection.sqs.delete_message_batch(QueueUrl=url, Entries=entries))

    async def hide(self, receipts: Sequence[str], *, duration_s: int) -> None:
        """Hide these for so long from now on; 0: others may have them at once."""
        url = await self.url()
        for entries in _entries(receipts):
            hidden = [{**entry, "VisibilityTimeout": duration_s} for entry in entries]
            asked = self._connection.sqs.change_message_visibility_batch(
                QueueUrl=url, Entries=hidden
            )
            await answer(asked)

    async def send(self, rows: Sequence[Row], *, occasion: str) -> None:
        """Put events into this queue alone, in order; safe to repeat for the same occasion."""
        url = await self.url()
        for run in chunks([len(row.payload) for row in rows]):
            entries = [
                {
                    "Id": str(index),
                    "MessageBody": rows[index].payload.decode(),
                    "MessageGroupId": group_of(rows[index].key),
                    "MessageDeduplicationId": f"{rows[index].event_id}:{occasion}",
                    "MessageAttributes": attributes(rows[index]),
                }
                for index in run
            ]
            asked = self._connection.sqs.send_message_batch(QueueUrl=url, Entries=entries)
            failed = (await answer(asked)).get("Failed")
            if failed:
                raise LogUnreachable(f"SQS did not take {len(failed)} of {len(entries)} events")

    async def size(self) -> int:
        """About how many messages are in it, hidden ones with them."""
        await self.url()
        found = await self._attributes(VISIBLE, HIDDEN)
        return int(found[VISIBLE]) + int(found[HIDDEN])

    async def hidden(self) -> int:
        """About how many messages are with readers."""
        await self.url()
        return int((await self._attributes(HIDDEN))[HIDDEN])


async def declare_topic(connection: Connection, source: str) -> str:
    """Make the topic of a publisher, if it is missing; its ARN. Raises LogUnreachable."""
    name = topic_of(connection.config.prefix, source)
    if connection.config.topic_arns:
        return f"{connection.config.topic_arns}{name}"
    wanted = {"FifoTopic": "true", "FifoThroughputScope": "MessageGroup"}
    made = await answer(connection.sns.create_topic(Name=name, Attributes=wanted))
    return str(made["TopicArn"])


def _entries(receipts: Sequence[str]) -> Iterable[list[dict[str, Any]]]:
    for run in chunks([0] * len(receipts)):
        yield [{"Id": str(index), "ReceiptHandle": receipts[index]} for index in run]
