"""When a failed reaction is tried again, and when it becomes a dead letter: arithmetic only."""

from dataclasses import dataclass

from emporion.kernel.ids import Randomness

DOUBLINGS_MAX = 40


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter, for days.

    Args:
        first_s: the pause after the first failure; it doubles with each further one.
        max_s: the longest pause.
        give_up_after_s: an event that still fails this long after its first failure is dead.
    """

    first_s: float = 1.0
    max_s: float = 3_600.0
    give_up_after_s: float = 3 * 86_400.0

    def pause_ms(self, attempts: int, random: Randomness) -> int:
        """How long to wait after the `attempts`-th failure: half fixed, half by chance."""
        doublings = min(max(attempts - 1, 0), DOUBLINGS_MAX)
        pause_s = min(self.first_s * 2.0**doublings, self.max_s)
        return round(pause_s * random.uniform(0.5, 1.0) * 1000)

    def is_over(self, *, first_failed_at_ms: int, now_ms: int) -> bool:
        """Whether an event that fails now has failed for long enough."""
        return now_ms - first_failed_at_ms >= self.give_up_after_s * 1000


@dataclass(frozen=True, slots=True)
class BusConfig:
    """The bounds of the bus.

    Args:
        batch_max: events delivered in one transaction of the subscriber, 1..256. A batch holds
            the subscriber's only writer and the interpreter: larger is cheaper per event, and
            slower for whoever waits meanwhile. Measured: 128 take 5 ms, orders are as many as
            with 256 and the slowest percent wait 37 ms instead of 44.
        linger_s: the least time between two batches of a publisher's events, unless they are
            full: a commit costs as much as forty reactions, so few large batches leave the core
            to the orders. The first event after a quiet time does not wait. 0: never wait.
        reaction_timeout_s: how long a batch may take before it is given up, delivered one by one
            and, at last, the event that hangs is set aside.
        retry: backoff and give-up time of events that fail.
        failures_in_a_row_max: after so many failures with no success between, the subscriber
            itself counts as broken: its events stay in the log, and one is tried after each
            pause of `broken_pause_s_max` at most. So neither the table of parked events nor the
            retries of a broken subscriber grow without bound.
        broken_pause_s_max: see above; the pauses double from a second.
        buffer_max: events of a publisher kept in memory, decoded, for all its subscribers.
        skip_max: a cursor is stored at the latest when so many unwanted events were skipped.
        sweep_s: the least time between two fallback looks at everything; jittered up to twice.
        retention_s: how long events are kept for replay; None: for ever.
    """

    batch_max: int = 128
    linger_s: float = 0.25
    reaction_timeout_s: float = 10.0
    retry: RetryPolicy = RetryPolicy()
    failures_in_a_row_max: int = 32
    broken_pause_s_max: float = 60.0
    buffer_max: int = 2_048
    skip_max: int = 1_024
    sweep_s: float = 30.0
    retention_s: float | None = None
