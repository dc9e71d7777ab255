"""Which instance of a service is asked next: the less busy of two, among those that answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import Unavailable

_log = logging.getLogger(__name__)


class Connected(Protocol):
    """A way to one instance, as the balancer needs it."""

    async def probe(self) -> bool:
        """Whether the instance takes calls now; raises nothing, takes a bounded time."""
        ...

    async def close(self) -> None:
        """Let calls under way finish, and end the connection."""
        ...


P = TypeVar("P", bound=Connected)


@dataclass(frozen=True, slots=True)
class EjectionLimits:
    """When an instance is left out, and for how long.

    Args:
        failures: calls in a row that were not answered (in time).
        share_max: of the instances that may be left out because they are slow or failing. One
            that cannot be reached at all is left out in any case.
        rest_s, rest_s_max: until it is probed; doubles with each probe that fails.
    """

    failures: int = 5
    share_max: float = 0.5
    rest_s: float = 0.5
    rest_s_max: float = 10.0


class Instance(Generic[P]):
    """One instance and what is known of it."""

    __slots__ = ("endpoint", "failures", "in_flight", "is_gone", "is_out", "peer", "probing")

    def __init__(self, endpoint: Endpoint, peer: P) -> None:
        self.endpoint = endpoint
        self.peer = peer
        self.in_flight = 0
        self.failures = 0
        self.is_out = False
        self.is_gone = False
        self.probing: asyncio.Task[None] | None = None


class Balancer(Generic[P]):
    """The instances of one service.

    Of two instances chosen by chance the one with fewer calls of ours under way is asked: that
    spreads load nearly as well as asking all, and never sends everybody to the same one. An
    instance that does not answer is left out until a probe finds it well again; while none is
    well, those that are not are asked all the same.
    """

    def __init__(
        self,
        service: str,
        runtime: Runtime,
        connect: Callable[[Endpoint], P],
        *,
        limits: EjectionLimits | None = None,
    ) -> None:
        self.service = service
        self.ejections = 0
        self._runtime = runtime
        self._connect = connect
        self._limits = limits or EjectionLimits()
        self._instances: dict[Endpoint, Instance[P]] = {}
        self._well: list[Instance[P]] = []

    @property
    def instances(self) -> Collection[Instance[P]]:
        """All instances that discovery names."""
        return self._instances.values()

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        """Follow discovery: connect to what is new, leave what is no longer named."""
        wanted = set(endpoints)
        for endpoint in [one for one in self._instances if one not in wanted]:
            self._drop(self._instances.pop(endpoint))
        for endpoint in wanted - self._instances.keys():
            self._instances[endpoint] = Instance(endpoint, self._connect(endpoint))
        self._sort()

    def pick(self, avoid: Collection[Instance[P]] = ()) -> Instance[P]:
        """The instance to ask. Raises Unavailable when there is none, or none is left."""
        choice = self._well
        if avoid or not choice:
            choice = [one for one in choice if one not in avoid] or [
                one for one in self._instances.values() if one not in avoid
            ]
            if not choice:
                raise Unavailable(f"no instance of {self.service} can be asked")
        count = len(choice)
        if count == 1:
            return choice[0]
        uniform = self._runtime.random.uniform
        first = int(uniform(0, count))
        second = int(uniform(0, count - 1))
        one, other = choice[first], choice[second + (second >= first)]
        return one if one.in_flight <= other.in_flight else other

    def succeeded(self, instance: Instance[P]) -> None:
        """It answered; a refusal is an answer."""
        instance.failures = 0

    def failed(self, instance: Instance[P]) -> None:
        """It did not answer, too late, or that it cannot."""
        instance.failures += 1
        out = sum(one.is_out for one in self._instances.values())
        is_one_too_many = out + 1 > len(self._instances) * self._limits.share_max
        if instance.failures >= self._limits.failures and not is_one_too_many:
            self.leave_out(instance, "it does not answer")

    def leave_out(self, instance: Instance[P], reason: str) -> None:
        """Send it no calls until a probe succeeds: it cannot be reached, or is about to stop."""
        if instance.is_out or instance.is_gone:
            return
        instance.is_out = True
        self.ejections += 1
        _log.info("%s at %s is left out: %s", self.service, instance.endpoint.address, reason)
        self._sort()
        name = f"probing {self.service} at {instance.endpoint.address}"
        instance.probing = self._runtime.tasks.spawn(name, self._readmit(instance))

    async def close(self) -> None:
        """Leave every instance."""
        instances = list(self._instances.values())
        self._instances.clear()
        self._sort()
        for instance in instances:
            _end_probing(instance)
        await asyncio.gather(*(instance.peer.close() for instance in instances))

    async def _readmit(self, instance: Instance[P]) -> None:
        rest_s = self._limits.rest_s
        while not instance.is_gone:
            jitter = self._runtime.random.uniform(0.8, 1.2)
            await self._runtime.tasks.sleep(rest_s * jitter)
            if await instance.peer.probe():
                instance.is_out, instance.failures, instance.probing = False, 0, None
                _log.info("%s at %s is asked again", self.service, instance.endpoint.address)
                self._sort()
                return
            rest_s = min(rest_s * 2, self._limits.rest_s_max)

    def _drop(self, instance: Instance[P]) -> None:
        _end_probing(instance)
        closing: Awaitable[None] = instance.peer.close()
        name = f"leaving {self.service} at {instance.endpoint.address}"
        _ = self._runtime.tasks.spawn(name, _awaited(closing))

    def _sort(self) -> None:
        self._well = [one for one in self._instances.values() if not one.is_out]


def _end_probing(instance: Instance[P]) -> None:
    instance.is_gone = True
    if instance.probing is not None:
        instance.probing.cancel()
        instance.probing = None


async def _awaited(work: Awaitable[None]) -> None:
    await work
