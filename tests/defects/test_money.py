"""Defects around money: charged for nothing or twice, captured and lost, priced by clients."""

import asyncio

import pytest

from emporion.chassis.data.database import Tx
from emporion.chassis.testing.asgi import Answer
from emporion.contracts.payment import PaymentDeclined
from emporion.kernel.errors import FailedPrecondition, Internal
from emporion.kernel.ids import OrderId
from emporion.kernel.money import Money
from emporion.services.payment.domain import charge_key
from tests.defects.people import slug_of

CAPTURED_ONCE = [("capture", 250)]
GIVEN_BACK = [("capture", 250), ("refund", 250)]


async def test_defect_01_a_charge_is_given_back_when_a_later_step_fails(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    shop.refuse_step("confirm order", FailedPrecondition)

    answer = await ada.order(("croissant", 1))

    assert answer.status == 409
    assert [kind for kind, *_ in shop.provider_book()] == ["charge", "refund"]
    assert await shop.ledger() == GIVEN_BACK
    assert await shop.levels() == {("croissant", "main"): (5, 0)}
    assert list((await shop.orders()).values()) == ["rejected"]
    assert await shop.audit() == []


async def test_defect_01_a_refund_that_fails_is_repeated_until_the_money_is_back(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    shop.refuse_step("confirm order", FailedPrecondition)
    shop.provider.is_refund_down = True

    answer = await ada.order(("croissant", 1))
    assert answer.status == 202
    assert await shop.ledger() == CAPTURED_ONCE

    await shop.restart()
    await shop.take_up_sagas()

    assert await shop.ledger() == GIVEN_BACK
    assert list((await shop.orders()).values()) == ["rejected"]
    assert await shop.audit() == []


async def test_defect_02_a_retry_neither_orders_nor_charges_twice(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 50)

    answers = await shop.all(ada.order(("croissant", 1), key="the-first") for _ in range(20))
    answers.append(await ada.order(("croissant", 1), key="the-first"))

    assert {answer.status for answer in answers} == {201}
    order_id = answers[0].json()["order_id"]
    assert {answer.json()["order_id"] for answer in answers} == {order_id}
    assert await shop.orders() == {order_id: "paid"}
    assert shop.provider_book() == [("charge", charge_key(order_id), 250)]
    assert await shop.levels() == {("croissant", "main"): (50, 1)}
    await shop.deliver()
    assert await shop.audit() == []


async def test_defect_02_a_charge_whose_answer_was_lost_is_repeated_under_its_key(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)

    answer = await ada.order(("croissant", 1), token="tok_timeout")

    assert [kind for kind, *_ in shop.provider_book()] == ["charge"]
    assert answer.status == 201
    assert len(shop.provider.asked) == 3
    assert await shop.ledger() == CAPTURED_ONCE


async def test_defect_02_an_order_without_a_key_is_refused(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    content = {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_ok"}

    answer = await ada.send("POST", "/api/orders", content)

    assert (answer.status, slug_of(answer)) == (400, "idempotency-key-required")
    assert await shop.orders() == {}


async def test_defect_03_a_failed_order_is_remembered_as_failed(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)

    first = await ada.order(("croissant", 1), token="tok_declined", key="mine")
    again = await ada.order(("croissant", 1), token="tok_declined", key="mine")
    other = await ada.order(("croissant", 2), token="tok_declined", key="mine")
    await shop.restart()
    later = await ada.order(("croissant", 1), token="tok_declined", key="mine")

    assert [each.status for each in (first, again, later)] == [402, 402, 402]
    assert {each.json()["detail"] for each in (first, again, later)} == {first.json()["detail"]}
    assert (other.status, slug_of(other)) == (422, "idempotency-key-reused")
    assert list((await shop.orders()).values()) == ["rejected"]
    assert shop.provider_book() == []


async def test_defect_03_a_failed_add_to_a_cart_leaves_its_key_unused(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    await ada.add("croissant", 10_000)

    failed = await ada.add("croissant", 1, key="one-more")
    await ada.send("DELETE", "/api/cart/items/croissant")
    again = await ada.add("croissant", 1, key="one-more")
    repeated = await ada.add("croissant", 1, key="one-more")

    assert (failed.status, slug_of(failed)) == (409, "cart-full")
    assert (again.status, repeated.status) == (200, 200)
    assert await ada.cart() == {"croissant": 1}


async def test_defect_09_a_provider_that_answers_twice_captures_once(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)

    answer = await ada.order(("croissant", 1), token="tok_twice")
    await shop.pass_time(1)

    assert answer.status == 201
    assert await shop.ledger() == CAPTURED_ONCE
    assert await shop.audit() == []


async def test_defect_09_an_answer_that_comes_late_still_makes_the_order(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    shop.provider.answer_after(30.0)

    answer = await ada.order(("croissant", 1), token="tok_late")
    assert answer.status == 202
    await shop.pass_time(60)
    await shop.take_up_sagas()

    assert await shop.orders() == {answer.json()["order_id"]: "paid"}
    assert await shop.ledger() == CAPTURED_ONCE
    assert await shop.audit() == []


async def test_defect_09_money_that_comes_for_a_given_up_order_goes_back(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    shop.provider.is_charge_down = True
    order_id = OrderId((await ada.order(("croissant", 1))).json()["order_id"])
    shop.refuse_step("charge payment", PaymentDeclined)
    await shop.take_up_sagas()
    assert await shop.orders() == {order_id: "rejected"}
    assert await shop.ledger() == []

    shop.provider.is_charge_down = False
    await shop.live(shop.provider.charge_and_tell(charge_key(order_id), Money(250, "EUR")))

    assert await shop.ledger() == GIVEN_BACK


async def test_defect_09_money_that_comes_after_a_decline_goes_back(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    await shop.start()

    answer = await ada.order(("croissant", 1), token="tok_declined_late")
    await shop.pass_time(60)

    assert (answer.status, slug_of(answer)) == (402, "payment-declined")
    assert [kind for kind, *_ in shop.provider_book()] == ["charge", "refund"]
    assert await shop.ledger() == GIVEN_BACK
    assert await shop.audit() == []
    assert [kind for kind, *_ in shop.provider_book()] == ["charge", "refund"]
    assert await shop.audit() == []


async def test_defect_09_a_run_that_lost_the_race_leaves_the_winners_payment_alone(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 50)
    await ada.add("croissant", 1)

    same = await shop.all(ada.checkout(key="one") for _ in range(5))
    await ada.add("croissant", 1)
    apart = await shop.all(ada.checkout() for _ in range(5))

    assert [answer.status for answer in same] == [201] * 5
    assert sorted(answer.status for answer in apart) == [201, 409, 409, 409, 409]
    assert await shop.ledger() == [*CAPTURED_ONCE, *CAPTURED_ONCE]
    assert len(shop.provider_book()) == 2
    assert await shop.audit() == []


async def test_defect_10_a_price_or_total_in_a_request_is_refused(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5, price_minor=250)
    cheap = {"amount_minor": 1, "currency": "EUR"}
    line = {"sku": "croissant", "quantity": 1}
    order = {"lines": [line], "payment_token": "tok_ok"}

    attempts = [
        {**order, "lines": [{**line, "unit_price": cheap}]},
        {**order, "lines": [{**line, "total": cheap}]},
        {**order, "total": cheap},
        {**order, "amount": cheap},
    ]
    answers = [
        await ada.send("POST", "/api/orders", content, key=f"try-{n}")
        for n, content in enumerate(attempts)
    ]
    honest = await ada.send("POST", "/api/orders", order, key="honest")

    assert [(each.status, slug_of(each)) for each in answers] == [(422, "invalid-body")] * 4
    assert honest.json()["total"] == {"amount_minor": 250, "currency": "EUR"}
    assert await shop.ledger() == CAPTURED_ONCE


async def test_defect_17_nothing_is_locked_while_the_provider_is_asked(shop):
    ada, bob = await shop.customer("Ada"), await shop.customer("Bob")
    await shop.stock("croissant", 5)
    served = []

    async def meanwhile(_: str) -> None:
        if len(shop.provider.asked) == 1:
            for service in shop.shop.databases:
                await shop.write(service, "UPDATE migration SET name = name")
            served.append(await bob.order(("croissant", 1)))

    shop.provider.before_charge = meanwhile
    answer = await ada.order(("croissant", 1))

    assert [each.status for each in served] == [201]
    assert answer.status == 201
    assert await shop.audit() == []


async def test_defect_17_a_provider_that_hangs_holds_up_its_own_orders_only(shop):
    ada, bob = await shop.customer("Ada"), await shop.customer("Bob")
    await shop.stock("croissant", 50)
    began_s = shop.clock.monotonic_s()
    finished_s = []

    async def hang(_: str) -> None:
        if len(shop.provider.asked) <= 5:
            await asyncio.Event().wait()

    async def timed_order() -> Answer:
        answer: Answer = await bob.order(("croissant", 1))
        finished_s.append(shop.clock.monotonic_s() - began_s)
        return answer

    shop.provider.before_charge = hang
    hanging = [ada.order(("croissant", 1)) for _ in range(5)]
    *late, prompt = await shop.all([*hanging, timed_order()])

    assert prompt.status == 201
    assert finished_s[0] < 1.0 < shop.clock.monotonic_s() - began_s
    assert {answer.status for answer in late} <= {201, 202}
    await shop.take_up_sagas()
    assert set((await shop.orders()).values()) == {"paid"}
    assert await shop.audit() == []


async def test_defect_17_a_transaction_cannot_wait_for_anything_but_itself(shop):
    loop = asyncio.get_running_loop()

    async def ask(_: Tx) -> None:
        await loop.create_future()

    for database in shop.shop.databases.values():
        with pytest.raises(Internal, match="awaited something that is not its own"):
            await database.transaction(ask)
