"""Undoing: all of the money, at most once, also before the charge is known."""

import asyncio
from pathlib import Path

import pytest

from emporion.chassis.testing.time import settle
from emporion.contracts.payment import PaymentDeclined, PaymentStatus, PaymentVoided
from emporion.kernel.errors import FailedPrecondition, Unavailable
from emporion.kernel.money import Money
from emporion.services.payment import audit
from emporion.services.payment.adapters.book import entries_in
from emporion.services.payment.commands import recorder
from emporion.services.payment.domain import DifferentCharge, charge_key
from tests.services.payment.desk import OTHER_USER, Desk, Interrupted, open_desk, order_id, request

DAY_S = 86_400.0


async def test_defect_1_a_captured_payment_can_be_given_back(desk: Desk):
    await desk.service.charge(request())

    payment = await desk.service.refund(request())

    assert payment.status is PaymentStatus.REFUNDED
    assert payment.refunded == payment.amount
    assert [entry.kind for entry in desk.effects()] == ["charge", "refund"]
    assert await desk.transfers() == [("capture", 1250), ("refund", 1250)]
    assert await desk.published() == ["payments.captured", "payments.refunded"]


async def test_a_repeated_refund_gives_back_once(desk: Desk):
    await desk.service.charge(request())

    payments = await asyncio.gather(*(desk.service.refund(request()) for _ in range(10)))

    assert {payment.status for payment in payments} == {PaymentStatus.REFUNDED}
    assert len(desk.effects("refund")) == 1
    assert await desk.published() == ["payments.captured", "payments.refunded"]


async def test_a_refunded_payment_is_never_charged_again(desk: Desk):
    await desk.service.charge(request())
    await desk.service.refund(request())

    with pytest.raises(PaymentVoided):
        await desk.service.charge(request())

    assert len(desk.effects("charge")) == 1


async def test_undo_before_do_leaves_a_tombstone_that_do_respects(desk: Desk):
    payment = await desk.service.refund(request())
    assert payment.status is PaymentStatus.VOIDED

    for _ in range(2):
        with pytest.raises(PaymentVoided):
            await desk.service.charge(request())
    assert (await desk.service.refund(request())).status is PaymentStatus.VOIDED
    assert desk.effects() == []
    assert await desk.transfers() == []
    assert await desk.published() == []


async def test_undo_of_a_declined_charge_changes_nothing(desk: Desk):
    with pytest.raises(PaymentDeclined):
        await desk.service.charge(request("tok_declined"))

    assert (await desk.service.refund(request("tok_declined"))).status is PaymentStatus.DECLINED
    with pytest.raises(PaymentDeclined):
        await desk.service.charge(request("tok_declined"))


