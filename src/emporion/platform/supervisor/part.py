"""What the supervisor asks of a part of the shop, and how a start can fail."""

from typing import Protocol, runtime_checkable

from emporion.kernel.errors import FailedPrecondition, Unavailable
from emporion.platform.supervisor.child import Command


class EngineMissing(FailedPrecondition):
    """A server that the topology needs is not installed."""

    slug = "engine-missing"
    title = "An engine is not installed"


class StartFailed(Unavailable):
    """A part of the shop did not come up; everything started before it was stopped again."""

    slug = "start-failed"
    title = "The shop did not start"


class NotReady(Unavailable):
    """A part runs, but does not answer yet."""

    slug = "not-ready"
    title = "Not ready yet"


class Part(Protocol):
    """A program of the shop: an engine, a service process, the edge."""

    @property
    def name(self) -> str:
        """For people, and of its log and pid file."""
        ...

    @property
    def ready_timeout_s(self) -> float:
        """How long a start may take."""
        ...

    async def prepare(self) -> Command:
        """Before every start: files it needs, and how it is run.

        Raises EngineMissing, StartFailed or OSError.
        """
        ...

    async def probe(self) -> None:
        """Ask it as its clients will. Raises NotReady while it does not answer rightly.

        Raises StartFailed when waiting longer cannot help.
        """
        ...

    async def furnish(self) -> None:
        """After every start, once it is ready: databases, users. Safe to repeat.

        Raises StartFailed.
        """
        ...

    async def drain(self) -> None:
        """Before it is asked to end for good: no new work, what is under way is finished.

        Raises nothing; may take long: the caller bounds it.
        """
        ...

    def ended(self) -> None:
        """After every end, wanted or not: what it has said of itself holds no longer."""
        ...


@runtime_checkable
class Curable(Protocol):
    """A part that can fall ill while it runs, in a way that only a new start mends."""

    async def ailment(self) -> str:
        """What is wrong with it that a new start would mend now; empty: nothing, or unknown.

        Asked while it runs. Raises nothing; the caller bounds its time.
        """
        ...
