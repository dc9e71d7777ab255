"""A subscriber's log on a queue: what was received, numbered as it came.

The position is a number of our own, one more for each message, that guards the subscriber's cursor;
which events were handled the inbox alone knows. The order along a key is that of the queue's group:
SQS gives no message of a group while an earlier one is with a reader. Whoever reads keeps what it
holds hidden from others, deletes what its database took over, and gives back the rest.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from emporion.chassis.brokers.aws.connection import BATCH_MAX, Connection
from emporion.chassis.brokers.aws.queue import NAME, Queue
from emporion.chassis.events.broker.message import SEQUENCE, Carried, carried
from emporion.chassis.events.broker.port import Link, Waiting
from emporion.chassis.events.log import LogUnreachable
from emporion.chassis.events.tables import Row
from emporion.chassis.runtime.ports import Runtime

NO_END = 1 << 62
AWAY_PAUSE_S = 1.0
HIDES = 3
"""How often a message is hidden anew within the time for which it is hidden."""
_log = logging.getLogger(__name__)


class QueueLog:
    """Subscribed (the port) on a queue."""

    def __init__(self, link: Link, connection: Connection, runtime: Runtime) -> None:
        self.source = link.source
        self._queue = Queue(link, connection)
        self._config = connection.config
        self._runtime = runtime
        self._items: list[Carried] = []
        self._handled: list[str] = []
        self._has_handled = asyncio.Event()
        self._has_room = asyncio.Event()
        self._on_news: Callable[[], None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def identity(self) -> str:
        """See Log.identity."""
        return await self._queue.declare()

    async def head(self) -> int:
        """See Log.head: a queue does not become shorter than a cursor."""
        return NO_END

    async def before(self, instant_ms: int) -> int:
        """See Log.before: a queue has no past."""
        return 0

    def ring(self) -> None:
        """See Log.ring: whoever listens hears of everything."""

    def forget(self) -> None:
        """See Log.forget: what was received is held, and given out again."""

    @property
    def has_more(self) -> bool:
        """See Log.has_more: deleting what was handled lets SQS give out what is behind it."""
        return bool(self._handled)

    async def after(self, position: int, limit: int) -> Sequence[Carried]:
        """See Log.after. Receives when too little is held and nobody listens."""
        if self._on_news is None:
            await self._delete()
            await self._receive_up_to(limit)
        for number, item in enumerate(self._items[:limit], start=position + 1):
            item.position = number
        return self._items[:limit]

    def passed(self, position: int) -> None:
        """See Log.passed."""
        count = 0
        while count < len(self._items) and 0 < self._items[count].position <= position:
            count += 1
        self._handled += [item.handle for item in self._items[:count]]
        del self._items[:count]
        for item in self._items:
            item.position = 0
        self._has_handled.set()
        self._has_room.set()

    async def _receive_up_to(self, limit: int) -> None:
        while len(self._items) < limit:
            if not await self._receive(min(BATCH_MAX, limit - len(self._items)), wait_s=0):
                return

    async def _receive(self, limit: int, *, wait_s: int) -> int:
        found = await self._queue.receive(limit, wait_s=wait_s)
        self._items += [self._item(message) for message in found]
        return len(found)

    def _item(self, message: Any) -> Carried:
        beside = message.get("MessageAttributes", {})
        item = carried(
            0,
            message["Body"].encode(),
            sequence=beside.get(SEQUENCE, {}).get("StringValue", ""),
            name=beside.get(NAME, {}).get("StringValue", ""),
            now_ms=self._runtime.clock.now_ms(),
            unreadable_id=message["MessageId"],
        )
        item.handle = message["ReceiptHandle"]
        return item

    async def _delete(self) -> None:
        handled, self._handled = self._handled, []
        if not handled:
            return
        try:
            await self._queue.delete(handled)
        except BaseException:  # also when it is cancelled: whoever closes the log deletes
            self._handled += handled
            raise

    async def listen(self, on_news: Callable[[], None]) -> None:
        """See Subscribed.listen."""
        self._on_news = on_news
        spawn = self._runtime.tasks.spawn
        name = self._queue.name
        self._tasks = [
            spawn(f"receive {name}", self._keep(self._receive_more)),
            spawn(f"delete {name}", self._keep(self._delete_more)),
            spawn(f"hold {name}", self._keep(self._hold)),
        ]

    async def _keep(self, work: Callable[[], Any]) -> None:
        """Go on for ever, also over a time in which AWS is away."""
        is_away = False
        while True:
            try:
                await work()
            except LogUnreachable as error:
                if not is_away:
                    _log.warning("%s: away: %s", self._queue.name, error.detail)
                is_away = True
                self._queue.forget()
                await self._runtime.tasks.sleep(AWAY_PAUSE_S)
                continue
            if is_away:
                _log.info("%s: back", self._queue.name)
            is_away = False

    async def _receive_more(self) -> None:
        room = self._config.fetch_max - len(self._items)
        if room < BATCH_MAX:
            self._has_room.clear()
            _ = await self._has_room.wait()
            return
        if await self._receive(BATCH_MAX, wait_s=self._config.wait_s) and self._on_news:
            self._on_news()

    async def _delete_more(self) -> None:
        self._has_handled.clear()
        if not self._handled:
            _ = await self._has_handled.wait()
        await self._delete()

    async def _hold(self) -> None:
        await self._runtime.tasks.sleep(self._config.visibility_s / HIDES)
        await self._hide(self._config.visibility_s)

    async def _hide(self, duration_s: int) -> None:
        held = [item.handle for item in self._items]
        if held:
            await self._queue.hide(held, duration_s=duration_s)

    async def close(self) -> None:
        """See Subscribed.close.

        What SQS gave out to the request that is under way is hidden for `visibility_s`.
        """
        tasks, self._tasks = self._tasks, []
        self._on_news = None
        for task in tasks:
            task.cancel()
        if tasks:
            _ = await asyncio.wait(tasks)
        try:
            await self._delete()
            await self._hide(0)
        except LogUnreachable as error:
            _log.warning("%s: not given back: %s", self._queue.name, error.detail)
        self._items = []

    async def waiting(self, position: int) -> Waiting:
        """See Subscribed.waiting. SQS says about how many, and not since when."""
        number = await self._queue.size() - len(self._handled)
        oldest = [item.occurred_at_ms for item in self._items]
        return Waiting(max(0, number), min(oldest, default=None))

    async def send(self, rows: Sequence[Row], *, occasion: str) -> None:
        """Put events into this queue alone, in order. Raises LogUnreachable."""
        await self._queue.send(rows, occasion=occasion)
