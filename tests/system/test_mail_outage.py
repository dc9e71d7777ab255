"""E-mail is down: orders go on at the same rate, and every mail leaves later, once."""

import time
from collections import Counter

import pytest
from aiosmtpd.controller import Controller

from emporion.platform.supervisor.ports import free_port
from tests.system import books, files, running
from tests.system.accounts import Customer, sign_up
from tests.system.drills import ONLY_BUYERS
from tests.system.mailbox import Mailbox, smtp_settings
from tests.system.polling import eventually
from tests.system.shoppers import Plan, Traffic, shop

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
ORDERS, SHOPPERS = 160, 16
ROUNDS = 3
"""The fastest of so many tells what the shop can do beside whatever else the machine does."""


async def test_orders_go_on_without_a_mail_server_and_each_mail_leaves_once_later(tmp_path):
    data, port, mailbox = tmp_path / "data", free_port(), Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    running_shop = running.start(data, environ=running.environment() | smtp_settings(port))
    traffic = Traffic()
    try:
        await running_shop.until_open()
        customers = await sign_up(running_shop.url, ["ada", "bob"])
        await _orders_per_s(running_shop.url, customers, traffic, seed=1)  # warms up
        without = await _fastest(running_shop.url, customers, traffic, seed=2)
        assert files.rows(data, "email", "SELECT 1 FROM mail WHERE status = 'sent'") == []
        server.start()
        try:
            await eventually(lambda: books.is_delivered(data), within_s=60, what="the mails leave")
            with_mail = await _fastest(running_shop.url, customers, traffic, seed=2 + ROUNDS)
            await eventually(
                lambda: books.is_delivered(data), within_s=60, what="the new mails leave, too"
            )
        finally:
            server.stop()
        assert await running_shop.stop() == 0
    finally:
        running_shop.kill()

    assert without > with_mail / 2
    names = Counter(str(mail["Message-ID"]) for mail in mailbox.mails)
    assert set(names.values()) == {1}
    told = {attempt.order_id for attempt in traffic.attempts}
    assert len(told) == len(mailbox.mails) == (1 + 2 * ROUNDS) * ORDERS
    assert all(any(order_id in name for order_id in told) for name in list(names)[:20])
    assert books.Books(data, traffic).examine().all == []
    assert running.audit(data)[0] == 0


async def _fastest(url: str, customers: list[Customer], traffic: Traffic, *, seed: int) -> float:
    return max([await _orders_per_s(url, customers, traffic, seed=seed + n) for n in range(ROUNDS)])


async def _orders_per_s(
    url: str, customers: list[Customer], traffic: Traffic, *, seed: int
) -> float:
    plan = Plan(seed, SHOPPERS, ORDERS // SHOPPERS, for_s=60, mix=ONLY_BUYERS)
    started_s = time.monotonic()
    await shop(url, customers, plan, traffic)
    return ORDERS / (time.monotonic() - started_s)
