"""The drills: what must hold when everybody comes at once, and what a shop costs to run.

    python -m tests.system.drills            all of them, into docs/drills.md (a minute or two)

Each drill is also a test, with generous bounds; here the figures are for a quiet machine.
"""

import asyncio
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.system import books, files, running
from tests.system.accounts import Customer, put_on_sale, sign_up
from tests.system.buyers import Bought, Purchase, rush
from tests.system.polling import eventually
from tests.system.report import machine, say, table
from tests.system.running import ROOT, Running
from tests.system.shoppers import Mix, Plan, Traffic, shop

PAGE = ROOT / "docs" / "drills.md"
BUYERS, STOCK, TIMES = 300, 100, 20
ORDERS = 2_000
SHOPPERS = 16
IDLE_S = 5.0
ONLY_BUYERS = Mix(declined=0, timeout=0, timeout_lost=0, twice=0, out_of_stock=0, cancelled=0)


@dataclass(frozen=True, slots=True)
class Oversell:
    """What became of more buyers than there are units."""

    paid: int
    out_of_stock: int
    others: Counter[str]
    charges: int
    reserved: int
    on_hand: int
    elapsed_s: float


async def oversell(
    shop_: Running, data: Path, *, accounts: int = 30, processes: int = 3
) -> Oversell:
    """BUYERS buyers at once, each with one connection, for STOCK units of one thing."""
    await put_on_sale(shop_.url, "last-loaf", stock=STOCK)
    customers = await sign_up(shop_.url, [f"buyer-{number}" for number in range(accounts)])
    before = _charges(data)
    purchases = [
        Purchase.of(customers[number % accounts], f"rush-{number}", "last-loaf")
        for number in range(BUYERS)
    ]
    bought = await rush(shop_.url, purchases, processes=processes)
    paid = sum(one.status == 201 and one.document["status"] == "paid" for one in bought)
    refused = Counter(one.slug for one in bought if one.status != 201)
    out_of_stock = refused.pop("out-of-stock", 0)
    sql = "SELECT sum(reserved), sum(on_hand) FROM level WHERE sku = 'last-loaf'"
    ((reserved, on_hand),) = files.rows(data, "inventory", sql)
    charges = _charges(data) - before
    return Oversell(paid, out_of_stock, refused, charges, reserved, on_hand, _elapsed_s(bought))


@dataclass(frozen=True, slots=True)
class DoublePay:
    """What became of one payment that was asked for many times at once."""

    answers: int
    different: int
    status: int
    charges: int
    elapsed_s: float


