"""The caller's side of every call: deadline, retry budget, breaker, attempt, in that order."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from emporion.chassis.auth.identity import Identity
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call, current_call
from emporion.chassis.calls.wire import is_retried, mark_retried
from emporion.chassis.resilience.backoff import backoff_s
from emporion.chassis.resilience.breaker import Breaker, BreakerState, CircuitOpen
from emporion.chassis.resilience.budget import RetryBudget
from emporion.contracts.contract import Message, Request, Retry, Rpc, Service
from emporion.kernel.errors import DeadlineExceeded, EmporionError, Unavailable

Attempt = Callable[[Request, Call, str], Awaitable[Message]]
"""`await attempt(request, call, parent_span_id)`: carry one call over once."""
RETRIES_MAX = 3
NEEDED_S = 0.001
"""A call that has less time than this is not begun."""


class Target(Protocol):
    """Where calls of one method go; asked at the first call."""

    def resolve(self) -> Attempt:
        """The way to the callee. Raises Unavailable while there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Edge:
    """One caller's way to one method; the budget is shared by the methods of a callee."""

    identity: Identity
    budget: RetryBudget
    target: Target


class OutboundMethod:
    """One method of one callee as one service calls it."""

    __slots__ = (
        "attempt", "breaker", "budget", "child_of", "command", "identity", "may_repeat",
        "monotonic_s",
        "refusals", "resolve", "retries", "runtime", "service", "timeout_s",
    )  # fmt: skip

    def __init__(self, chain: Chain, service: str, rpc: Rpc, *, edge: Edge) -> None:
        metrics = chain.telemetry.metrics
        labels = {"service": service, "method": rpc.name, "caller": edge.identity.subject}
        self.service = service
        self.runtime = chain.runtime
        self.monotonic_s = chain.runtime.clock.monotonic_s
        self.child_of = chain.telemetry.child_of
        self.identity = edge.identity
        self.command = f"{service}.{rpc.name}"
        self.timeout_s = rpc.timeout_s
        self.may_repeat = rpc.retry is not Retry.NEVER
        self.budget = edge.budget
        self.breaker = Breaker(f"{service}.{rpc.name}", chain.runtime)
        self.resolve = edge.target.resolve
        self.attempt: Attempt = self._first_attempt
        self.retries = metrics.count("call_retries", "Attempts after the first.", **labels)
        self.refusals = metrics.count(
            "call_refusals", "Calls not begun: no time left, or circuit open.", **labels
        )
        metrics.gauge("circuit_open", "1 while the circuit is not closed.", self._is_open, **labels)

    async def call(self, request: Request) -> Message:
        """What the client object's method does. Raises what `calls.clients` promises."""
        parent = current_call()
        now_s = self.monotonic_s()
        deadline_s = now_s + self.timeout_s
        if parent.deadline_s < deadline_s:
            deadline_s = self._remaining(parent.deadline_s, now_s)
        self.budget.calls += 1
        breaker, trace = self.breaker, parent.trace
        retries = 0
        while True:
            is_probe = self._admit() if breaker.is_disturbed else False
            own = Call(self.identity, self.child_of(trace), deadline_s, self.command)
            try:
                reply = await self.attempt(request, own, trace.span_id)
            except EmporionError as error:
                retries += 1
                pause_s = self._pause_before(retries, error, deadline_s)
                if pause_s is None or is_probe:
                    # A call counts once, however often it was tried.
                    self._tell(error, deadline_s - now_s, is_probe=is_probe)
                if pause_s is None:
                    raise
            except asyncio.CancelledError:
                breaker.forgotten(is_probe=is_probe)
                raise
            else:
                if breaker.is_disturbed:
                    breaker.succeeded(is_probe=is_probe)
                return reply
            await self.runtime.tasks.sleep(pause_s)
            self.retries.add()

    async def _first_attempt(self, request: Request, call: Call, parent_id: str) -> Message:
        self.attempt = self.resolve()
        return await self.attempt(request, call, parent_id)

    def _remaining(self, deadline_s: float, now_s: float) -> float:
        if deadline_s - now_s < NEEDED_S:
            self.refusals.add()
            raise DeadlineExceeded(f"there was no time left to ask {self.service}")
        return deadline_s

    def _admit(self) -> bool:
        try:
            return self.breaker.admit()
        except CircuitOpen as error:
            self.refusals.add()
            mark_retried(error)
            raise

    def _pause_before(self, retry: int, error: EmporionError, deadline_s: float) -> float | None:
        """How long to wait before trying again; None when this error is the answer."""
        if not self.may_repeat or error.is_outcome_known or is_retried(error):
            return None
        pause_s = backoff_s(retry, self.runtime.random)
        is_in_time = self.monotonic_s() + pause_s + NEEDED_S < deadline_s
        if retry <= RETRIES_MAX and is_in_time and self.budget.take():
            return pause_s
        mark_retried(error)
        return None

    def _tell(self, error: EmporionError, time_s: float, *, is_probe: bool) -> None:
        """Tell the breaker. A deadline much shorter than the method's own proves nothing."""
        is_late = isinstance(error, DeadlineExceeded) and time_s * 2 >= self.timeout_s
        if is_late or isinstance(error, Unavailable):
            self.breaker.failed(is_probe=is_probe)
        elif isinstance(error, DeadlineExceeded):
            self.breaker.forgotten(is_probe=is_probe)
        elif self.breaker.is_disturbed:
            self.breaker.succeeded(is_probe=is_probe)

    def _is_open(self) -> float:
        return float(self.breaker.state is not BreakerState.CLOSED)


def client_object(contract: type[Service], methods: Mapping[str, OutboundMethod]) -> Service:
    """An object of that contract's type whose methods are the given ones."""
    kind: Any = type(f"{contract.__name__}Client", (contract,), {})
    client: Service = kind()
    vars(client).update({name: method.call for name, method in methods.items()})
    return client
