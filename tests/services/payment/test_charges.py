"""Charging: once for each order, whatever the provider does and wherever we stop."""

import asyncio
import logging
from pathlib import Path

import pytest

from emporion.chassis.testing.time import settle
from emporion.contracts.payment import PaymentDeclined, PaymentStatus, PaymentVoided
from emporion.kernel.errors import Conflict, Unavailable
from emporion.kernel.money import Money
from emporion.services.payment.adapters.rehearsal import RehearsalProvider
from emporion.services.payment.domain import (
    DifferentCharge,
    NoPaymentMethod,
    NothingToCharge,
    charge_key,
)
from emporion.services.payment.ports import Answer, Decline
from tests.services.payment.desk import OTHER_USER, Desk, Interrupted, open_desk, order_id, request


async def test_a_charge_is_recorded_with_its_event_row_transfer_and_announcement(desk: Desk):
    payment = await desk.service.charge(request())

    assert payment.status is PaymentStatus.CAPTURED
    assert payment.amount == Money(1250, "EUR")
    assert payment.refunded == Money(0, "EUR")
    assert payment.payment_id == "pay_" + order_id(1)[4:]
    assert [entry.reference for entry in desk.effects()] == [payment.provider_reference]
    assert await desk.events() == ["payment.captured"]
    assert await desk.transfers() == [("capture", 1250)]
    assert await desk.published() == ["payments.captured"]


async def test_defect_2_a_retried_charge_takes_the_money_once(desk: Desk):
    first = await desk.service.charge(request())
    again = await desk.service.charge(request())

    assert again == first
    assert len(desk.effects()) == 1
    assert await desk.published() == ["payments.captured"]


async def test_the_same_payment_twenty_times_at_once_is_one_charge(desk: Desk):
    payments = await asyncio.gather(*(desk.service.charge(request()) for _ in range(20)))

    assert payments == [payments[0]] * 20
    assert desk.provider.calls == [f"charge {charge_key(order_id(1))}"]
    assert len(desk.effects()) == 1
    assert await desk.transfers() == [("capture", 1250)]


async def test_a_decline_is_the_same_answer_for_ever(desk: Desk):
    with pytest.raises(PaymentDeclined) as first:
        await desk.service.charge(request("tok_declined"))
    with pytest.raises(PaymentDeclined) as second:
        await desk.service.charge(request("tok_ok"))

    assert first.value.fields == second.value.fields == {"reason": "insufficient_funds"}
    assert len(desk.provider.calls) == 1
    assert desk.effects() == []
    assert await desk.transfers() == []
    assert await desk.published() == []


async def test_an_unknown_payment_method_is_declined(desk: Desk):
    with pytest.raises(PaymentDeclined) as refusal:
        await desk.service.charge(request("tok_unheard_of"))

    assert refusal.value.fields == {"reason": "invalid_payment_method"}


@pytest.mark.parametrize("token", ["tok_timeout", "tok_timeout_lost"])
async def test_a_charge_whose_answer_is_lost_is_pending_until_it_is_known(desk: Desk, token: str):
    for _ in range(2):
        with pytest.raises(Unavailable):
            await desk.service.charge(request(token))
        assert await desk.rows("SELECT status FROM payment") == [("pending",)]
        assert await desk.published() == []

    payment = await desk.service.charge(request(token))

    assert payment.status is PaymentStatus.CAPTURED
    assert len(desk.effects()) == 1
    assert await desk.events() == ["payment.attempted", "payment.captured"]
    assert await desk.transfers() == [("capture", 1250)]
    assert await desk.published() == ["payments.captured"]


async def test_a_provider_that_never_answers_leaves_the_payment_pending(desk: Desk):
    for _ in range(5):
        with pytest.raises(Unavailable):
            await desk.service.charge(request("tok_never"))

    assert await desk.rows("SELECT status FROM payment") == [("pending",)]
    assert await desk.events() == ["payment.attempted"]


async def test_a_late_answer_is_waited_for_and_counts_once(desk: Desk):
    charging = asyncio.ensure_future(desk.service.charge(request("tok_late")))
    await desk.asked()
    await desk.clock.run(1.9)
    assert not charging.done()
    await desk.clock.run(0.2)

    assert (await charging).status is PaymentStatus.CAPTURED
    await settle()
    assert len(desk.effects()) == 1
    assert await desk.transfers() == [("capture", 1250)]
    assert await desk.published() == ["payments.captured"]


async def test_a_late_answer_settles_the_payment_of_a_caller_who_gave_up(desk: Desk):
    charging = asyncio.ensure_future(desk.service.charge(request("tok_late")))
    await desk.asked()
    charging.cancel()
    await asyncio.gather(charging, return_exceptions=True)
    await until(desk, "pending")

    await desk.clock.run(3.0)
    await until(desk, "captured")

    assert (await desk.service.charge(request("tok_late"))).status is PaymentStatus.CAPTURED
    assert len(desk.provider.calls) == 1
    assert await desk.published() == ["payments.captured"]


async def test_an_answer_that_comes_twice_counts_once(desk: Desk):
    await desk.service.charge(request("tok_twice"))
    await settle()

    assert len(desk.effects()) == 1
    assert await desk.transfers() == [("capture", 1250)]
    assert await desk.published() == ["payments.captured"]


