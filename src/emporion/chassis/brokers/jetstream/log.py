"""A subscriber's log: the stream of a publisher, read through a durable pull consumer.

The position is the sequence in the stream, and the subscriber's own database decides where to go
on: the consumer is made anew behind that position whenever reading begins, when the connection
was lost, and when a delivery is missing. So the order is the stream's, always: a redelivery, which
JetStream makes out of order, is never needed. Acknowledging tells operators, and the server, how
far the subscriber came; nothing depends on it.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as Inbox
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy, Header
from nats.js.errors import APIError, NotFoundError

from emporion.chassis.brokers.jetstream.connection import Connection
from emporion.chassis.brokers.jetstream.names import durable_of, name_in, subject_of
from emporion.chassis.brokers.jetstream.stream import Stream
from emporion.chassis.events.broker.message import SEQUENCE, Carried, carried
from emporion.chassis.events.broker.port import Link, Waiting
from emporion.chassis.events.log import LogUnreachable
from emporion.kernel.clock import Clock

ACK_WAIT_S = 600.0
GLANCE_INACTIVE_S = 5.0
ATTEMPTS = 3
ACKNOWLEDGEMENT_WORDS = 9
SILENCE_S = 10.0
"""A request for events that is not answered this long after its end was lost."""
_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class JetStreamLog:
    """Subscribed (the port) on a stream."""

    def __init__(self, link: Link, connection: Connection, clock: Clock) -> None:
        self.source = link.source
        self._clock = clock
        self._connection = connection
        self._config = connection.config
        self._stream = Stream(link.source, connection)
        self._durable = durable_of(link.subscriber)
        self._subjects = [subject_of(self._config.prefix, link.source, n) for n in link.names]
        self._items: list[Carried] = []
        self._position: int | None = None
        """What follows it is in memory, or will be fetched; None: not reading."""
        self._next_delivery = 1
        self._readings = 0
        self._handled = ""
        self._inbox: Inbox | None = None
        self._asked = 0
        self._asked_at_s = 0.0
        self._answered: asyncio.Event = asyncio.Event()
        self._on_news: Callable[[], None] | None = None

    async def identity(self) -> str:
        """See Log.identity."""
        return await self._stream.identity()

    async def head(self) -> int:
        """See Log.head."""
        return await self._stream.head()

    async def first(self) -> int | None:
        """See Subscribed.first."""
        return await self._stream.first()

    has_more = False
    """See Log.has_more."""

    async def before(self, instant_ms: int) -> int:
        """See Log.before."""
        return await self._stream.before(instant_ms)

    async def sequence_at(self, position: int) -> int:
        """See Subscribed.sequence_at."""
        return await self._stream.sequence_at(position)

    def ring(self) -> None:
        """See Log.ring: a request that was lost is made again."""
        silence_s = self._clock.monotonic_s() - self._asked_at_s
        if self._asked and silence_s > self._config.pull_s + SILENCE_S:
            self._position = None

    def forget(self) -> None:
        """See Log.forget."""
        self._position = None

    def passed(self, position: int) -> None:
        """See Log.passed. The server is told with the next look."""
        count = bisect_right(self._items, position, key=_position_of)
        if not count:
            return
        last = self._items[count - 1]
        del self._items[:count]
        self._handled = last.handle
        if self._position is not None:
            self._position = last.position

    async def _acknowledge(self) -> None:
        reply, self._handled = self._handled, ""
        if not reply:
            return
        try:
            await self._connection.client.publish(reply)
        except (LogUnreachable, NatsError) as error:
            _log.debug("%s: not acknowledged: %s", self._durable, error)

    async def after(self, position: int, limit: int) -> Sequence[Carried]:
        """See Log.after. Fetches when nothing is in memory and nobody listens."""
        await self._acknowledge()
        for _ in range(ATTEMPTS):
            if not self._is_behind(position):
                await self._seek(position)
            start = bisect_right(self._items, position, key=_position_of)
            if self._on_news is not None:
                await self._ask(limit, ahead=len(self._items) - start)
            elif start == len(self._items):
                await self._fetch(limit)
            if self._position is not None:
                return self._items[start : start + limit]
        raise LogUnreachable("somebody else reads it, too")

    def _is_behind(self, position: int) -> bool:
        if self._position is None or position < self._position:
            return False
        last = self._items[-1].position if self._items else self._position
        return position <= max(last, self._position)

    async def _seek(self, position: int) -> None:
        """Make the consumer anew, so that it delivers what follows `position`."""
        await self._drop()
        stream = self._stream.name

        async def make(context: Any) -> ConsumerInfo:
            with suppress(NotFoundError):
                _ = await context.delete_consumer(stream, self._durable)
            durable = self._behind(position, durable_name=self._durable, ack_wait=ACK_WAIT_S)
            info: ConsumerInfo = await context.add_consumer(stream, durable)
            return info

        try:
            _ = await self._connection.ask(make)
            client = self._connection.client
            self._readings += 1
            arrived = partial(self._arrived, self._readings)
            self._inbox = await client.subscribe(client.new_inbox(), cb=arrived)
        except (APIError, NatsError) as error:
            raise LogUnreachable(f"NATS: {error}") from error
        self._position = position

    def _behind(self, position: int, **more: Any) -> ConsumerConfig:
        return ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=position + 1,
            ack_policy=AckPolicy.ALL,
            filter_subjects=self._subjects,
            max_ack_pending=-1,
            **more,
        )

    async def _drop(self) -> None:
        self._position = None
        self._items = []
        self._next_delivery = 1
        self._asked = 0
        self._handled = ""
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            try:
                await inbox.unsubscribe()
            except NatsError as error:
                _log.debug("%s: not unsubscribed: %s", self._durable, error)

    async def listen(self, on_news: Callable[[], None]) -> None:
        """See Subscribed.listen. The pump's next look makes the first request."""
        self._on_news = on_news

    async def close(self) -> None:
        """See Subscribed.close."""
        self._on_news = None
        await self._acknowledge()
        await self._drop()

    async def _fetch(self, limit: int) -> None:
        """Ask for what is there now, and wait until it came."""
        self._answered.clear()
        await self._request(limit, {"batch": limit, "no_wait": True})
        try:
            async with asyncio.timeout(self._config.request_timeout_s):
                _ = await self._answered.wait()
        except TimeoutError:
            self._position = None
            raise LogUnreachable("NATS does not deliver") from None

    async def _ask(self, limit: int, *, ahead: int) -> None:
        """Ask for what is to come, unless that was done or a whole batch is in memory.

        Only after a whole batch is there certainly another look: after a smaller one nothing
        but news brings it, and news there is only while something is asked for.
        """
        if self._asked or ahead >= limit:
            return
        room = max(self._config.fetch_max, 2 * limit) - len(self._items)
        expires_ns = round(self._config.pull_s * 1e9)
        await self._request(room, {"batch": room, "expires": expires_ns})

    async def _request(self, batch: int, request: dict[str, int | bool]) -> None:
        if self._inbox is None:
            raise LogUnreachable("not subscribed")
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream.name}.{self._durable}"
        self._asked = batch
        self._asked_at_s = self._clock.monotonic_s()
        try:
            await self._connection.client.publish(
                subject, _encode(request), reply=self._inbox.subject
            )
        except NatsError as error:
            self._position = None
            raise LogUnreachable(f"NATS: {error}") from error

    async def _arrived(self, reading: int, message: Msg) -> None:
        """A message: an event, or the end of a request; late ones of an earlier reading not."""
        if reading != self._readings or self._position is None:
            return
        if not message.reply:
            self._end_request(message.headers or {})
        elif not self._take(message):
            self._position = None
            self._answered.set()
        if self._on_news is not None:
            self._on_news()

    def _end_request(self, headers: dict[str, str]) -> None:
        """Timeout, nothing there, or an error: the next look asks again."""
        self._asked = 0
        self._answered.set()
        if headers.get(Header.STATUS) == "409":
            _log.warning("%s: %s", self._durable, headers.get(Header.DESCRIPTION, "409"))
            self._position = None

    def _take(self, message: Msg) -> bool:
        """Keep an event; False when one before it did not arrive."""
        position, delivery = _sequences(message)
        if delivery != self._next_delivery:
            return False
        item = carried(
            position,
            message.data,
            sequence=(message.headers or {}).get(SEQUENCE, ""),
            name=name_in(message.subject),
            now_ms=self._clock.now_ms(),
            unreadable_id=f"{self._stream.name}-{position}",
        )
        item.handle = message.reply
        self._items.append(item)
        self._next_delivery += 1
        self._asked -= 1
        if not self._asked:
            self._answered.set()
        return True

    async def waiting(self, position: int) -> Waiting:
        """See Subscribed.waiting: asks through a consumer of its own."""

        async def glance(context: Any) -> int:
            config = self._behind(position, inactive_threshold=GLANCE_INACTIVE_S)
            info: ConsumerInfo = await context.add_consumer(self._stream.name, config)
            _ = await context.delete_consumer(self._stream.name, info.name)
            return info.num_pending or 0

        try:
            number = await self._connection.ask(glance)
        except APIError as error:
            raise LogUnreachable(f"NATS: {error}") from error
        if not number:
            return Waiting(0, None)
        return Waiting(number, await self._stream.oldest_after(position, self._subjects))


def _sequences(message: Msg) -> tuple[int, int]:
    """Where an event stands in the stream, and which delivery of its consumer it is.

    Both stand in the subject of its acknowledgement: `$JS.ACK.STREAM.CONSUMER.DELIVERIES.POSITION.
    DELIVERY.INSTANT.PENDING`. The client reads all of it, into objects, for ten times the time.
    """
    words = message.reply.split(".")
    if len(words) == ACKNOWLEDGEMENT_WORDS:
        return int(words[5]), int(words[6])
    found = message.metadata.sequence  # a server that names domain and account, too
    return found.stream, found.consumer


def _position_of(item: Carried) -> int:
    return item.position
