"""The whole audit of a data folder, whether or not a shop runs on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from emporion.chassis.data.database import Database
from emporion.platform.audit import traffic
from emporion.platform.audit.books import OWN_BOOKS, books_of, own_findings, provider_finding
from emporion.platform.audit.deliveries import deliveries
from emporion.platform.audit.facts import Finding
from emporion.platform.audit.goods import goods_findings
from emporion.platform.audit.look import Report, apply_rules, until_sure
from emporion.platform.audit.merge import stories
from emporion.platform.reading.shop import open_for_reading


async def audit_folder(folder: Path, *, wait_s: float) -> Report:
    """Prove the books in a data folder; nothing is written.

    Beside a running shop it looks again for up to `wait_s` until what is left is no order in
    flight. Memory does not grow with the number of orders, only with those in flight. Raises what
    `open_for_reading` raises.
    """
    async with open_for_reading(folder) as shop:

        async def look() -> list[Finding]:
            return await look_once(shop.databases, shop.provider_books, is_running=shop.is_running)

        return await until_sure(look, is_running=shop.is_running, wait_s=wait_s)


async def look_once(
    databases: Mapping[str, Database], provider_books: Sequence[Path], *, is_running: bool
) -> list[Finding]:
    """Every check once, each service's own first."""
    findings: list[Finding] = []
    for own in OWN_BOOKS:
        findings += await own_findings(own, databases[own.service])
    findings.append(await provider_finding(databases["payment"], provider_books))
    open_ = await traffic.all_open_sagas(databases)
    found = await deliveries(databases)
    findings += await apply_rules(stories(books_of(databases, open_, found)))
    findings += await goods_findings(databases, open_, found)
    findings.append(await traffic.sagas_done(databases, open_, is_running=is_running))
    findings.append(await traffic.logs_are_whole(databases))
    findings.append(traffic.no_event_lost(found))
    findings.append(await traffic.events_taken(databases, found))
    findings.append(traffic.events_delivered(found))
    findings.append(await traffic.no_dead_letters(databases))
    return findings
