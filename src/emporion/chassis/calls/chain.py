"""What all calls of one process share: time, telemetry, the deadline wheel, the limit at the door.

Outbound, in this order: deadline (own and remaining; refuse what cannot finish) -> retry budget ->
breaker -> attempt. Inbound: deadline already passed? -> limit and shedding -> access ->
validation -> the service's method.
"""

from dataclasses import dataclass, field

from emporion.chassis.resilience.limiter import AdaptiveLimiter
from emporion.chassis.resilience.wheel import DeadlineWheel
from emporion.chassis.runtime.lag import LoopLag
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Chain:
    """The shared parts; make one a process with `Chain.of(runtime, telemetry)`."""

    runtime: Runtime
    telemetry: Telemetry
    wheel: DeadlineWheel
    limiter: AdaptiveLimiter = field(default_factory=AdaptiveLimiter)
    has_convoys: bool = False
    """Whether keyed commands set out together; see `convoys.py`."""

    @classmethod
    def of(
        cls,
        runtime: Runtime,
        telemetry: Telemetry,
        *,
        limiter: AdaptiveLimiter | None = None,
        has_convoys: bool = False,
    ) -> "Chain":
        """A chain whose gauges are in the process's metrics."""
        held = limiter or AdaptiveLimiter()
        chain = cls(runtime, telemetry, DeadlineWheel(runtime), held, has_convoys)
        gauge = telemetry.metrics.gauge
        gauge("edge_calls_limit", "Calls admitted at once.", lambda: held.limit)
        gauge("edge_calls_in_flight", "Calls under way at the edge.", lambda: held.in_flight)
        gauge("edge_calls_shed", "Calls refused under load so far.", lambda: held.shed)
        gauge("calls_in_flight", "Calls under way.", lambda: len(chain.wheel.flights))
        return chain

    def follow(self, lag: LoopLag) -> None:
        """Let the loop's lag steer the limit, and show it in the metrics."""
        lag.listeners.append(self.limiter.adjust)
        gauge = self.telemetry.metrics.gauge
        gauge("loop_lag_seconds", "How late the event loop turned last.", lambda: lag.lag_s)
        gauge("loop_lag_max_seconds", "The latest it ever turned.", lambda: lag.lag_s_max)
