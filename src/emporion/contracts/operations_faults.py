"""Faults that operators switch on to watch the shop survive: messages of `contracts.operations`."""

from enum import StrEnum
from typing import Annotated, Protocol

from msgspec import Meta, field

from emporion.contracts.contract import (
    Empty,
    Message,
    Reply,
    Request,
    Service,
    command,
    delete,
    get,
    put,
    query,
    staff,
)
from emporion.contracts.operations_desk import SPEAKER, ServiceName
from emporion.contracts.words import Instant, ReadableNote
from emporion.kernel.errors import FailedPrecondition, NotFound

DURATION_S_MAX = 600
LATENCY_MS_MAX = 30_000
_WRITE = staff("faults:write")


class FaultsNotAllowed(FailedPrecondition):
    """This shop was not started as one in which faults may be switched on."""

    slug = "faults-not-allowed"
    title = "Faults are not allowed in this shop"


class FaultKind(StrEnum):
    """What is wrong with a service: it is late, fails, answers nothing, or is not there."""

    LATENCY = "latency"
    ERRORS = "errors"
    HANG = "hang"
    CRASH = "crash"


class FaultError(StrEnum):
    """What failing calls fail with."""

    UNAVAILABLE = "unavailable"
    DEADLINE_EXCEEDED = "deadline-exceeded"
    RESOURCE_EXHAUSTED = "resource-exhausted"
    INTERNAL = "internal"


class ListFaults(Request, frozen=True, kw_only=True):
    """Every fault that is on."""


class FaultStanding(Message, frozen=True, kw_only=True):
    """A fault that is on.

    Args:
        latency_ms, jitter_ms: how much later everything is, and by up to how much more.
        share_percent: of the calls and reactions it meets.
        error: what those fail with.
        effect: what it does there, as a sentence.
        actor, reason: who switched it on, and why.
        left_s: seconds until it ends by itself.
        processes: where it is on.
    """

    service: str
    kind: FaultKind
    latency_ms: int
    jitter_ms: int
    share_percent: int
    error: FaultError
    effect: str
    actor: str
    reason: str
    since: Instant
    until: Instant
    left_s: float
    processes: list[str]


class FaultList(Reply, frozen=True, kw_only=True):
    """The faults that are on.

    Args:
        is_allowed: whether faults may be switched on in this shop.
        services: those that can have one.
        missing: processes that did not answer.
    """

    is_allowed: bool
    services: list[str]
    faults: list[FaultStanding]
    missing: list[str] = field(default_factory=list)


class SwitchFaultOn(Request, frozen=True, kw_only=True):
    """Which fault in which service, for how long, and why: the reason is kept with the deed.

    Args:
        latency_ms, jitter_ms: read for `latency` only.
        share_percent: read for `latency` and `errors`.
        error: read for `errors`.
    """

    service: ServiceName
    kind: FaultKind
    latency_ms: Annotated[int, Meta(ge=1, le=LATENCY_MS_MAX)] = 1_000
    jitter_ms: Annotated[int, Meta(ge=0, le=LATENCY_MS_MAX)] = 0
    share_percent: Annotated[int, Meta(ge=1, le=100)] = 100
    error: FaultError = FaultError.UNAVAILABLE
    duration_s: Annotated[int, Meta(ge=1, le=DURATION_S_MAX)] = 60
    reason: ReadableNote = ""
    speaks_for: SPEAKER = ""


class ClearFault(Request, frozen=True, kw_only=True):
    """Of which service, and why."""

    service: ServiceName
    reason: ReadableNote = ""
    speaks_for: SPEAKER = ""


class FaultsOfShop(Service, Protocol):
    """Faults on purpose: to see what the shop does without one of its parts."""

    @query(access=staff("operations:read"), rest=get("/api/operations/faults"))
    async def list_faults(self, request: ListFaults) -> FaultList:
        """The faults that are on, and whether any may be."""

    @command(
        access=_WRITE,
        key="service",
        rest=put("/api/operations/faults/{service}"),
        raises=(NotFound, FaultsNotAllowed),
    )
    async def switch_fault_on(self, request: SwitchFaultOn) -> FaultStanding:
        """Let a service suffer a fault, instead of the one it may have, until it ends by itself.

        In every process that holds the service. A crash ends processes that hold nothing else;
        in any other the service is as if it were gone. Safe to repeat: the time begins anew.
        Raises NotFound when there is no such service, or FaultsNotAllowed.
        """

    @command(
        access=_WRITE,
        key="service",
        rest=delete("/api/operations/faults/{service}"),
        raises=(NotFound,),
    )
    async def clear_fault(self, request: ClearFault) -> Empty:
        """End the fault of a service now, if it has one. Safe to repeat. Raises NotFound."""