async def test_undo_of_a_charge_whose_answer_was_lost_gives_the_money_back(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_timeout"))

    payment = await desk.service.refund(request("tok_timeout"))

    assert payment.status is PaymentStatus.REFUNDED
    assert [entry.kind for entry in desk.effects()] == ["charge", "refund"]
    assert await desk.transfers() == [("capture", 1250), ("refund", 1250)]
    assert await desk.published() == ["payments.captured", "payments.refunded"]
    assert await desk.events() == ["payment.attempted", "payment.voided", "payment.returned"]


async def test_undo_of_a_charge_whose_request_was_lost_voids_it(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_timeout_lost"))

    assert (await desk.service.refund(request("tok_timeout_lost"))).status is PaymentStatus.VOIDED
    assert desk.effects() == []


async def test_undo_after_a_crash_before_the_record_gives_the_money_back(engine, tmp_path: Path):
    async def crash(call: str) -> None:
        raise Interrupted(call)

    async with open_desk(tmp_path, engine) as desk:
        desk.provider.after = crash
        with pytest.raises(Interrupted):
            await desk.service.charge(request())

    async with open_desk(tmp_path, engine) as restarted:
        assert (await restarted.service.refund(request())).status is PaymentStatus.REFUNDED
        assert len(restarted.effects("refund")) == 1


@pytest.mark.parametrize("token", ["tok_ok", "tok_timeout"])
async def test_a_crash_during_the_refund_gives_back_once(engine, tmp_path: Path, token: str):
    async def crash(call: str) -> None:
        if call.startswith("refund"):
            raise Interrupted(call)

    async with open_desk(tmp_path, engine) as desk:
        try:
            await desk.service.charge(request(token))
        except Unavailable:
            assert token == "tok_timeout"
        desk.provider.after = crash
        with pytest.raises(Interrupted):
            await desk.service.refund(request(token))
        assert len(desk.effects("refund")) == 1

    async with open_desk(tmp_path, engine) as restarted:
        assert (await restarted.service.refund(request(token))).status is PaymentStatus.REFUNDED
        assert len(restarted.effects("refund")) == 1
        assert await restarted.transfers() == [("capture", 1250), ("refund", 1250)]


async def test_undo_is_not_done_while_the_provider_says_nothing(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_never"))

    for _ in range(2):
        with pytest.raises(Unavailable):
            await desk.service.refund(request("tok_never"))
    with pytest.raises(PaymentVoided):
        await desk.service.charge(request("tok_never"))


async def test_a_charge_on_its_way_while_its_order_is_undone_is_given_back(desk: Desk):
    """The undo comes from another process while this one waits for the provider's answer."""

    async def undo_meanwhile(call: str) -> None:
        desk.provider.before = None
        await desk.beside().service.refund(request())

    desk.provider.before = undo_meanwhile

    with pytest.raises(PaymentVoided):
        await desk.service.charge(request())

    assert [entry.kind for entry in desk.effects()] == ["charge", "refund"]
    assert await desk.transfers() == [("capture", 1250), ("refund", 1250)]


async def test_a_charge_that_surfaces_after_its_undo_is_given_back_by_the_recheck(desk: Desk):
    await desk.service.refund(request())
    await desk.provider.real.charge(
        key=charge_key(order_id(1)), amount=Money(1250, "EUR"), token="tok_ok"
    )

    next_ms = await desk.recheck()
    assert next_ms == desk.clock.now_ms() + 60_000
    desk.clock.advance(60.0)
    assert await desk.recheck() is None

    assert [entry.kind for entry in desk.effects()] == ["charge", "refund"]
    assert await desk.rows("SELECT status FROM payment") == [("refunded",)]


async def test_an_answer_for_a_voided_payment_is_given_back(desk: Desk):
    await desk.service.refund(request())
    await desk.provider.real.charge(
        key=charge_key(order_id(1)), amount=Money(1250, "EUR"), token="tok_twice"
    )
    await settle()
    while await desk.rows("SELECT status FROM payment") != [("refunded",)]:
        await asyncio.sleep(0.001)

    assert [entry.kind for entry in desk.effects()] == ["charge", "refund"]


async def test_money_taken_after_a_decline_goes_back_and_both_are_in_the_ledger(desk: Desk):
    await decline_and_take(desk)
    assert await desk.rows("SELECT status FROM payment") == [("owed",)]
    assert await desk.transfers() == [("capture", 1250)]

    assert await desk.recheck() is None

    assert [entry.kind for entry in desk.effects()] == ["charge", "refund"]
    assert await desk.transfers() == [("capture", 1250), ("refund", 1250)]
    assert await desk.published() == ["payments.captured", "payments.refunded"]
    assert await desk.rows("SELECT status, recheck_at_ms FROM payment") == [("refunded", None)]
    book = entries_in(desk.folder / "provider.log")
    assert [found async for found in audit.differences(desk.database, book)] == []
    assert [found async for found in audit.violations(desk.database)] == []


async def test_money_taken_after_a_decline_goes_back_after_a_restart(engine, tmp_path: Path):
    """The provider cannot be reached when it tells us; then the process dies."""

    async def unreachable(call: str) -> None:
        if call.startswith("refund"):
            raise Unavailable

    async with open_desk(tmp_path, engine) as desk:
        desk.provider.before = unreachable
        await decline_and_take(desk)
        with pytest.raises(Unavailable):
            await desk.recheck()

    async with open_desk(tmp_path, engine) as restarted:
        restarted.clock.advance(60.0)
        await restarted.recheck()
        await restarted.recheck()

        assert len(restarted.effects("refund")) == 1
        assert await restarted.transfers() == [("capture", 1250), ("refund", 1250)]


async def test_a_decline_stays_the_answer_whatever_the_provider_says_later(desk: Desk):
    await decline_and_take(desk)
    for _ in range(2):
        with pytest.raises(PaymentDeclined) as refusal:
            await desk.service.charge(request())
        assert refusal.value.fields == {"reason": "insufficient_funds"}
        await desk.recheck()

    assert len(desk.effects("charge")) == 1


async def test_undo_gives_back_what_was_taken_after_a_decline(desk: Desk):
    await decline_and_take(desk)

    assert (await desk.service.refund(request())).status is PaymentStatus.REFUNDED
    await desk.recheck()
    assert len(desk.effects("refund")) == 1


async def decline_and_take(desk: Desk) -> None:
    """The provider declines, then takes the money and says so."""
    with pytest.raises(PaymentDeclined):
        await desk.service.charge(request("tok_declined_late"))
    await desk.clock.run(2.1)
    while await desk.rows("SELECT status FROM payment") == [("declined",)]:
        await asyncio.sleep(0.001)


async def test_rechecks_of_voided_payments_end_after_a_day(desk: Desk):
    await desk.service.refund(request())
    due_s = []
    started_ms = desk.clock.now_ms()
    while (next_ms := await desk.recheck()) is not None:
        due_s.append((next_ms - started_ms) // 1000)
        desk.clock.advance((next_ms - desk.clock.now_ms()) / 1000)

    assert due_s == [60, 600, 3_600, 86_400]


async def test_one_recheck_that_cannot_be_answered_holds_up_no_other(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_never", order=1))
    with pytest.raises(Unavailable):
        await desk.service.refund(request("tok_never", order=1))
    await desk.service.refund(request(order=2))
    desk.clock.advance(DAY_S * 2)

    with pytest.raises(Unavailable):
        await desk.recheck()

    assert await desk.rows("SELECT order_id FROM payment WHERE recheck_at_ms IS NOT NULL") == [
        (order_id(1),)
    ]


async def test_rechecks_that_fail_leave_their_place_to_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    """As many as one run takes cannot be answered; the one behind them gets its turn."""
    monkeypatch.setattr(recorder, "RECHECKS_PER_RUN", 2)
    for number in (1, 2):
        with pytest.raises(Unavailable):
            await desk.service.charge(request("tok_never", order=number))
        with pytest.raises(Unavailable):
            await desk.service.refund(request("tok_never", order=number))
    desk.clock.advance(1.0)
    await desk.service.refund(request(order=3))
    desk.clock.advance(60.0)

    with pytest.raises(Unavailable):
        await desk.recheck()
    desk.provider.calls.clear()
    await desk.recheck()

    assert desk.provider.calls == [f"find {charge_key(order_id(3))}"]


async def test_defect_9_the_undo_of_a_losing_run_cannot_refund_the_winners_payment(desk: Desk):
    """A run that was about another amount or person is not about this payment."""
    won = await desk.service.charge(request())

    with pytest.raises(DifferentCharge):
        await desk.service.refund(request(amount=Money(9900, "EUR")))
    with pytest.raises(DifferentCharge):
        await desk.service.refund(request(user=OTHER_USER))
    await desk.service.refund(request(order=2))

    assert await desk.service.charge(request()) == won
    assert desk.effects("refund") == []


async def test_defect_9_an_order_has_one_payment_however_many_runs_charge_it(desk: Desk):
    runs = [desk, desk.beside(), desk.beside()]
    payments = await asyncio.gather(*(run.service.charge(request()) for run in runs))

    assert len({payment.payment_id for payment in payments}) == 1
    assert len(desk.effects("charge")) == 1
    assert await desk.transfers() == [("capture", 1250)]


async def test_the_provider_gives_back_no_more_than_it_took(desk: Desk):
    payment = await desk.service.charge(request())
    with pytest.raises(FailedPrecondition):
        await desk.provider.real.refund(
            key="refund-x", reference=payment.provider_reference, amount=Money(1251, "EUR")
        )
    with pytest.raises(FailedPrecondition):
        await desk.provider.real.refund(
            key="refund-y", reference="rh_nothing", amount=Money(1, "EUR")
        )
    assert desk.effects("refund") == []
