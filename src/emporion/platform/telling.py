"""What a process tells about itself, as its settings want it: telemetry and logs."""

import logging

from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.logs import JsonLogs, install
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.platform.settings import Settings, TraceForm


def process_telemetry(
    settings: Settings, runtime: Runtime, *, service: str = "emporion"
) -> Telemetry:
    """The telemetry of this process, and its logs from now on: one JSON object a line."""
    is_xray = settings.trace_ids is TraceForm.XRAY
    telemetry = Telemetry(
        runtime, is_strict=False, traces_per_s=settings.traces_per_s, is_xray=is_xray
    )
    logs = JsonLogs(telemetry.guard, service=service, is_xray=is_xray)
    install(logs, level=logging.getLevelNamesMapping()[settings.log_level])
    return telemetry
