"""Switches faults on in the services of this process, ends them, and says so in log and deeds."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec.structs import replace

from emporion.chassis.data.database import Database
from emporion.chassis.data.deeds import Deed, Deeds
from emporion.chassis.resilience import faults as chassis
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.contract import Empty
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_faults import (
    ClearFault,
    FaultError,
    FaultKind,
    FaultList,
    FaultsNotAllowed,
    FaultsOfShop,
    FaultStanding,
    ListFaults,
    SwitchFaultOn,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import (
    DeadlineExceeded,
    EmporionError,
    Internal,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from emporion.platform.desk.telling import deed_by, record

ERRORS: Final[Mapping[FaultError, type[EmporionError]]] = {
    FaultError.UNAVAILABLE: Unavailable,
    FaultError.DEADLINE_EXCEEDED: DeadlineExceeded,
    FaultError.RESOURCE_EXHAUSTED: ResourceExhausted,
    FaultError.INTERNAL: Internal,
}
HOW_TO_ALLOW: Final = (
    "this shop was started without them: start it with --allow-faults, with "
    "EMPORION_ALLOW_FAULTS=true, or with `faults: on` in its topology"
)
LAST_WORDS_S: Final = 0.25
"""Between the answer to whoever switches a crash on and the end of the process."""


class Sufferers(Protocol):
    """The services of this process, as faults meet them."""

    @property
    def databases(self) -> Mapping[str, Database]:
        """Where the deeds of each are kept."""
        ...

    def suffer(self, service: str, fault: chassis.Fault | None) -> None:
        """Let one of them meet a fault until it is None."""
        ...


@dataclass(frozen=True, slots=True)
class _On:
    fault: chassis.Fault
    standing: FaultStanding
    until_s: float
    ending: asyncio.Task[None]


class FaultDesk(FaultsOfShop):
    """The contract, of the services here.

    Args:
        sufferers: the services.
        process: its name in the shop.
        is_allowed: whether faults may be switched on.
        die: ends this process at once, for somebody else to start it again; None: nobody would.
    """

    NAME = OperationsService.NAME

    def __init__(
        self,
        sufferers: Sufferers,
        runtime: Runtime,
        *,
        process: str,
        is_allowed: bool,
        die: Callable[[], None] | None = None,
    ) -> None:
        self._sufferers = sufferers
        self._runtime = runtime
        self._process = process
        self._is_allowed = is_allowed
        self._die = die
        self._on: dict[str, _On] = {}

    @property
    def count(self) -> int:
        """How many are on."""
        return len(self._on)

    async def list_faults(self, request: ListFaults) -> FaultList:
        """See FaultsOfShop."""
        now_s = self._runtime.clock.monotonic_s()
        return FaultList(
            is_allowed=self._is_allowed,
            services=sorted(self._sufferers.databases),
            faults=[_left(on, now_s) for _, on in sorted(self._on.items())],
        )

    async def switch_fault_on(self, request: SwitchFaultOn) -> FaultStanding:
        """See FaultsOfShop."""
        service, what = request.service, f"the fault {request.kind.value!r}"
        self._require(service)
        if not self._is_allowed:
            raise FaultsNotAllowed(HOW_TO_ALLOW)
        standing = self._standing(request, deed := self._deed("switch on", request))
        await Deeds(self._sufferers.databases[service]).write(deed)
        self._end(service)
        self._begin(request, standing)
        record(f"{what} is on in {service} for {request.duration_s} s")
        if request.kind is FaultKind.CRASH and self._dies(service):
            _ = self._runtime.tasks.spawn(f"crash of {service}", self._crash())
        return standing

    async def clear_fault(self, request: ClearFault) -> Empty:
        """See FaultsOfShop."""
        service = request.service
        self._require(service)
        if service in self._on:
            await Deeds(self._sufferers.databases[service]).write(self._deed("clear", request))
        if self._end(service):
            record(f"the fault in {service} is cleared")
        return Empty()

    def end_all(self) -> None:
        """Before the process ends: what waits for them goes on."""
        for service in tuple(self._on):
            _ = self._end(service)

    def _begin(self, request: SwitchFaultOn, standing: FaultStanding) -> None:
        service, duration_s = request.service, request.duration_s
        fault = chassis.Fault(_plan(request), service, self._runtime)
        until_s = self._runtime.clock.monotonic_s() + duration_s
        ending = self._runtime.tasks.spawn(f"fault of {service}", self._ended(service, duration_s))
        self._on[service] = _On(fault, standing, until_s, ending)
        self._sufferers.suffer(service, fault)

    def _end(self, service: str) -> bool:
        """End the fault of a service; whether it had one."""
        on = self._on.pop(service, None)
        if on is None:
            return False
        on.ending.cancel()
        self._sufferers.suffer(service, None)
        on.fault.end()
        return True

    async def _ended(self, service: str, duration_s: int) -> None:
        await self._runtime.tasks.sleep(duration_s)
        _ = self._end(service)
        record(f"the fault in {service} is over: its time is up")

    async def _crash(self) -> None:
        await self._runtime.tasks.sleep(LAST_WORDS_S)
        if self._die is not None:
            self._die()

    def _dies(self, service: str) -> bool:
        """Whether a crash of the service ends this process: it holds nothing else."""
        return self._die is not None and list(self._sufferers.databases) == [service]

    def _require(self, service: str) -> None:
        held = self._sufferers.databases
        if service not in held:
            raise NotFound(f"there is no service {service!r}; there are {', '.join(sorted(held))}")

    def _deed(self, action: str, request: SwitchFaultOn | ClearFault) -> Deed:
        detail = f"in {self._process}"
        if isinstance(request, SwitchFaultOn):
            detail = f"{request.kind.value} for {request.duration_s} s {detail}"
        subject = f"fault of {request.service}"
        return deed_by(self._runtime, request, action=action, subject=subject, detail=detail)

    def _standing(self, request: SwitchFaultOn, deed: Deed) -> FaultStanding:
        return FaultStanding(
            service=request.service,
            kind=request.kind,
            latency_ms=request.latency_ms,
            jitter_ms=request.jitter_ms,
            share_percent=request.share_percent,
            error=request.error,
            effect=self._effect(request),
            actor=deed.actor,
            reason=request.reason,
            since=to_datetime(deed.at_ms),
            until=to_datetime(deed.at_ms + request.duration_s * 1_000),
            left_s=float(request.duration_s),
            processes=[self._process],
        )

    def _effect(self, request: SwitchFaultOn) -> str:
        share = f"{request.share_percent} % of its calls and"
        match request.kind:
            case FaultKind.LATENCY:
                least, most = request.latency_ms, request.latency_ms + request.jitter_ms
                late = f"{least} ms" if least == most else f"{least} to {most} ms"
                return f"{share} batches of events are {late} late"
            case FaultKind.ERRORS:
                return f"{share} reactions to events fail: {request.error.value}"
            case FaultKind.HANG:
                return "it answers nothing and does nothing"
            case FaultKind.CRASH if self._dies(request.service):
                return "its process is killed now, once; whoever keeps it starts it again"
            case FaultKind.CRASH:
                return "its calls fail and it does nothing; its process holds others and runs on"


def _plan(request: SwitchFaultOn) -> chassis.FaultPlan:
    return chassis.FaultPlan(
        kind=chassis.FaultKind(request.kind.value),
        latency_s=request.latency_ms / 1_000,
        jitter_s=request.jitter_ms / 1_000,
        share=request.share_percent / 100,
        error=ERRORS[request.error],
    )


def _left(on: _On, now_s: float) -> FaultStanding:
    return replace(on.standing, left_s=round(max(0.0, on.until_s - now_s), 1))
