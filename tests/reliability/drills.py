"""Breaks a split shop under load in every way we know, and proves its books after each.

python -m tests.reliability.drills            all of it, into docs/reliability.md
python -m tests.reliability.drills kill nats  those with these words in their name
python -m tests.reliability.drills checkout   what shoppers notice of the e-mail service
python -m tests.reliability.drills disk       a full disk under the whole shop (root)
python -m tests.reliability.drills partition  hosts that cannot reach each other (root, iproute2)

Each writes its own lines of the tables there, and leaves the others as they are.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emporion.platform.topology.model import ENGINES_OF
from tests.reliability.bystanders import compare
from tests.reliability.faults import FAULTS, Fault
from tests.reliability.full_disk import MountRefused, filled, small_disk
from tests.reliability.partition import NetworksRefused, partitions, shop_on_hosts
from tests.reliability.split_shop import SplitShop
from tests.system.report import machine, say, table
from tests.system.running import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEFORE_S, AFTER_S = 2.0, 4.0
LOAD_S_MAX = 120.0
ORDERED_S_MAX = 60.0
BROKEN_OFF = "broken off"
"""Orders under way when we end the load: nobody waits for them, and their sagas settle them."""
SHOPPERS = 6


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fault did.

    Args:
        paid, failed, retried: orders paid; orders that came through not even by retries; attempts
            after the first.
        latency_ms_p99: of whole orders, retries included.
        fault_s: from the break until it was mended.
        settled_s: from the end of the load until no saga was open and every event delivered.
        violations: what the audit found.
    """

    fault: str
    paid: int
    failed: int
    retried: int
    latency_ms_p99: float
    fault_s: float
    settled_s: float
    violations: Sequence[str]


async def drill(
    shop: SplitShop,
    fault: Fault,
    *,
    before_s: float = BEFORE_S,
    after_s: float = AFTER_S,
    shoppers: int = SHOPPERS,
) -> Outcome:
    """One fault under load, and the books after it."""
    with shop.load(seconds=LOAD_S_MAX, shoppers=shoppers) as load:
        await asyncio.wait_for(shop.until_ordered(), ORDERED_S_MAX)
        await asyncio.sleep(before_s)
        started_s = time.monotonic()
        await fault.happen(shop)
        fault_s = time.monotonic() - started_s
        await asyncio.sleep(after_s)
        load.end()
        report = await load.report()
    settled_s = await shop.until_quiet()
    books = await shop.settled_books()
    return Outcome(
        fault.name,
        report["paid"],
        failed(report),
        retried(report),
        report["latency_ms"]["p99"],
        fault_s,
        settled_s,
        violations(books),
    )


def failed(report: dict[str, Any]) -> int:
    """How many orders of a load came through not even by retries."""
    return sum(count for why, count in report["errors"].items() if BROKEN_OFF not in why)


def retried(report: dict[str, Any]) -> int:
    """How many attempts of a load were not the first."""
    return sum(report["retries"].values())


def violations(books: dict[str, Any]) -> list[str]:
    """What an audit found, warnings too: after a drill nothing may be left."""
    return [
        f"{finding['check']}: {one}"
        for finding in books["findings"]
        for one in finding["violations"]
    ]


async def all_drills(faults: Sequence[Fault]) -> list[Outcome]:
    """Each fault on one shop, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        async with SplitShop(Path(folder) / "shop") as shop:
            return await each(shop, faults)


async def each(shop: SplitShop, faults: Sequence[Fault]) -> list[Outcome]:
    """Each fault on this shop; what it did is told and written down at once."""
    outcomes = []
    for fault in faults:
        outcome = await drill(shop, fault)
        say(f"{line(outcome)}")
        write("drills", page(outcome, written("drills")))
        outcomes.append(outcome)
    return outcomes


async def full_disk() -> list[Outcome]:
    """The shop on a small disk of its own, which is filled; nothing where none can be mounted."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(Path(folder)))
        except MountRefused as error:
            say(f"disk full: not tried: {error}")
            return []
        async with SplitShop(disk / "shop") as shop:
            return await each(shop, [filled(disk)])


async def partition() -> list[Outcome]:
    """The shop over three hosts, cut off from each other; nothing where none can be made."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            shop, hosts = stack.enter_context(shop_on_hosts(Path(folder), tuple(ENGINES_OF)))
        except NetworksRefused as error:
            say(f"partition: not tried: {error}")
            return []
        async with shop:
            return await each(shop, partitions(hosts))


APART: dict[str, Callable[[], Coroutine[Any, Any, list[Outcome]]]] = {
    "disk": full_disk,
    "partition": partition,
}
"""Drills that need a shop of their own, by the word that asks for them."""


def line(outcome: Outcome) -> list[str]:
    """A line of the table."""
    return [
        outcome.fault,
        f"{outcome.paid:,}",
        f"{outcome.failed:,}",
        f"{outcome.retried:,}",
        f"{outcome.latency_ms_p99:,.0f}",
        f"{outcome.fault_s:.1f}",
        f"{outcome.settled_s:.1f}",
        "; ".join(outcome.violations) or "0",
    ]


HEAD = (
    "fault, under load", "paid", "failed", "retried", "p99 ms", "fault s", "settled s",
    "audit violations",
)  # fmt: skip


def page(outcome: Outcome, before: str) -> str:
    """The table of docs/reliability.md: a new line for this one, the others as they were."""
    rows = {row[0]: row for row in (_cells(text) for text in before.splitlines()) if row}
    rows[outcome.fault] = line(outcome)
    return f"On {machine()}.\n\n{table(HEAD, list(rows.values()), words=1)}\n"


def _cells(text: str) -> list[str]:
    """A line of the table; nothing of what stands around it."""
    cells = [cell.strip() for cell in text.strip().strip("|").split("|")]
    is_row = len(cells) == len(HEAD) and cells[0] != HEAD[0] and not set(cells[0]) <= {"-"}
    return cells if is_row else []


def written(name: str) -> str:
    """What stands between a pair of marks on the page."""
    return PAGE.read_text().partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]


def write(name: str, text: str) -> None:
    """Put a text between a pair of marks on the page."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = PAGE.read_text().partition(start)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{start}\n{text}{end}{after}")


async def bystanders() -> None:
    """The comparison, on a shop of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with SplitShop(Path(folder) / "shop") as shop:
            found = await compare(shop)
    say(found)
    write("bystanders", f"On {machine()}.\n\n{found}\n")


def main(words: Sequence[str]) -> None:
    """Run the drills that the words ask for, and write what they found."""
    faults = [fault for fault in FAULTS if all(word in fault.name for word in words)]
    outcomes = asyncio.run(all_drills(faults)) if faults else []
    for word, drills in APART.items():
        if not words or list(words) == [word]:
            outcomes += asyncio.run(drills())
    if not words or list(words) == ["checkout"]:
        asyncio.run(bystanders())
    unnoticed = {fault.name for fault in faults if fault.is_unnoticed}
    sys.exit(
        any(
            outcome.failed or outcome.violations or (outcome.retried and outcome.fault in unnoticed)
            for outcome in outcomes
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
