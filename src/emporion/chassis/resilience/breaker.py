"""A circuit breaker: stops asking a callee that does not answer, and probes whether it is back."""

from dataclasses import dataclass
from enum import StrEnum

from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import Unavailable


class CircuitOpen(Unavailable):
    """The callee failed again and again; it was not asked this time."""

    slug = "circuit-open"
    title = "Not available at the moment"


class BreakerState(StrEnum):
    """CLOSED lets calls pass, OPEN refuses them, HALF_OPEN lets one probe pass at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When a breaker opens, and for how long.

    Args:
        failures_min: failed calls within the window before it may open: enough that one order
            whose payment hangs, and is tried again and again, does not stop all others.
        failure_share: of the calls in the window that must have failed.
        window_s: how long the counts are kept.
        open_s, open_s_max: how long it stays open; doubles with each failed probe.
    """

    failures_min: int = 20
    failure_share: float = 0.5
    window_s: float = 10.0
    open_s: float = 2.0
    open_s_max: float = 30.0


class Breaker:
    """The breaker of one method of one callee, for one caller.

    While it is not `is_disturbed` (closed, no failure in memory), the caller need neither ask
    nor tell it anything but failures: the hot path is one attribute. Otherwise: `is_probe =
    admit()`, then exactly one of `succeeded`, `failed`, `forgotten` with it.
    """

    def __init__(self, name: str, runtime: Runtime, limits: BreakerLimits | None = None) -> None:
        self.name = name
        self.limits = limits or BreakerLimits()
        self.state = BreakerState.CLOSED
        self.is_disturbed = False
        self.opened = 0
        self._runtime = runtime
        self._failures = 0
        self._successes = 0
        self._window_end_s = 0.0
        self._open_until_s = 0.0
        self._open_for_s = self.limits.open_s
        self._is_probing = False

    def admit(self) -> bool:
        """Whether this call is a probe. Raises CircuitOpen when the callee is not to be asked."""
        if self.state is BreakerState.CLOSED:
            self._roll_window()
            return False
        if self.state is BreakerState.OPEN:
            if self._now_s() < self._open_until_s:
                raise CircuitOpen(f"{self.name} did not answer lately")
            self.state = BreakerState.HALF_OPEN
        if self._is_probing:
            raise CircuitOpen(f"{self.name} is being probed")
        self._is_probing = True
        return True

    def succeeded(self, *, is_probe: bool) -> None:
        """The callee answered (a refusal is an answer)."""
        if is_probe:
            self._close()
        elif self.state is BreakerState.CLOSED:
            self._successes += 1

    def failed(self, *, is_probe: bool) -> None:
        """The callee did not answer, or too late."""
        if is_probe:
            self._is_probing = False
            self._open_for_s = min(self._open_for_s * 2, self.limits.open_s_max)
            self._open()
            return
        if self.state is not BreakerState.CLOSED:
            return
        self._roll_window()
        if not self.is_disturbed:
            self.is_disturbed = True
            self._window_end_s = self._now_s() + self.limits.window_s
        self._failures += 1
        calls = self._failures + self._successes
        if (
            self._failures >= self.limits.failures_min
            and self._failures >= calls * self.limits.failure_share
        ):
            self._open()

    def forgotten(self, *, is_probe: bool) -> None:
        """The call ended without saying anything about the callee: its caller was cancelled."""
        if is_probe:
            self._is_probing = False

    def _open(self) -> None:
        self.state = BreakerState.OPEN
        self.is_disturbed = True
        self.opened += 1
        jitter = self._runtime.random.uniform(0.8, 1.2)
        self._open_until_s = self._now_s() + self._open_for_s * jitter

    def _close(self) -> None:
        self.state = BreakerState.CLOSED
        self.is_disturbed = False
        self._is_probing = False
        self._open_for_s = self.limits.open_s
        self._failures = self._successes = 0

    def _roll_window(self) -> None:
        if self.is_disturbed and self._now_s() >= self._window_end_s:
            self.is_disturbed = False
            self._failures = self._successes = 0

    def _now_s(self) -> float:
        return self._runtime.clock.monotonic_s()