async def test_an_answer_about_nothing_recorded_is_left_to_the_charge(desk: Desk):
    await desk.provider.real.charge(
        key=charge_key(order_id(1)), amount=Money(1250, "EUR"), token="tok_twice"
    )
    await settle()
    assert await desk.rows("SELECT status FROM payment") == []

    assert (await desk.service.charge(request())).status is PaymentStatus.CAPTURED
    assert len(desk.effects()) == 1


async def test_a_crash_between_the_providers_answer_and_the_record_charges_once(
    engine, tmp_path: Path
):
    async def crash(call: str) -> None:
        raise Interrupted(call)

    async with open_desk(tmp_path, engine) as desk:
        desk.provider.after = crash
        with pytest.raises(Interrupted):
            await desk.service.charge(request())
        assert await desk.rows("SELECT * FROM payment") == []
        assert len(desk.effects()) == 1

    async with open_desk(tmp_path, engine) as restarted:
        payment = await restarted.service.charge(request())

        assert payment.status is PaymentStatus.CAPTURED
        assert len(restarted.effects()) == 1
        assert await restarted.transfers() == [("capture", 1250)]


async def test_another_process_that_records_first_decides(desk: Desk, tmp_path: Path):
    """Two writers of one order: the stream's version lets one in, the other takes its word."""

    async def other_process(call: str) -> None:
        desk.provider.after = None
        await another.service.charge(request())

    another = desk.beside()
    desk.provider.after = other_process

    payment = await desk.service.charge(request())

    assert payment.status is PaymentStatus.CAPTURED
    assert len(desk.effects()) == 1
    assert await desk.events() == ["payment.captured"]
    assert await desk.published() == ["payments.captured"]


async def test_an_order_is_never_charged_another_amount_or_person(desk: Desk):
    await desk.service.charge(request())

    with pytest.raises(DifferentCharge):
        await desk.service.charge(request(amount=Money(9900, "EUR")))
    with pytest.raises(DifferentCharge):
        await desk.service.charge(request(user=OTHER_USER))
    assert issubclass(DifferentCharge, Conflict)
    assert len(desk.effects()) == 1


async def test_a_charge_of_nothing_is_refused_before_the_provider_is_asked(desk: Desk):
    with pytest.raises(NothingToCharge):
        await desk.service.charge(request(amount=Money(0, "EUR")))
    with pytest.raises(NothingToCharge):
        await desk.service.charge(request(amount=Money(-5, "EUR")))

    assert desk.provider.calls == []
    assert await desk.rows("SELECT * FROM payment") == []


async def test_defect_17_no_transaction_is_open_while_the_provider_is_asked(desk: Desk):
    """Another order's payment commits in the middle of a provider call, so nothing is locked."""

    async def meanwhile(call: str) -> None:
        desk.provider.before = None
        await desk.service.charge(request(order=2))
        assert desk.database.waiting == 0

    desk.provider.before = meanwhile
    await desk.service.charge(request(order=1))

    assert len(await desk.transfers()) == 2


async def test_defect_14_no_payment_token_is_stored_logged_or_shown(
    desk: Desk, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    tokens = ["tok_ok", "tok_declined", "tok_timeout", "tok_never", "tok_twice", "tok_secret-77"]
    errors = []
    for order, token in enumerate(tokens, start=1):
        try:
            await desk.service.charge(request(token, order=order))
        except (PaymentDeclined, Unavailable) as error:
            errors.append(f"{error} {error.detail} {dict(error.fields)}")
        await desk.service.refund(request(token, order=order)) if token != "tok_never" else None
    await settle()

    said = caplog.text + "".join(errors)
    written = b"".join(file.read_bytes() for file in desk.folder.iterdir())
    for token in tokens:
        assert token not in said
        assert token.encode() not in written


async def test_defect_14_a_providers_words_are_stored_without_the_token(desk: Desk):
    class Talkative(RehearsalProvider):
        async def charge(self, *, key: str, amount: Money, token: str) -> Answer:
            return Decline(f"the method {token} is not accepted")

    desk.provider.real = Talkative(desk.runtime.tasks)

    with pytest.raises(PaymentDeclined) as refusal:
        await desk.service.charge(request("tok_secret-77"))

    assert refusal.value.fields == {"reason": "the method [token] is not accepted"}
    written = b"".join(file.read_bytes() for file in desk.folder.iterdir())
    assert b"tok_secret-77" not in written


async def test_a_voided_payment_is_never_charged(desk: Desk):
    await desk.service.refund(request())

    with pytest.raises(PaymentVoided):
        await desk.service.charge(request())

    assert desk.effects() == []


async def until(desk: Desk, status: str) -> None:
    """Wait, for as long as the test may run, until the payment stands so."""
    while await desk.rows("SELECT status FROM payment") != [(status,)]:
        await asyncio.sleep(0.001)


async def test_a_charge_needs_a_payment_method_and_its_undo_does_not(desk: Desk):
    with pytest.raises(NoPaymentMethod):
        await desk.service.charge(request(None))
    captured = await desk.service.charge(request())

    assert await desk.service.charge(request(None)) == captured
    assert (await desk.service.refund(request(None))).status is PaymentStatus.REFUNDED
