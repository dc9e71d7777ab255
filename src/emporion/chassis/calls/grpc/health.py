"""The standard gRPC health service, answering from the probes of readiness."""

from collections.abc import Mapping
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthServicer

from emporion.chassis.http.health import Health, examine
from emporion.chassis.runtime.ports import Runtime

SERVICE: Final = "grpc.health.v1.Health"
WATCH_S: Final = 1.0
"""How often the probes are asked for a watcher; each keeps its answer for as long."""
WATCHERS_MAX: Final = 100
_forms: Any = health_pb2
"""Its type stubs do not know the method List yet."""
_SERVING: Final[int] = _forms.HealthCheckResponse.SERVING
_NOT_SERVING: Final[int] = _forms.HealthCheckResponse.NOT_SERVING
_UNKNOWN: Final[int] = _forms.HealthCheckResponse.SERVICE_UNKNOWN


class ProbedHealth(HealthServicer):
    """SERVING while the probes of a service pass and the process takes traffic.

    Args:
        health: the probes, by the short name of their service (`order`).
        names: the short name of each service by its full one; both may be asked for, and the
            empty name asks for the whole process.
    """

    def __init__(self, health: Health, names: Mapping[str, str], runtime: Runtime) -> None:
        self._health = health
        self._names = {**names, **{name: name for name in names.values()}}
        self._tasks = runtime.tasks
        self._watchers = 0
        self.is_draining = False

    async def Check(  # noqa: N802 - gRPC's name
        self, request: Any, context: Any
    ) -> Any:
        """The status of one service, or of the process. NOT_FOUND for an unknown one."""
        status = await self._status(request.service)
        if status == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service here")
        return _forms.HealthCheckResponse(status=status)

    async def List(  # noqa: N802 - gRPC's name
        self, request: Any, context: Any
    ) -> Any:
        """The status of every service by its full name, and of the process under no name."""
        response = _forms.HealthListResponse()
        for name in ("", *(name for name in self._names if "." in name)):
            response.statuses[name].status = await self._status(name)
        return response

    async def Watch(  # noqa: N802 - gRPC's name
        self, request: Any, context: Any
    ) -> None:
        """The status now, and each time it changes."""
        if self._watchers >= WATCHERS_MAX:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many watchers")
        self._watchers += 1
        told: int | None = None
        try:
            while True:
                is_last = self.is_draining
                status = await self._status(request.service)
                if status != told:
                    await context.write(_forms.HealthCheckResponse(status=status))
                    told = status
                if is_last:
                    return
                await self._tasks.sleep(WATCH_S)
        finally:
            self._watchers -= 1

    async def _status(self, name: str) -> int:
        known = self._names.get(name)
        if name and known is None:
            return _UNKNOWN
        if self.is_draining or self._health.closed():
            return _NOT_SERVING
        ready = self._health.ready
        probes = ready if known is None else {known: ready.get(known, {})}
        found = await examine(probes)
        is_ready = all(checked.is_ok for checks in found.values() for checked in checks.values())
        return _SERVING if is_ready else _NOT_SERVING
