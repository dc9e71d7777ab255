"""Runs the alarms of a process, and ends them without cutting a run in two."""

import asyncio
import logging
from collections.abc import Iterable

from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime

_log = logging.getLogger(__name__)
GRACE_S = 5.0


class AlarmRunner:
    """A task for each alarm, from `start` to `stop`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._serving: dict[asyncio.Task[None], Alarm] = {}

    def start(self, alarms: Iterable[Alarm]) -> None:
        """Begin to serve these too."""
        for alarm in alarms:
            task = self._runtime.tasks.spawn(f"alarm {alarm.name}", alarm.serve())
            self._serving[task] = alarm

    async def stop(self, *, grace_s: float = GRACE_S) -> None:
        """Let runs under way finish for `grace_s`, then cancel them: their work stays due."""
        serving, self._serving = self._serving, {}
        for alarm in serving.values():
            alarm.close()
        if not serving:
            return
        _, late = await asyncio.wait(serving, timeout=grace_s)
        for task in late:
            _log.warning("%s did not end in time", task.get_name())
            task.cancel("the process stops")
        if late:
            await asyncio.wait(late, timeout=grace_s)
