"""The port of discovery: the instances of a service now, and whenever they change."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from emporion.chassis.runtime.ports import Tasks
from emporion.kernel.errors import EmporionError


class Endpoint(msgspec.Struct, frozen=True, gc=False, order=True):
    """Where one instance listens; `instance_id` tells it from one that took its place."""

    host: str
    port: int
    instance_id: str = ""

    @property
    def address(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Resolver(Protocol):
    """Knows where services are."""

    async def endpoints(self, service: str) -> Sequence[Endpoint]:
        """The instances of a service that are thought to be healthy; none when there is none.

        Raises Unavailable when it cannot be found out now.
        """
        ...

    def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        """The instances now, and again each time they have changed; never ends by itself.

        Raises nothing: while they cannot be found out, the last ones stand.
        """
        ...


async def polled(
    look: Callable[[], Awaitable[Sequence[Endpoint]]],
    tasks: Tasks,
    *,
    interval_s: Callable[[], float],
    warn: Callable[[EmporionError], None],
) -> AsyncIterator[Sequence[Endpoint]]:
    """`Resolver.changes` for what can only be asked: told when it differs from what was told.

    The order of the instances does not count. `interval_s` is asked after each look; `warn` is
    told of a failed one, once until the next that succeeds.
    """
    known: list[Endpoint] | None = None
    is_failing = False
    while True:
        try:
            found = sorted(await look())
        except EmporionError as error:
            if not is_failing:
                warn(error)
            is_failing = True
        else:
            is_failing = False
            if found != known:
                known = found
                yield found
        await tasks.sleep(interval_s())
