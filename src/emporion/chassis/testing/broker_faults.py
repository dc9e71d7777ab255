"""Faults between a bus and its broker: what is lost, doubled or late when a process dies there."""

from collections.abc import Callable, Sequence

from emporion.chassis.events.broker.port import (
    Broker,
    Link,
    MessageRefused,
    Subscribed,
    Waiting,
)
from emporion.chassis.events.bus import Features
from emporion.chassis.events.log import LogUnreachable
from emporion.chassis.events.reactions import Item
from emporion.chassis.events.tables import Row
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import Randomness


class Died(Exception):
    """The process is dead: nothing that it would have done next is done."""


class FaultyBroker:
    """A broker that hands everything on, but for what a subclass does otherwise."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    @property
    def features(self) -> Features:
        """See Broker.features."""
        return self.broker.features

    async def open(self) -> None:
        """See Broker.open."""
        await self.broker.open()

    async def close(self) -> None:
        """See Broker.close."""
        await self.broker.close()

    async def declare(self, source: str) -> str:
        """See Broker.declare."""
        return await self.broker.declare(source)

    async def send(self, source: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """See Broker.send."""
        return await self.broker.send(source, rows)

    def subscribed(self, link: Link) -> Subscribed:
        """See Broker.subscribed."""
        return self.broker.subscribed(link)

    def on_up(self, call: Callable[[], None]) -> None:
        """See Broker.on_up."""
        self.broker.on_up(call)


class DiesAfterSending(FaultyBroker):
    """The broker has the events; whoever sent them is dead before it noted that."""

    async def send(self, source: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """Send, then die."""
        await self.broker.send(source, rows)
        raise Died


class SendsTwice(FaultyBroker):
    """Every event twice, as after the time for which a broker recognises it."""

    async def send(self, source: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """Send, and send again under ids that the broker does not know."""
        await self.broker.send(source, rows)
        again = [row._replace(event_id=f"{row.event_id}-again") for row in rows]
        return await self.broker.send(source, again)


class Away(FaultyBroker):
    """A broker that does not answer."""

    async def declare(self, source: str) -> str:
        """Raises Unavailable."""
        raise Unavailable("planted")


class RefusesKey(FaultyBroker):
    """Of each key in `refused` the first event that it sees is too large for it."""

    def __init__(self, broker: Broker, refused: set[str]) -> None:
        super().__init__(broker)
        self.refused = refused
        self._large: dict[str, str] = {}

    async def send(self, source: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """Refuse some, send the others."""
        allowed = [row for row in rows if not self._is_refused(row)]
        sent = await self.broker.send(source, allowed) if allowed else ()
        results = dict(zip((row.event_id for row in allowed), sent, strict=True))
        return [
            MessageRefused("planted") if self._is_refused(row) else results[row.event_id]
            for row in rows
        ]

    def _is_refused(self, row: Row) -> bool:
        first = self._large.setdefault(row.key, row.event_id)
        return row.key in self.refused and row.event_id == first


class LosesSome(FaultyBroker):
    """Of what is sent, some never reaches the broker, and of some the acknowledgement is lost."""

    def __init__(self, broker: Broker, random: Randomness) -> None:
        super().__init__(broker)
        self._random = random

    async def send(self, source: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """Send some, and say of some that were sent that it is not known."""
        reaching = [row for row in rows if self._random.uniform(0, 1) > 0.2]  # noqa: PLR2004
        sent = await self.broker.send(source, reaching) if reaching else ()
        lost = Unavailable("planted")
        results = dict(zip((row.event_id for row in reaching), sent, strict=True))
        return [
            lost if self._random.uniform(0, 1) < 0.2 else results.get(row.event_id, lost)  # noqa: PLR2004
            for row in rows
        ]


class ForgetsToAcknowledge(FaultyBroker):
    """Whoever reads dies before it tells the broker what it handled."""

    def subscribed(self, link: Link) -> Subscribed:
        """A log whose `passed` never arrives."""
        return _Unacknowledged(self.broker.subscribed(link))


class _Unacknowledged:
    """A log that hands everything on until the first `passed`."""

    def __init__(self, log: Subscribed) -> None:
        self._log = log
        self._is_dead = False

    @property
    def source(self) -> str:
        return self._log.source

    async def identity(self) -> str:
        return await self._log.identity()

    def ring(self) -> None:
        self._log.ring()

    async def after(self, position: int, limit: int) -> Sequence[Item]:
        if self._is_dead:
            raise LogUnreachable("planted")
        return await self._log.after(position, limit)

    @property
    def has_more(self) -> bool:
        return self._log.has_more

    def passed(self, position: int) -> None:
        """Lost, and with it whoever read."""
        self._is_dead = True

    async def head(self) -> int:
        return await self._log.head()

    async def before(self, instant_ms: int) -> int:
        return await self._log.before(instant_ms)

    def forget(self) -> None:
        self._log.forget()

    async def listen(self, on_news: Callable[[], None]) -> None:
        await self._log.listen(on_news)

    async def close(self) -> None:
        await self._log.close()

    async def waiting(self, position: int) -> Waiting:
        return await self._log.waiting(position)
