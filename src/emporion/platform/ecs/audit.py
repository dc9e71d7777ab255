"""Audits the whole shop from a task of its own, and tells CloudWatch how it ended."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from emporion.platform.audit.look import Report
from emporion.platform.audit.run import audit_folder
from emporion.platform.data_folder import DataFolder
from emporion.platform.ecs.held import held_service
from emporion.platform.ecs.secrets import Secrets
from emporion.platform.ecs.told import AUDIT, AuditTold, read_told
from emporion.platform.reading.processes import RUN
from emporion.platform.telling.export.emf import embedded
from emporion.platform.topology.process_file import write_privately

WAIT_S: Final = 60.0
"""So long it looks again, before what it found is no order in flight."""


async def audit_task(
    environ: Mapping[str, str] = os.environ,
    *,
    now_ms: Callable[[], int],
    write: Callable[[str], object],
) -> Report:
    """Prove the books of every service; nothing of the shop is written.

    The verdict goes to `write` as a line of metrics: runs, violations, warnings and seconds.
    Raises BadTask, Unavailable naming a secret or a database: then no line is written, and the
    alarm on a missing audit goes off.
    """
    told = read_told(AuditTold, environ, AUDIT)
    async with Secrets(told.region, endpoint_url=told.endpoint_url) as secrets:
        held = [await held_service(one, secrets) for one in told.services]
    folder = Path(told.data) / "audit"
    with DataFolder(folder):  # to the audit it is a shop that runs
        (folder / RUN).mkdir(exist_ok=True, mode=0o700)
        file = folder / RUN / "shop.json"
        write_privately(file, msgspec.json.encode({"services": held}))
        try:
            report = await audit_folder(folder, wait_s=WAIT_S)
        finally:
            file.unlink()
    warnings = sum(finding.total for finding in report.findings if finding.is_warning)
    numbers = {
        "audit_runs": (1.0, "Count"),
        "audit_violations": (float(report.violations), "Count"),
        "audit_warnings": (float(warnings), "Count"),
        "audit_seconds": (report.elapsed_s, "Seconds"),
    }
    write(embedded(now_ms(), {"shop": told.shop}, numbers))
    return report
