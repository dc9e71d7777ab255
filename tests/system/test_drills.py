"""Oversell and double pay, with buyers in several processes, and over the internal call."""

import asyncio
from datetime import UTC, datetime

import pytest

from emporion.chassis.calls.directory import Binding
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.contracts.payment import Charge, PaymentService
from emporion.kernel.ids import ORDER, USER, OrderId, UserId
from emporion.kernel.money import Money
from emporion.platform.settings import Settings
from emporion.platform.shop import open_shop
from tests.system import drills, running
from tests.system.accounts import sign_up

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
RUSH_S_MAX = 20.0
"""On a quiet machine it is two: docs/drills.md."""


async def test_of_300_buyers_exactly_100_get_one_of_100_loaves(tmp_path):
    data = tmp_path / "data"
    shop = running.start(data)
    try:
        await shop.until_open()
        sold = await drills.oversell(shop, data, accounts=10, processes=2)
        assert await shop.stop() == 0
    finally:
        shop.kill()

    assert (sold.paid, sold.out_of_stock, sold.others.total()) == (100, 200, 0)
    assert (sold.charges, sold.reserved, sold.on_hand) == (100, 100, 100)
    assert sold.elapsed_s < RUSH_S_MAX
    assert running.audit(data)[0] == 0


async def test_one_payment_asked_for_20_times_at_once_is_charged_once(tmp_path):
    data = tmp_path / "data"
    shop = running.start(data)
    try:
        await shop.until_open()
        (customer,) = await sign_up(shop.url, ["impatient"])
        for token in ("tok_ok", "tok_twice", "tok_timeout"):
            paid = await drills.double_pay(shop, data, customer, pays_with=token, processes=2)
            assert (token, paid.answers, paid.different, paid.charges) == (token, 20, 1, 1)
            assert paid.status == 201
            assert paid.elapsed_s < RUSH_S_MAX
        assert await shop.stop() == 0
    finally:
        shop.kill()


async def test_the_internal_charge_asked_for_20_times_at_once_is_charged_once(tmp_path):
    runtime = system_runtime()
    settings = Settings(data=str(tmp_path / "data"))
    telemetry = Telemetry(runtime, is_strict=True)
    async with open_shop(settings, runtime, telemetry, binding=Binding.LOCAL_STRICT) as shop:
        payments = shop.directory.clients("order", Binding.LOCAL_STRICT).get(PaymentService)
        charge = Charge(
            order_id=OrderId(runtime.ids.new(ORDER)),
            user_id=UserId(runtime.ids.new(USER)),
            amount=Money(1_250, "EUR"),
            payment_token="tok_ok",
        )
        answers = await asyncio.gather(*(payments.charge(charge) for _ in range(20)))

    assert len(set(answers)) == 1
    assert answers[0].created_at <= datetime.now(UTC)
    assert len((tmp_path / "data" / "provider.log").read_bytes().splitlines()) == 1
