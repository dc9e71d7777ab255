"""Authorising, capturing and voiding: held money is taken once or let go, never both."""

import asyncio
from pathlib import Path

import pytest

from emporion.contracts.payment import (
    CaptureHeld,
    NotAuthorised,
    PaymentDeclined,
    PaymentStatus,
    PaymentVoided,
    RefundExceedsCapture,
)
from emporion.kernel.errors import Unavailable
from emporion.kernel.money import Money
from emporion.services.payment.domain import DifferentCharge, charge_key, void_key
from tests.services.payment.desk import (
    OTHER_USER,
    Desk,
    Interrupted,
    open_desk,
    order_id,
    part,
    request,
)
from tests.services.payment.test_partial_refunds import is_sound


def held(order: int = 1) -> CaptureHeld:
    return CaptureHeld(order_id=order_id(order))


async def test_held_money_is_in_no_ledger_and_announced_to_nobody(desk: Desk):
    payments = [await desk.service.authorise(request()) for _ in range(2)]

    assert {each.status for each in payments} == {PaymentStatus.AUTHORISED}
    assert [entry.kind for entry in desk.effects()] == ["hold"]
    assert await desk.transfers() == []
    assert await desk.published() == []
    assert await is_sound(desk)


@pytest.mark.parametrize("way", ["capture", "charge"])
async def test_what_is_held_is_taken_once(desk: Desk, way: str):
    await desk.service.authorise(request())
    beside = desk.beside()

    payments = await asyncio.gather(
        *(
            each.service.capture(held()) if way == "capture" else each.service.charge(request())
            for each in (desk, beside) * 5
        )
    )

    assert {each.status for each in payments} == {PaymentStatus.CAPTURED}
    assert [entry.kind for entry in desk.effects()] == ["hold", "charge"]
    assert await desk.transfers() == [("capture", 1250)]
    assert await desk.published() == ["payments.captured"]
    assert (await desk.service.authorise(request())).status is PaymentStatus.CAPTURED
    assert await is_sound(desk)


async def test_what_was_held_and_taken_goes_back_in_parts_and_in_full(desk: Desk):
    await desk.service.authorise(request())
    with pytest.raises(RefundExceedsCapture):
        await desk.service.refund_part(part("r0", 1))
    await desk.service.capture(held())
    await desk.service.refund_part(part("r1", 250))

    assert (await desk.service.refund(request())).status is PaymentStatus.REFUNDED
    assert await desk.transfers() == [("capture", 1250), ("refund", 250), ("refund", 1000)]
    assert await is_sound(desk)


async def test_undoing_lets_go_of_what_is_held(desk: Desk):
    await desk.service.authorise(request())

    payments = [await desk.service.refund(request()) for _ in range(2)]

    assert {each.status for each in payments} == {PaymentStatus.VOIDED}
    assert [entry.kind for entry in desk.effects()] == ["hold", "void"]
    for _ in range(2):
        with pytest.raises(PaymentVoided):
            await desk.service.capture(held())
        with pytest.raises(PaymentVoided):
            await desk.service.authorise(request())
    assert await desk.transfers() == []
    assert await is_sound(desk)


async def test_what_is_held_no_more_at_the_provider_is_declined(desk: Desk):
    stored = await desk.service.authorise(request())
    await desk.provider.real.void(key=void_key(order_id(1)), reference=stored.provider_reference)

    for _ in range(2):
        with pytest.raises(PaymentDeclined) as refusal:
            await desk.service.capture(held())
        assert refusal.value.fields == {"reason": "it is not held any more"}
    assert await desk.transfers() == []


async def test_a_declined_authorisation_stays_declined(desk: Desk):
    for _ in range(2):
        with pytest.raises(PaymentDeclined):
            await desk.service.authorise(request("tok_declined"))
    with pytest.raises(PaymentDeclined):
        await desk.service.capture(held())
    assert desk.effects() == []


async def test_what_was_never_authorised_cannot_be_captured(desk: Desk):
    with pytest.raises(NotAuthorised):
        await desk.service.capture(held())


async def test_a_repeated_authorisation_must_be_about_the_same(desk: Desk):
    await desk.service.authorise(request())

    with pytest.raises(DifferentCharge):
        await desk.service.authorise(request(amount=Money(9900, "EUR")))
    with pytest.raises(DifferentCharge):
        await desk.service.charge(request(user=OTHER_USER))


@pytest.mark.parametrize("token", ["tok_timeout", "tok_timeout_lost"])
async def test_an_unknown_authorisation_is_asked_for_again(desk: Desk, token: str):
    for _ in range(2):
        with pytest.raises(Unavailable):
            await desk.service.authorise(request(token))
        with pytest.raises(Unavailable):
            await desk.service.capture(held())

    assert (await desk.service.authorise(request(token))).status is PaymentStatus.AUTHORISED
    assert [entry.kind for entry in desk.effects()] == ["hold"]


async def test_an_authorisation_whose_answer_was_lost_is_let_go_by_the_undo(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.service.authorise(request("tok_timeout"))

    assert (await desk.service.refund(request())).status is PaymentStatus.VOIDED
    assert [entry.kind for entry in desk.effects()] == ["hold", "void"]


async def test_an_authorisation_that_surfaces_after_its_undo_is_let_go(desk: Desk):
    await desk.service.refund(request())
    await desk.provider.real.authorise(
        key=charge_key(order_id(1)), amount=Money(1250, "EUR"), token="tok_ok"
    )

    await desk.recheck()
    desk.clock.advance(60.0)
    await desk.recheck()

    assert [entry.kind for entry in desk.effects()] == ["hold", "void"]
    assert await desk.transfers() == []


@pytest.mark.parametrize("side", ["before", "after"])
async def test_a_crash_while_capturing_takes_once(engine, tmp_path: Path, side: str):
    async def crash(call: str) -> None:
        raise Interrupted(call)

    async with open_desk(tmp_path, engine) as desk:
        await desk.service.authorise(request())
        setattr(desk.provider, side, crash)
        with pytest.raises(Interrupted):
            await desk.service.capture(held())

    async with open_desk(tmp_path, engine) as restarted:
        assert (await restarted.service.capture(held())).status is PaymentStatus.CAPTURED
        assert [entry.kind for entry in restarted.effects()] == ["hold", "charge"]
        assert await is_sound(restarted)


async def test_a_capture_that_meets_an_undo_ends_with_no_money_kept(desk: Desk):
    """The undo comes from another process while the capture is on its way."""
    await desk.service.authorise(request())

    async def undo_meanwhile(call: str) -> None:
        desk.provider.after = None
        await desk.beside().service.refund(request())

    desk.provider.after = undo_meanwhile
    with pytest.raises(PaymentVoided):
        await desk.service.capture(held())

    assert [entry.kind for entry in desk.effects()] == ["hold", "charge", "refund"]
    assert await desk.rows("SELECT status FROM payment") == [("refunded",)]
    assert await is_sound(desk)
