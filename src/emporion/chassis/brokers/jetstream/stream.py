"""The stream of one publisher: made when it is missing, and looked into."""

from collections.abc import Sequence
from typing import Any

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError

from emporion.chassis.brokers.jetstream.connection import Connection
from emporion.chassis.brokers.jetstream.names import stream_of, subjects_of
from emporion.chassis.events.broker.message import SEQUENCE, carried
from emporion.chassis.events.log import LogUnreachable


class Stream:
    """Reads a publisher's stream, and makes it. Every method raises LogUnreachable."""

    def __init__(self, source: str, connection: Connection) -> None:
        self.name = stream_of(connection.config.prefix, source)
        self._source = source
        self._connection = connection

    async def declare(self) -> str:
        """Make the stream, or bring its limits up to date; its identity."""
        wanted = self._wanted()

        async def make(context: JetStreamContext) -> StreamInfo:
            try:
                return await context.update_stream(wanted)
            except NotFoundError:
                return await context.add_stream(wanted)

        try:
            return _identity(await self._connection.ask(make))
        except APIError as error:
            raise LogUnreachable(f"NATS refuses the stream {self.name}: {error}") from error

    def _wanted(self) -> StreamConfig:
        config = self._connection.config
        return StreamConfig(
            name=self.name,
            subjects=[subjects_of(config.prefix, self._source)],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_age=config.max_age_s or 0,
            max_bytes=-1 if config.max_bytes is None else config.max_bytes,
            num_replicas=config.replicas,
            duplicate_window=config.duplicate_window_s,
            allow_direct=True,
        )

    async def _info(self) -> StreamInfo:
        async def get(context: JetStreamContext) -> StreamInfo:
            try:
                return await context.stream_info(self.name)
            except NotFoundError:
                return await context.add_stream(self._wanted())

        try:
            return await self._connection.ask(get)
        except APIError as error:
            raise LogUnreachable(f"NATS: {error}") from error

    async def identity(self) -> str:
        """Which stream it is: one made anew under the old name is another."""
        return _identity(await self._info())

    async def head(self) -> int:
        """The newest position; 0: nothing was ever sent."""
        return (await self._info()).state.last_seq

    async def first(self) -> int | None:
        """The oldest position that is kept, or None."""
        state = (await self._info()).state
        return state.first_seq if state.messages else None

    async def before(self, instant_ms: int) -> int:
        """The last position published before an instant, by halving."""
        low, high = 0, await self.head()
        while low < high:
            middle = (low + high) // 2
            follower = await self._next(middle, ">")
            if follower is None or follower[0] > high or follower[1] >= instant_ms:
                high = middle
            else:
                low = follower[0]
        return low

    async def sequence_at(self, position: int) -> int:
        """The publisher's own number of the event at a position; 0 when there is none."""
        found = await self._next(position - 1, ">") if position else None
        return found[2] if found else 0

    async def oldest_after(self, position: int, subjects: Sequence[str]) -> int | None:
        """When the first event above a position on any of the subjects was published."""
        found = [await self._next(position, subject) for subject in subjects]
        instants = [each[1] for each in found if each is not None]
        return min(instants, default=None)

    async def _next(self, position: int, subject: str) -> tuple[int, int, int] | None:
        """Position, instant and number of the first event above a position on a subject."""

        async def get(context: JetStreamContext) -> Any:
            return await context.get_msg(self.name, seq=position + 1, subject=subject, next=True)

        try:
            found = await self._connection.ask(get)
        except NotFoundError:
            return None
        except APIError as error:
            raise LogUnreachable(f"NATS: {error}") from error
        number = (found.headers or {}).get(SEQUENCE, "")
        item = carried(
            found.seq,
            found.data or b"",
            sequence=number,
            name="",
            now_ms=0,
            unreadable_id="",
        )
        return item.position, item.occurred_at_ms, item.sequence


def _identity(info: StreamInfo) -> str:
    return f"nats {info.config.name} {info.created}"
