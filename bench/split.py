"""`make bench-split`: the split shop beside pgbench's limit and the one process, in one run.

Everything shares all cores: the shop, its engines and the load generator. Without an argument each
load takes 10 s and the tables go into docs/performance.md; `python -m bench.split SECONDS` measures
each load that long and only prints.
"""

import os
import platform
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.page import bars, between, cpu, say
from bench.parts import Load, Shop, started
from bench.pgbench import limit
from bench.shop import fsync_ms
from emporion.platform.topology.find import SHIPPED, find_topology

PAGE = Path(__file__).parents[1] / "docs/performance.md"
TOPOLOGY = Path(__file__).parent / "split-postgres.yaml"
SHOPPERS = (16, 64, 256)
DURATION_S = 10.0
TASKS_EACH = 2
VCPU_EACH, GB_EACH = 0.5, 1.0
HOURS_A_MONTH = 730
USD_VCPU_HOUR, USD_GB_HOUR = 0.04048, 0.004445
"""Fargate on x86 in us-east-1."""
SPLIT, ONE = "one process a service", "one process"


class Side:
    """One topology under every load.

    Args:
        idle_mb, used_mb: memory by part, before the loads and after them.
    """

    def __init__(self, name: str, shop: Shop, duration_s: float) -> None:
        self.name = name
        shop.settle()
        self.idle_mb = shop.memory_mb()
        say(f"{name}: warming up")
        shop.load(SHOPPERS[0], duration_s / 4)
        self.loads: dict[int, Load] = {}
        for shoppers in SHOPPERS:
            say(f"{name}: {shoppers} shoppers")
            load = self.loads[shoppers] = shop.load(shoppers, duration_s)
            say(f"{load.orders_per_s:,.0f} orders/s, p99 {load.p99_ms:.1f} ms")
        self.used_mb = shop.memory_mb()


def main() -> None:
    """Measure, print each table as soon as it is known, and write the page."""
    duration_s = float(sys.argv[1]) if len(sys.argv) > 1 else DURATION_S
    say("the disk, and pgbench")
    fsync = fsync_ms()
    before, _ = limit(duration_s)
    with started("--topology", str(TOPOLOGY)) as shop:
        split = Side(SPLIT, shop, duration_s)
    where, what = told(hops(split)), told(parts(split))
    with started() as shop:
        one = Side(ONE, shop, duration_s)
    price = told(f"{costs((split, one))}\n\n{prices()}")
    say("pgbench again")
    after, _ = limit(duration_s)
    limits = (before, after)
    bare = statistics.mean(limits)
    share = told(f"{rates((split, one), bare)}\n\n{ratios(split, one, bare)}")
    here = told(machine(fsync, limits, duration_s))
    if len(sys.argv) == 1:
        between(PAGE, "split", f"{here}\n\n{share}\n\n{where}\n\n{what}\n\n{price}")


def told(table: str) -> str:
    """Print it at once: what comes after it may be interrupted."""
    print(f"{table}\n", flush=True)
    return table


def machine(fsync: float, limits: tuple[float, float], duration_s: float) -> str:
    """Where, when and beside what."""
    load_1, _, _ = os.getloadavg()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {cpu()}, {os.cpu_count()} cores for everything, load"
        f" generator included; Python {platform.python_version()}; load average {load_1:.1f} at the"
        f" end; fdatasync p50 {fsync:.2f} ms; {duration_s:g} s a load. pgbench, an order's writes"
        f" as 4 transactions of one statement each, before and after the loads:"
        f" {limits[0]:,.0f} and {limits[1]:,.0f} orders/s."
    )


