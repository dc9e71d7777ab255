"""A release and the one before it side by side: instances of one service, under load."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from emporion.platform.topology.process_file import Listening
from tests.reliability.drills import failed, retried, violations
from tests.reliability.release import Release
from tests.reliability.split_shop import SplitShop
from tests.system.accounts import operator
from tests.system.wire import Wire

pytestmark = [pytest.mark.system, pytest.mark.engines, pytest.mark.timeout(280)]
TOPOLOGY = """\
processes:
  order: {services: [order], instances: 2}
  payment: {services: [payment], instances: 2}
  people: [user, vault, catalog, inventory, giftcard]
  rest: [email, fraud, webhook, recommendation, analytics, shipping]
engines: {default: postgres}
bus: nats
discovery: registry
edge: envoy
"""
NEWER = {
    "contracts/payment.py": (
        (
            "    amount: Money\n    payment_token: Annotated",
            '    till: str = ""\n    amount: Money\n    payment_token: Annotated',
        ),
        (
            "    provider_reference: str\n    created_at: Instant\n",
            '    till: str = ""\n    provider_reference: str\n    created_at: Instant\n',
        ),
        (
            "    amount: Money\n    captured_at: Instant\n",
            '    till: str = "a till"\n    amount: Money\n    captured_at: Instant\n',
        ),
    ),
    "services/payment/api.py": (
        (
            "        provider_reference=stored.reference,\n",
            '        provider_reference=stored.reference,\n        till="answered",\n',
        ),
    ),
    "services/order/sagas/orders.py": (
        (
            "        payment_token=taking.payment_token,\n    )",
            '        payment_token=taking.payment_token,\n        till="asked",\n    )',
        ),
    ),
}
"""The next release: a call asks for more, its answer and an event tell more."""
CHARGED = re.compile(
    r'^emporion_call_seconds_count{caller="remote",method="charge".*} (.*)$', re.MULTILINE
)
ORDERED_S = 3.0


async def test_a_release_runs_beside_the_one_before_and_the_shop_is_rolled_to_it(tmp_path):
    """One test, as one shop takes long to start: first half of it is newer, then all."""
    release = Release.copied_to(tmp_path / "release")
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)
    words = ("up", "--topology", str(tmp_path / "topology.yaml"))
    async with SplitShop(tmp_path / "shop", words, program=release.command) as shop:
        release.change(NEWER)
        await asyncio.gather(*(_replaced(shop, part) for part in ("order-1", "payment-1")))
        before = {part: await _charges(shop, part) for part in ("payment-1", "payment-2")}

        mixed = await _loaded(shop)
        assert await _tills(shop, "payment-1") == {"answered"}
        assert await _tills(shop, "payment-2") == {None}, "the one before knows no till"
        for part, charges in before.items():
            assert await _charges(shop, part) > charges, f"{part} took part"

        with shop.load(seconds=120, shoppers=4) as load:
            await shop.until_ordered()
            await shop.roll()
            load.end()
            rolled = await load.report()
        assert await _tills(shop, "payment-2b") == {"answered"}

        for report in (mixed, rolled):
            assert report["paid"]
            assert (failed(report), retried(report)) == (0, 0), report
        assert await shop.until_quiet() >= 0
        assert violations(await shop.settled_books()) == []


async def _replaced(shop: SplitShop, part: str) -> None:
    """Ended and started anew by the supervisor, from what is installed now."""
    before = shop.pid(part)
    shop.kill(part)
    await shop.until_back(part, before)


async def _loaded(shop: SplitShop) -> dict[str, Any]:
    with shop.load(seconds=120, shoppers=4) as load:
        await shop.until_ordered()
        await asyncio.sleep(ORDERED_S)
        load.end()
        return await load.report()


def _at(shop: SplitShop, part: str) -> str:
    listening = Listening.read(Path(shop.data) / "run" / "listening" / f"{part}.json")
    assert listening is not None, part
    return listening.http


async def _charges(shop: SplitShop, part: str) -> int:
    """How many charges that instance has answered, by its own metrics."""
    wire = Wire(_at(shop, part))
    try:
        page = (await wire.ask("GET", "/metrics")).body.decode()
    finally:
        await wire.close()
    return sum(int(float(each)) for each in CHARGED.findall(page))


async def _tills(shop: SplitShop, part: str) -> set[str | None]:
    """What that instance says about the tills of the newest payments."""
    staff, wire = await operator(shop.url), Wire(_at(shop, part))
    try:
        reply = await wire.ask("GET", "/api/payments?limit=20", headers=staff.headers)
    finally:
        await wire.close()
    assert reply.status == 200, reply
    return {payment.get("till") for payment in reply.document["payments"]}
