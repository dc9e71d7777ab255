"""Broker (the port) on NATS JetStream.

Ordering: a stream is one log, so that a subscriber gets a publisher's events in the order in which
the relay sent them: along each key, that of publication. De-duplication: by `Nats-Msg-Id`, for
`duplicate_window_s`; later repetitions are in the stream twice, and the inbox recognises them.
Durability: the server acknowledges before it syncs its file to the disk (every two minutes unless
its `sync_interval` says otherwise), hence `resend_window_s`; killing the server loses nothing.
"""

import asyncio
from collections.abc import Callable, Sequence

from nats.errors import Error as NatsError
from nats.js.api import Header, PubAck
from nats.js.errors import APIError

from emporion.chassis.brokers.jetstream.connection import Connection, JetStreamConfig
from emporion.chassis.brokers.jetstream.log import JetStreamLog
from emporion.chassis.brokers.jetstream.names import stream_of, subject_of
from emporion.chassis.brokers.jetstream.stream import Stream
from emporion.chassis.events.broker.message import CONTENT_TYPE, SEQUENCE
from emporion.chassis.events.broker.port import Link, MessageRefused
from emporion.chassis.events.bus import Features
from emporion.chassis.events.log import LogUnreachable
from emporion.chassis.events.tables import Row
from emporion.kernel.clock import Clock

HEADERS_BYTES_MAX = 512
TOO_LARGE = 10054
"""The server's error code for an event above the limit of its stream."""


class JetStreamBroker:
    """The broker, as one process is connected to it.

    Args:
        config: where it is.
        clock: tells how long an answer is missing.
    """

    features = Features(has_replay=True, has_pause=True)

    def __init__(self, config: JetStreamConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._connection = Connection(config)

    async def open(self) -> None:
        """See Broker.open."""
        await self._connection.open()

    async def close(self) -> None:
        """See Broker.close."""
        await self._connection.close()

    def on_up(self, call: Callable[[], None]) -> None:
        """See Broker.on_up."""
        self._connection.on_up(call)

    async def declare(self, source: str) -> str:
        """See Broker.declare."""
        return await Stream(source, self._connection).declare()

    def subscribed(self, link: Link) -> JetStreamLog:
        """See Broker.subscribed."""
        log = JetStreamLog(link, self._connection, self._clock)
        self._connection.on_up(log.forget)
        return log

    async def send(self, source: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """See Broker.send: one pipeline, whose acknowledgements are awaited together."""
        stream = stream_of(self._config.prefix, source)
        sending = [await self._send(stream, source, row) for row in rows]
        waited = [each for each in sending if isinstance(each, asyncio.Future)]
        if waited:
            _, late = await asyncio.wait(waited, timeout=self._config.request_timeout_s)
            for each in late:
                each.cancel()
        return [_result(each) for each in sending]

    async def _send(
        self, stream: str, source: str, row: Row
    ) -> "asyncio.Future[PubAck] | Exception":
        headers = {
            Header.MSG_ID: row.event_id,
            SEQUENCE: str(row.position),
            "content-type": CONTENT_TYPE,
        }
        subject = subject_of(self._config.prefix, source, row.name)
        try:
            size = len(row.payload) + HEADERS_BYTES_MAX
            if size > self._connection.client.max_payload:
                return MessageRefused(f"{size} bytes are more than the server takes")
            return await self._connection.context.publish_async(
                subject, row.payload, stream=stream, headers=headers
            )
        except (LogUnreachable, NatsError) as error:
            return LogUnreachable(f"NATS: {type(error).__name__}")


def _result(sent: "asyncio.Future[PubAck] | Exception") -> Exception | None:
    if isinstance(sent, Exception):
        return sent
    if sent.cancelled():
        return LogUnreachable("NATS did not acknowledge in time")
    error = sent.exception()
    if error is None:
        return None
    if isinstance(error, APIError) and error.err_code == TOO_LARGE:
        return MessageRefused(f"NATS: {error.description}")
    return LogUnreachable(f"NATS: {error}")