async def double_pay(
    shop_: Running, data: Path, customer: Customer, *, pays_with: str = "tok_ok", processes: int = 4
) -> DoublePay:
    """The same order under the same key TIMES times at once."""
    before = _charges(data)
    purchase = Purchase.of(customer, f"double-{pays_with}", "espresso", pays_with=pays_with)
    bought = await rush(shop_.url, [purchase] * TIMES, processes=processes)
    different = {str(sorted(one.document.items())) for one in bought}
    return DoublePay(
        len(bought),
        len(different),
        max(one.status for one in bought),
        _charges(data) - before,
        _elapsed_s(bought),
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a shop costs: seconds to the first order, MiB, share of a core when idle.

    `first_order_cpu_s` is what the shop's own process used of them.
    """

    first_order_s: float
    first_order_cpu_s: float
    orders_per_s: float
    memory_mib: float
    idle_share: float


async def cost(data: Path, *, orders: int = ORDERS, idle_s: float = IDLE_S) -> Cost:
    """Start on an empty folder, order once, then many times, then leave the shop alone."""
    shop_ = running.start(data)
    try:
        await shop_.until_open()
        customers = await sign_up(shop_.url, ["first"])
        traffic = Traffic()
        await shop(
            shop_.url, customers, Plan(0, shoppers=1, orders_max=1, mix=ONLY_BUYERS), traffic
        )
        assert traffic.attempts[0].status == "paid"
        first_order_s = time.monotonic() - shop_.started_s
        first_order_cpu_s = cpu_s_of(shop_.pid)
        many = Plan(1, SHOPPERS, orders // SHOPPERS, for_s=120.0, mix=ONLY_BUYERS)
        started_s = time.monotonic()
        await shop(shop_.url, customers, many, traffic)
        orders_per_s = orders / (time.monotonic() - started_s)
        await eventually(lambda: books.is_delivered(data), within_s=30, what="mails leave")
        memory_mib, busy_s = memory_mib_of(shop_.pid), cpu_s_of(shop_.pid)
        await asyncio.sleep(idle_s)
        idle_share = (cpu_s_of(shop_.pid) - busy_s) / idle_s
        assert await shop_.stop() == 0
    finally:
        shop_.kill()
    return Cost(first_order_s, first_order_cpu_s, orders_per_s, memory_mib, idle_share)


def memory_mib_of(pid: int) -> float:
    """The resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


def cpu_s_of(pid: int) -> float:
    """The CPU time that a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _charges(data: Path) -> int:
    return sum(b'"charge"' in line for line in (data / "provider.log").read_bytes().splitlines())


def _elapsed_s(bought: list[Bought]) -> float:
    return max(one.answered_s for one in bought) - min(one.sent_s for one in bought)


async def run() -> None:
    """Every drill on a shop of its own; prints the page and writes it."""
    where = machine()
    with tempfile.TemporaryDirectory(prefix="emporion-drills-") as name:
        folder = Path(name)
        costs = await cost(folder / "cost")
        shop_ = running.start(folder / "rush")
        try:
            await shop_.until_open()
            sold = await oversell(shop_, folder / "rush", accounts=BUYERS)
            (customer,) = await sign_up(shop_.url, ["impatient"])
            doubles = [
                (token, await double_pay(shop_, folder / "rush", customer, pays_with=token))
                for token in ("tok_ok", "tok_twice", "tok_timeout")
            ]
            assert await shop_.stop() == 0
        finally:
            shop_.kill()
        code, said = running.audit(folder / "rush")
        assert code == 0, said
    text = f"{TEXT}\n\nMeasured on {where}.\n\n{_table(costs, sold, doubles)}\n"
    PAGE.write_text(text)
    say(text)


def _table(costs: Cost, sold: Oversell, doubles: list[tuple[str, DoublePay]]) -> str:
    lines = [
        ("first order after `emporion up`", f"{costs.first_order_s:.2f} s", "< 2 s"),
        ("... CPU time of the shop by then", f"{costs.first_order_cpu_s:.2f} s", ""),
        (f"resident memory after {ORDERS:,} orders", f"{costs.memory_mib:.0f} MiB", "< 150 MB"),
        ("idle, of a core", f"{costs.idle_share:.1%}", "< 1 %"),
        (f"{BUYERS} buyers, stock {STOCK}: paid", str(sold.paid), str(STOCK)),
        ("... told that it is out of stock", str(sold.out_of_stock), str(BUYERS - STOCK)),
        ("... told anything else", str(sold.others.total()), "0"),
        ("... charges at the provider", str(sold.charges), str(STOCK)),
        ("... units reserved / on hand", f"{sold.reserved} / {sold.on_hand}", f"{STOCK} / {STOCK}"),
        ("... from the first request to the last answer", f"{sold.elapsed_s:.2f} s", "< 2 s"),
    ]
    for token, paid in doubles:
        lines += [
            (f"one payment {TIMES} times at once, {token}: charges", str(paid.charges), "1"),
            ("... different answers", str(paid.different), "1"),
            ("... the time of all", f"{paid.elapsed_s:.2f} s", ""),
        ]
    return table(("what", "measured", "bar"), lines, words=1)


TEXT = """\
# The drills

A real `emporion up` in a process of its own; the buyers are other processes that connect first and
then send in the same instant. What was sold and charged is read from the shop's files and the
provider's own book, and `emporion audit` has the last word.

Made by `make drills`. The same drills run in `make test`, with bounds that a busy
machine can keep."""


if __name__ == "__main__":
    asyncio.run(run())
