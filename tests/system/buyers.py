"""Buyers in processes of their own, who all buy in the same instant.

`python -m tests.system.buyers` is one such process: a JSON job on its standard input, "ready" on
its standard output once every buyer is connected, and after the line "go" one JSON answer each.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.system.accounts import Customer
from tests.system.running import ROOT
from tests.system.shoppers import PAUSE_S
from tests.system.wire import UNKNOWN, NoAnswer, NotSent, Wire

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one buyer does: one order under one key."""

    token: str
    key: str
    order: dict[str, Any]

    @classmethod
    def of(cls, customer: Customer, key: str, sku: str, *, pays_with: str = "tok_ok") -> "Purchase":
        """One unit of a SKU."""
        lines = [{"sku": sku, "quantity": 1}]
        return cls(customer.access_token, key, {"lines": lines, "payment_token": pays_with})


@dataclass(frozen=True, slots=True)
class Bought:
    """The first final answer to a purchase; instants by the machine's one steady clock."""

    status: int
    document: dict[str, Any]
    sent_s: float
    answered_s: float

    @property
    def slug(self) -> str:
        """The problem's slug, or empty."""
        return str(self.document.get("type", "")).rpartition(":")[2]


async def rush(url: str, purchases: Sequence[Purchase], *, processes: int) -> list[Bought]:
    """Let all buyers buy at once, spread over processes; their answers, in no order."""
    shares = [purchases[number::processes] for number in range(processes)]
    crowd = [await _start() for _ in shares]
    try:
        for process, share in zip(crowd, shares, strict=True):
            job = {"url": url, "purchases": [asdict(purchase) for purchase in share]}
            await _tell(process, json.dumps(job))
        for process in crowd:
            assert await _hear(process) == "ready"
        for process in crowd:
            await _tell(process, "go")
        answers = [json.loads(await _hear(process)) for process in crowd]
    finally:
        for process in crowd:
            if process.returncode is None:
                process.kill()
            await process.wait()
    return [Bought(**answer) for share in answers for answer in share]


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.system.buyers",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        limit=16 * 1024 * 1024,
    )


async def _tell(process: asyncio.subprocess.Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()


async def _hear(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(2 * PATIENCE_S):
        return (await process.stdout.readline()).decode().strip()


async def _buy(wire: Wire, purchase: Purchase) -> Bought:
    """Ask until the answer is final: whoever was turned away in the crush asks again."""
    headers = {"Authorization": f"Bearer {purchase.token}", "Idempotency-Key": purchase.key}
    sent_s = time.monotonic()
    while True:
        try:
            reply = await wire.ask("POST", "/api/orders", purchase.order, headers=headers)
            if reply.status not in UNKNOWN or time.monotonic() - sent_s > PATIENCE_S:
                return Bought(reply.status, reply.document, sent_s, time.monotonic())
        except (NotSent, NoAnswer):
            if time.monotonic() - sent_s > PATIENCE_S:
                raise
        await asyncio.sleep(PAUSE_S)


async def _crowd(job: dict[str, Any]) -> list[Bought]:
    purchases = [Purchase(**purchase) for purchase in job["purchases"]]
    wires = [Wire(job["url"]) for _ in purchases]
    await asyncio.gather(*(wire.open() for wire in wires))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    pairs = zip(wires, purchases, strict=True)
    try:
        return list(await asyncio.gather(*(_buy(wire, purchase) for wire, purchase in pairs)))
    finally:
        await asyncio.gather(*(wire.close() for wire in wires))


def main() -> None:
    """One process of the crowd."""
    bought = asyncio.run(_crowd(json.loads(sys.stdin.readline())))
    sys.stdout.write(json.dumps([asdict(one) for one in bought]) + "\n")


if __name__ == "__main__":
    main()
