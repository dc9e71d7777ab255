"""The whole audit of a data folder, whether or not a shop runs on it."""

from collections.abc import Mapping
from pathlib import Path

from emporion.chassis.data.database import Database
from emporion.platform.audit import traffic
from emporion.platform.audit.books import OWN_BOOKS, books_of, own_findings, provider_finding
from emporion.platform.audit.facts import Finding
from emporion.platform.audit.look import Report, apply_rules, until_sure
from emporion.platform.audit.merge import stories
from emporion.platform.data_folder import DataFolder
from emporion.platform.shop_folder import open_for_reading
from emporion.services.payment.adapters.rehearsal import BOOK_FILE


async def audit_folder(folder: Path, *, wait_s: float) -> Report:
    """Prove the books in a data folder; nothing is written.

    Beside a running shop it looks again for up to `wait_s` until what is left is no order in
    flight. Memory does not grow with the number of orders, only with those in flight. Raises
    NoShopHere, or Unavailable when a database cannot be read.
    """
    with open_for_reading(folder) as databases:
        is_running = DataFolder.is_held(folder)

        async def look() -> list[Finding]:
            return await look_once(databases, folder / BOOK_FILE, is_running=is_running)

        return await until_sure(look, is_running=is_running, wait_s=wait_s)


async def look_once(
    databases: Mapping[str, Database], provider_book: Path, *, is_running: bool
) -> list[Finding]:
    """Every check once, each service's own first."""
    findings: list[Finding] = []
    for own in OWN_BOOKS:
        findings += await own_findings(own, databases[own.service])
    findings.append(await provider_finding(databases["payment"], provider_book))
    open_ = await traffic.all_open_sagas(databases)
    findings += await apply_rules(stories(await books_of(databases, open_)))
    findings.append(await traffic.sagas_done(databases, open_, is_running=is_running))
    findings.append(await traffic.logs_are_whole(databases))
    findings.append(await traffic.events_delivered(databases))
    findings.append(await traffic.no_dead_letters(databases))
    return findings
