"""The port of a broker: takes a publisher's events, and gives each subscriber its log of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from emporion.chassis.events.bus import Features
from emporion.chassis.events.log import Log
from emporion.chassis.events.tables import Row
from emporion.kernel.errors import FailedPrecondition, InvalidArgument


class MessageRefused(InvalidArgument):
    """The broker will never take this event as it is: too large, or not allowed."""

    slug = "message-refused"


class PublisherElsewhere(FailedPrecondition):
    """This broker keeps no history: the process with the publisher's outbox must do it."""

    slug = "publisher-elsewhere"


@dataclass(frozen=True, slots=True)
class Link:
    """Who is to get what: the events of these names, from one publisher to one subscriber."""

    source: str
    subscriber: str
    names: Sequence[str]


class Waiting(NamedTuple):
    """How many events of a link are to come, and when the first was published (ms), if known."""

    number: int
    oldest_at_ms: int | None


class Subscribed(Log, Protocol):
    """A subscriber's log at a broker.

    Only one instance of a subscriber reads it at a time; the bus's lease sees to it.
    """

    async def listen(self, on_news: Callable[[], None]) -> None:
        """From now on fetch ahead, and say so when something came or the broker is back.

        Does not raise: a broker that is away is waited for.
        """
        ...

    async def close(self) -> None:
        """Stop listening; what was fetched and not passed is delivered again to whoever reads."""
        ...

    async def waiting(self, position: int) -> Waiting:
        """What follows `position`, without touching the one who reads. Raises LogUnreachable."""
        ...


@runtime_checkable
class Rewindable(Protocol):
    """A log that keeps what was read, so that one can go back in it."""

    async def first(self) -> int | None:
        """The oldest position that is kept; None: there is none. Raises LogUnreachable."""
        ...

    async def before(self, instant_ms: int) -> int:
        """The last position published before `instant_ms`; 0: none. Raises LogUnreachable."""
        ...

    async def sequence_at(self, position: int) -> int:
        """The publisher's own number of the event at a position. Raises LogUnreachable."""
        ...


@runtime_checkable
class Refillable(Protocol):
    """A log that is empty once it was read, and takes events again from their publisher."""

    async def send(self, rows: Sequence[Row], *, occasion: str) -> None:
        """Put events into this log alone, in order; safe to repeat for the same occasion.

        Raises LogUnreachable.
        """
        ...


class Broker(Protocol):
    """A broker, as one process is connected to it."""

    @property
    def features(self) -> Features:
        """What it can do."""
        ...

    async def open(self) -> None:
        """Begin to connect, and stay connected. Does not raise when the broker is away."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...

    async def declare(self, source: str) -> str:
        """Make what keeps a publisher's events, if it is not there; its identity.

        A new identity means that nothing that was sent is there. Raises Unavailable.
        """
        ...

    async def send(self, source: str, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """Send events, all at once; None for each that the broker acknowledged.

        No two of them have a key in common. For the others: MessageRefused, or Unavailable when
        it is not known whether the broker has it. Sending an event again is recognised for a
        while; the inbox recognises it for good.
        """
        ...

    def subscribed(self, link: Link) -> Subscribed:
        """The log of a link. Connects to nothing."""
        ...

    def on_up(self, call: Callable[[], None]) -> None:
        """Call this whenever the broker came back."""
        ...
