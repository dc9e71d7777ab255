"""The port of a log: what a pump reads a publisher's events from, by position, in order per key."""

from collections.abc import Sequence
from typing import Protocol

from emporion.chassis.events.reactions import Item
from emporion.kernel.errors import Unavailable


class LogUnreachable(Unavailable):
    """The log cannot be read now. Nothing is lost: what it holds is delivered later."""

    slug = "log-unreachable"


class Log(Protocol):
    """The events of one publisher, as one subscriber is to get them.

    A position never goes back while the identity stays; a subscriber stores how far it came in
    the transaction of its reactions, and that alone decides where it goes on.
    """

    @property
    def source(self) -> str:
        """The publisher's name."""
        ...

    async def identity(self) -> str:
        """What positions count in. When it changes they start anew. Raises LogUnreachable."""
        ...

    def ring(self) -> None:
        """There may be more than was seen. Cheap; does no I/O."""
        ...

    async def after(self, position: int, limit: int) -> Sequence[Item]:
        """Up to `limit` events that follow `position`, oldest first; empty only at the end.

        Raises LogUnreachable, or what Database.read raises.
        """
        ...

    @property
    def has_more(self) -> bool:
        """Whether there may be more although the last `after` gave fewer than it might."""
        ...

    def passed(self, position: int) -> None:
        """Everything up to `position` was taken over by the subscriber's database."""
        ...

    async def head(self) -> int:
        """The newest position; 0 when there is none. Raises as `after`."""
        ...

    async def before(self, instant_ms: int) -> int:
        """The last position published before `instant_ms`; 0: none. Raises as `after`."""
        ...

    def forget(self) -> None:
        """Empty the memory: the log is not the one that was read, or is to be read again."""
        ...
