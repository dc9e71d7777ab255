"""A gift card under 200 spenders at once, over HTTP, with two processes that take from it."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from emporion.platform.audit.run import audit_folder
from emporion.platform.audit.stored import stored_lags
from emporion.platform.reading.processes import process_paths
from emporion.platform.shop_folder import SERVICES
from emporion.platform.topology.process_file import Listening
from tests.platform.audit.split_shop import running, until_delivered
from tests.system.accounts import Customer, operator, sign_up
from tests.system.wire import Wire

TOPOLOGY = f"""processes:
  shop: [{", ".join(name for name in SERVICES if name != "giftcard")}]
  cards:
    services: [giftcard]
    instances: 2
engines: {{default: postgres}}
bus: nats
"""
SPENDERS, CUSTOMERS, ORDERS = 200, 40, 50
PRICE_MINOR = 250
pytestmark = pytest.mark.timeout(300)
"""Servers are made and started for the test; on a loaded machine that takes a minute."""


def address_of(folder: Path, service: str) -> str:
    """Where a process that holds the service answers by itself: no edge stands before them."""
    for path in process_paths(folder):
        told = json.loads(path.read_bytes())
        listening = Listening.read(Path(told["listening_file"]))
        if listening and service in [held["name"] for held in told["services"]]:
            return listening.http
    raise LookupError(service)


async def asked(wire: Wire, who: Customer, path: str, content: object, key: str = "") -> Any:
    """The status of a POST and what it answered."""
    headers = who.headers | ({"Idempotency-Key": key} if key else {})
    reply = await wire.ask("POST", path, content, headers=headers)
    return reply.status, reply.document


async def spent(url: str, code: str, customers: list[Customer]) -> Counter[tuple[int, str]]:
    """Each spender wants a croissant for the card, all at once; how they were answered."""
    order = {
        "lines": [{"sku": "croissant", "quantity": 1}],
        "payment_token": "tok_ok",
        "gift_cards": [code],
    }

    async def spend(number: int) -> tuple[int, str]:
        wire, who = Wire(url), customers[number % len(customers)]
        try:
            status, told = await asked(wire, who, "/api/orders", order, f"card-{number}")
            while status in (202, 429, 503, 504):
                await asyncio.sleep(0.2)
                status, told = await asked(wire, who, "/api/orders", order, f"card-{number}")
        finally:
            await wire.close()
        return status, told.get("type", "").rpartition(":")[2]

    return Counter(await asyncio.gather(*(spend(number) for number in range(SPENDERS))))


async def test_fifty_of_two_hundred_are_paid_and_nothing_is_left(tmp_path):
    folder = tmp_path / "shop"
    with running(folder, TOPOLOGY) as url:
        customers = await sign_up(url, [f"spender-{number}" for number in range(CUSTOMERS)])
        wire, staff = Wire(url), await operator(url)
        stock = {"sku": "croissant", "warehouse_id": "main", "quantity": SPENDERS}
        await asked(wire, staff, "/api/inventory/movements", stock, "more")
        cards = Wire(address_of(folder, "giftcard"))
        worth = {"amount": {"amount_minor": ORDERS * PRICE_MINOR, "currency": "EUR"}}
        status, issued = await asked(cards, staff, "/api/gift-cards", worth)
        assert status == 201, issued

        outcomes = await spent(url, issued["code"], customers)

        assert outcomes == {(201, ""): ORDERS, (409, "gift-card-not-enough"): SPENDERS - ORDERS}
        path = f"/api/gift-cards/{issued['card']['card_id']}/entries?limit=200"
        reply = await cards.ask("GET", path, headers=staff.headers)
        entries = reply.document["entries"]
        assert entries[0]["balance"]["amount_minor"] == 0
        assert sum(entry["amount"]["amount_minor"] for entry in entries) == 0
        assert Counter(entry["kind"] for entry in entries)["spent"] == ORDERS
        await wire.close()
        await cards.close()
        await until_delivered(lambda: stored_lags(folder))

        report = await audit_folder(folder, wait_s=30.0)

        assert [finding for finding in report.findings if finding.violations] == []
