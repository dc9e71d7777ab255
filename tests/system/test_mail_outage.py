"""E-mail is down: orders go on and cost no more, and every mail leaves later, once."""

from collections import Counter

import psutil
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
ORDERS, SHOPPERS = 480, 16


async def test_orders_go_on_without_a_mail_server_and_each_mail_leaves_once_later(tmp_path):
    data, port, mailbox = tmp_path / "data", free_port(), Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    running_shop = running.start(data, environ=running.environment() | smtp_settings(port))
    traffic = Traffic()
    try:
        await running_shop.until_open()
        customers = await sign_up(running_shop.url, ["ada", "bob"])
        await _cpu_s(running_shop, customers, traffic, seed=1)  # warms up
        without = await _cpu_s(running_shop, customers, traffic, seed=2)
        assert files.rows(data, "email", "SELECT 1 FROM mail WHERE status = 'sent'") == []
        server.start()
        try:
            await eventually(lambda: books.is_delivered(data), within_s=60, what="the mails leave")
            with_mail = await _cpu_s(running_shop, customers, traffic, seed=3)
            await eventually(
                lambda: books.is_delivered(data), within_s=60, what="the new mails leave, too"
            )
        finally:
            server.stop()
        assert await running_shop.stop() == 0
    finally:
        running_shop.kill()

    # By the clock, what else the machine does would decide.
    assert without < 2 * with_mail, "CPU of as many orders"
    names = Counter(str(mail["Message-ID"]) for mail in mailbox.mails)
    assert set(names.values()) == {1}
    told = {attempt.order_id for attempt in traffic.attempts}
    assert len(told) == len(mailbox.mails) == 3 * ORDERS
    assert all(any(order_id in name for order_id in told) for name in list(names)[:20])
    assert books.Books(data, traffic).examine().all == []
    assert running.audit(data)[0] == 0


async def _cpu_s(
    shop_: running.Running, customers: list[Customer], traffic: Traffic, *, seed: int
) -> float:
    """Of the shop's process, for ORDERS orders and what else it does meanwhile."""
    plan = Plan(seed, SHOPPERS, ORDERS // SHOPPERS, for_s=60, mix=ONLY_BUYERS)
    process = psutil.Process(shop_.process.pid)
    before = process.cpu_times()
    await shop(shop_.url, customers, plan, traffic)
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system
