"""Faults on purpose: switched on here, with the map beside them to watch the shop survive."""

from typing import Any, Final

from emporion.chassis.http.exchange import Response
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_faults import (
    ClearFault,
    FaultError,
    FaultKind,
    ListFaults,
    SwitchFaultOn,
)
from emporion.contracts.operations_telemetry import ServiceMapOf
from emporion.kernel.errors import InvalidArgument
from emporion.web.console.section import Section
from emporion.web.console.service_map import picture_of
from emporion.web.forms import message
from emporion.web.visit import Visit

HERE: Final = "/console/faults"
WINDOW_S: Final = 15
"""Of the map: long enough to count calls, short enough to see that a service is well again."""
KINDS: Final = (
    (FaultKind.LATENCY.value, "Late"),
    (FaultKind.ERRORS.value, "Failing"),
    (FaultKind.HANG.value, "Hung"),
    (FaultKind.CRASH.value, "Crashed"),
)
ERRORS: Final = tuple((each.value, each.value.replace("-", " ")) for each in FaultError)
DURATIONS: Final = ((30, "30 seconds"), (60, "a minute"), (300, "5 minutes"), (600, "10 minutes"))
START: Final = {
    "service": "email",
    "kind": FaultKind.LATENCY.value,
    "latency_ms": "1000",
    "jitter_ms": "0",
    "share_percent": "100",
    "error": FaultError.UNAVAILABLE.value,
    "duration_s": "60",
    "reason": "",
}
"""What the form asks for, and says at first."""


async def faults(visit: Visit) -> Response:
    """The page; `service` of the address is chosen in the form."""
    return await _page(visit, {**START, "service": visit.query.text("service") or START["service"]})


async def faults_now(visit: Visit) -> Response:
    """What is on, and the map."""
    return visit.part("faults_now.html", **await _now(visit))


async def switch_on(visit: Visit) -> Response:
    """Take the form; shown again when something in it cannot be."""
    values = {name: visit.form.text(name) for name in START}
    try:
        request = message(SwitchFaultOn, **values)
    except InvalidArgument as error:
        return await _page(visit, values, error)
    await visit.ask(OperationsService).switch_fault_on(request)
    return visit.redirect(HERE)


async def clear(visit: Visit) -> Response:
    """End the fault of a service."""
    request = message(ClearFault, service=visit.path["service"])
    await visit.ask(OperationsService).clear_fault(request)
    return visit.redirect(HERE)


async def _page(
    visit: Visit, values: dict[str, str], error: InvalidArgument | None = None
) -> Response:
    return await visit.show(
        "faults.html",
        400 if error else 200,
        values=values,
        error=error,
        kinds=KINDS,
        errors=ERRORS,
        durations=DURATIONS,
        **await _now(visit),
    )


async def _now(visit: Visit) -> dict[str, Any]:
    operations = visit.ask(OperationsService)
    found = await operations.list_faults(ListFaults())
    told = await operations.service_map(ServiceMapOf(window_s=WINDOW_S))
    return {
        "found": found,
        "picture": picture_of(told),
        "missing_now": sorted({*found.missing, *told.missing}),
    }


SECTION: Final = Section(
    "Faults",
    pages={"": faults, "/now": faults_now},
    forms={"/on": switch_on, "/{service}/clear": clear},
)
