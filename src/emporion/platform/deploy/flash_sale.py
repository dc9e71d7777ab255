"""A flash sale against autoscaling: a fluid queue, second by second.

Orders come as a flow; tasks work off what they can; the rest waits, and what has waited as long as
a deadline is refused. Scaling sees what CloudWatch sees: averages of a minute, a minute late, and
acts on three of them; new tasks take a while to start, and their slow start gives them their share
of requests little by little. Nothing here is random: the same sale gives the same curve.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60
DATAPOINTS: Final = 3
"""Minutes over the target before more tasks are asked for."""
CALM_MINUTES: Final = 15
"""Minutes below 90 % of the target before fewer are."""
METRIC_DELAY_S: Final = 60
START_S: Final = 45
SLOW_START_S: Final = 30
COOLDOWN_S: Final = 60
DEADLINE_S: Final = 10


@dataclass(frozen=True, slots=True)
class Sale:
    """What comes, in orders a second: before, at the peak, and when.

    Args:
        usual, peak: orders a second.
        starts_s, ramp_s: when it begins, and how long it takes to the peak.
        lasts_s: how long the peak lasts; it then ebbs away in twice the ramp.
        ends_s: when the simulation ends.
    """

    usual: float = 1_000.0
    peak: float = 10_000.0
    starts_s: int = 300
    ramp_s: int = 20
    lasts_s: int = 900
    ends_s: int = 2_700

    def arriving(self, now_s: int) -> float:
        """Orders in this second."""
        since = now_s - self.starts_s
        if since < 0:
            return self.usual
        after = since - self.ramp_s - self.lasts_s
        rising = min(1.0, since / self.ramp_s)
        falling = max(0.0, 1.0 - max(0, after) / (2 * self.ramp_s))
        return self.usual + (self.peak - self.usual) * min(rising, falling)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a service scales.

    Args:
        name: for the picture.
        task_orders_s: what one task takes when its CPU is full.
        tasks_min, tasks_max: bounds.
        cpu_target: percent.
        scheduled: tasks that run from `scheduled_at_s` on, because somebody knew; 0: none.
        scheduled_at_s: when they are asked for.
    """

    name: str
    task_orders_s: float
    tasks_min: int = 2
    tasks_max: int = 20
    cpu_target: float = 70.0
    scheduled: int = 0
    scheduled_at_s: int = 0


@dataclass(frozen=True, slots=True)
class Second:
    """One second of the sale: what came, was taken and refused; how long one waits; tasks."""

    arriving: float
    taken: float
    refused: float
    wait_s: float
    tasks: int


class _Service:
    """Tasks with the second in which each was started."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.started = [-10_000] * policy.tasks_min
        self.queue = 0.0
        self.minutes: list[float] = []
        self._busy: list[float] = []
        self._changed_s = -10_000

    def ready(self, now_s: int) -> float:
        """Tasks that take requests, those in their slow start in part."""
        ages = (now_s - started - START_S for started in self.started)
        return sum(min(1.0, max(0.0, age / SLOW_START_S)) for age in ages)

    def second(self, now_s: int, arriving: float) -> Second:
        capacity = self.ready(now_s) * self.policy.task_orders_s
        waiting = self.queue + arriving
        taken = min(waiting, capacity)
        self.queue = waiting - taken
        refused = max(0.0, self.queue - capacity * DEADLINE_S)
        self.queue -= refused
        self._busy.append(100.0 * taken / capacity)
        if len(self._busy) == MINUTE_S:
            self.minutes.append(sum(self._busy) / MINUTE_S)
            self._busy = []
            self._scale(now_s)
        return Second(arriving, taken, refused, self.queue / capacity, len(self.started))

    def _scale(self, now_s: int) -> None:
        """Target tracking, on what is known by now."""
        known = self.minutes[: -(METRIC_DELAY_S // MINUTE_S)]
        if len(known) < DATAPOINTS or now_s - self._changed_s < COOLDOWN_S:
            return
        target, now = self.policy.cpu_target, len(self.started)
        recent, calm = known[-DATAPOINTS:], known[-CALM_MINUTES:]
        if all(minute > target for minute in recent):
            wanted = math.ceil(now * recent[-1] / target)
        elif len(calm) == CALM_MINUTES and all(minute < 0.9 * target for minute in calm):
            wanted = math.ceil(now * max(calm) / target)
        else:
            return
        self.set_tasks(min(self.policy.tasks_max, wanted), now_s)

    def set_tasks(self, wanted: int, now_s: int) -> None:
        """Start some, or end the youngest."""
        wanted = max(wanted, self.policy.tasks_min)
        if self.policy.scheduled and now_s >= self.policy.scheduled_at_s:
            wanted = max(wanted, self.policy.scheduled)
        if wanted != len(self.started):
            new = wanted - len(self.started)
            self.started = [*self.started, *[now_s] * max(0, new)][:wanted]
            self._changed_s = now_s


def simulate(sale: Sale, policy: Policy) -> Sequence[Second]:
    """The sale, a Second for each second of it."""
    service = _Service(policy)
    found = []
    for now_s in range(sale.ends_s):
        if policy.scheduled and now_s == policy.scheduled_at_s:
            service.set_tasks(policy.scheduled, now_s)
        found.append(service.second(now_s, sale.arriving(now_s)))
    return found


def usual_policies(task_orders_s: float) -> Sequence[Policy]:
    """As the manifests say; with a low target; and with tasks that were asked for in time."""
    return (
        Policy("CPU 70 %, as in the manifest", task_orders_s),
        Policy("CPU 35 %: twice the tasks, always", task_orders_s, cpu_target=35.0, tasks_min=4),
        Policy(
            "CPU 70 %, and 16 tasks scheduled 5 minutes before",
            task_orders_s,
            scheduled=16,
            scheduled_at_s=0,
        ),
    )
