"""`make bench`: everything measured in one run; writes the tables of docs/performance.md."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bench.page import bars, between, cpu, say
from bench.shop import (
    SERVER_CORE,
    Figures,
    fsync_ms,
    load,
    pinned,
    shop,
    store_limit,
)
from bench.tax import tax_share

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/performance.md"
README = ROOT / "README.md"
DURATION_S = 8


def main() -> None:
    """Measure, print, and write the page."""
    say("the disk and the bare store")
    fsync = fsync_ms()
    limit = store_limit(64)
    rows: list[Figures] = []
    with shop() as (url, pid, opened_s):
        for shoppers in (1, 64, 256):
            say(f"the shop, {shoppers} connections")
            rows.append(
                load(url, pid, f"{shoppers} connections", shoppers=shoppers, duration_s=DURATION_S)
            )
    say("without subscribers")
    with shop(HAS_SUBSCRIBERS="false") as (url, pid, _):
        bare = load(url, pid, "64, without subscribers", shoppers=64, duration_s=DURATION_S)
    say("without group commit")
    with shop(GROUP_COMMIT_MAX="1") as (url, pid, _):
        single = load(url, pid, "64, a commit for each", shoppers=64, duration_s=DURATION_S)
    limit = (limit + store_limit(64)) / 2
    say("sagas: ours, then DBOS")
    ours, theirs = (sagas(side) for side in ("ours", "theirs"))
    say("what telemetry and tokens cost")
    tax = 100 * uvloop.run(tax_share())
    one, full = rows[0], rows[1]
    text = "\n\n".join(
        (
            machine(fsync, limit),
            table([*rows, bare, single]),
            bars(
                [
                    ("orders/s at 64 connections, floor", full.orders_per_s, ">=", 1_000),
                    ("orders/s at 64 connections, bar", full.orders_per_s, ">=", 3_000),
                    ("p99 at 64 connections, ms", full.p99_ms, "<=", 25),
                    (
                        "share of the store limit with subscribers, %",
                        100 * full.orders_per_s / limit,
                        ">=",
                        30,
                    ),
                    (
                        "share of the store limit without, %",
                        100 * bare.orders_per_s / limit,
                        ">=",
                        45,
                    ),
                    (
                        "group commit against a commit for each, times",
                        full.orders_per_s / single.orders_per_s,
                        ">=",
                        4,
                    ),
                    ("p50 at 1 connection / fsync p50", one.p50_ms / fsync, "<=", 10),
                    ("CPU that telemetry and tokens take, %", tax, "<=", 15),
                    ("memory after the load, MB", full.rss_mb, "<=", 150),
                    ("seconds from `emporion up` to open, first start", opened_s, "<=", 2),
                    ("sagas/s beside DBOS on SQLite, times", ours / theirs, ">=", 20),
                ]
            ),
            f"Sagas of 3 steps, 64 in flight, one core: ours {ours:,.0f}/s, DBOS {theirs:,.0f}/s.",
        )
    )
    print(text)
    between(PAGE, "measured", text)
    between(
        README,
        "figures",
        f"On {cpu()}, one core for the shop, 64 connections, `synchronous=FULL`, everything on:\n"
        f"**{full.orders_per_s:,.0f} orders/s** (p50 {full.p50_ms:.0f}, p99 {full.p99_ms:.0f} ms),"
        f" {100 * full.orders_per_s / limit:.0f} % of what the bare store does in the same run"
        f" ({limit:,.0f}); {full.rss_mb:.0f} MB for all services. `make bench` repeats it;"
        " [docs/performance.md](docs/performance.md) has every bar, met or missed.",
    )


def sagas(side: str) -> float:
    """Sagas per second of one side."""
    done = subprocess.run(
        [*pinned(SERVER_CORE), sys.executable, str(ROOT / "bench/sagas.py"), side],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def machine(fsync: float, limit: float) -> str:
    """Where and when."""
    load_1, _, _ = os.getloadavg()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {cpu()}, {os.cpu_count()} cores, Python"
        f" {platform.python_version()}; load average {load_1:.1f}. fdatasync p50 {fsync:.2f} ms."
        f" The bare store (`bench/store_limit.py`, 64 in flight, same core): {limit:,.0f} orders/s."
    )


def table(rows: list[Figures]) -> str:
    """The loads."""
    head = (
        "| load | orders/s | p50 ms | p95 ms | p99 ms | server CPU us an order | memory MB |\n"
        "|---|---|---|---|---|---|---|"
    )
    return "\n".join(
        [head]
        + [
            f"| {row.name} | {row.orders_per_s:,.0f} | {row.p50_ms:.1f} | {row.p95_ms:.1f} |"
            f" {row.p99_ms:.1f} | {row.cpu_us_per_order:.0f} | {row.rss_mb:.0f} |"
            for row in rows
        ]
    )


if __name__ == "__main__":
    main()