def rates(sides: tuple[Side, ...], bare: float) -> str:
    """Each load on each topology."""
    lines = [
        (
            "| topology | shoppers | orders/s | of pgbench's limit | p50 ms | p99 ms"
            " | CPU us an order | of the load generator | settled after s"
            " | retried | failed |"
        ),
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for side in sides:
        lines += [
            f"| {side.name} | {load.shoppers} | {load.orders_per_s:,.0f} |"
            f" {100 * load.orders_per_s / bare:.0f} % | {load.p50_ms:.1f} | {load.p99_ms:.1f} |"
            f" {load.cpu_us_per_order:,.0f} | {load.client_us:,.0f} | {load.settled_s:.1f} |"
            f" {load.retried} | {load.failed} |"
            for load in side.loads.values()
        ]
    return "\n".join(lines)


def ratios(split: Side, one: Side, bare: float) -> str:
    """The bars, and the split beside the one process."""
    share = {shoppers: 100 * load.orders_per_s / bare for shoppers, load in split.loads.items()}
    found = bars(
        [
            ("share of pgbench's limit at 64 shoppers, %, floor", share[64], ">=", 40),
            ("share of pgbench's limit at 64 shoppers, %, bar", share[64], ">=", 65),
            ("share of pgbench's limit at 256 shoppers, %, bar", share[256], ">=", 100),
        ]
    )
    beside = ", ".join(
        f"{one.loads[shoppers].orders_per_s / load.orders_per_s:.1f} times at {shoppers}"
        for shoppers, load in split.loads.items()
    )
    return f"{found}\n\nOrders/s of the one process (SQLite) over the split shop's: {beside}."


def hops(side: Side) -> str:
    """Where an order's time goes, as the order service sees it."""
    head = " | ".join(f"ms at {shoppers}" for shoppers in side.loads)
    lines = [f"| hop (mean) | {head} |", f"|---|{'--:|' * len(side.loads)}"]
    for hop in sorted(side.loads[64].hops_ms, key=side.loads[64].hops_ms.__getitem__):
        cells = " | ".join(f"{load.hops_ms.get(hop, 0.0):.1f}" for load in side.loads.values())
        lines.append(f"| {hop} | {cells} |")
    return "\n".join(lines)


def prices() -> str:
    """What the tasks of each topology cost a month."""
    lines = [
        "| topology that comes with emporion | processes | tasks | Fargate a month, USD |",
        "|---|--:|--:|--:|",
    ]
    for name in SHIPPED:
        processes = len(find_topology(name).processes)
        tasks = 1 if processes == 1 else TASKS_EACH * processes
        usd = tasks * task_usd_a_month()
        lines.append(f"| {name} | {processes} | {tasks} | {usd:.0f} |")
    return "\n".join(lines)


def parts(side: Side) -> str:
    """CPU and memory of each part of the split shop."""
    head = " | ".join(f"CPU us an order at {shoppers}" for shoppers in side.loads)
    lines = [
        f"| part | {head} | memory MB, idle | after the loads |",
        f"|---|{'--:|' * (len(side.loads) + 2)}",
    ]
    for name in sorted(side.used_mb, key=lambda part: -side.loads[64].cpu_us[part]):
        cells = " | ".join(f"{load.cpu_us[name]:,.0f}" for load in side.loads.values())
        lines.append(f"| {name} | {cells} | {side.idle_mb[name]:.0f} | {side.used_mb[name]:.0f} |")
    return "\n".join(lines)


def costs(sides: tuple[Side, ...]) -> str:
    """Memory, CPU and money of each topology."""
    lines = [
        (
            "| topology | memory MB, idle | after the loads | CPU us an order at 64 |"
            " CPU of a million orders, USD | tasks | Fargate a month, USD |"
        ),
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for side in sides:
        cpu_us = side.loads[64].cpu_us_per_order
        tasks = tasks_of(side.name)
        lines.append(
            f"| {side.name} | {sum(side.idle_mb.values()):.0f} | {sum(side.used_mb.values()):.0f} |"
            f" {cpu_us:,.0f} | {cpu_us / 3600 * USD_VCPU_HOUR:.3f} | {tasks} |"
            f" {tasks * task_usd_a_month():.0f} |"
        )
    lines.append(
        f"\nA task has {VCPU_EACH:g} vCPU and {GB_EACH:g} GB, {task_usd_a_month():.0f} USD a month"
        f" (x86, us-east-1); {TASKS_EACH} tasks a process when split, one when the shop is one"
        " process on SQLite, which has no second instance. Databases, broker and load balancer are"
        " not in the price; the engines and the edge are in memory and CPU."
    )
    return "\n".join(lines)


def tasks_of(name: str) -> int:
    """How many Fargate tasks a topology runs in."""
    return 1 if name == ONE else TASKS_EACH * len(find_topology(str(TOPOLOGY)).processes)


def task_usd_a_month() -> float:
    """The price of one task."""
    return HOURS_A_MONTH * (VCPU_EACH * USD_VCPU_HOUR + GB_EACH * USD_GB_HOUR)


if __name__ == "__main__":
    main()
