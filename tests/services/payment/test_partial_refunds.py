"""Partial refunds: each once, and never more back than was taken, whatever comes at once."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emporion.contracts.payment import (
    Payment,
    PaymentDeclined,
    PaymentStatus,
    RefundExceedsCapture,
    RefundRefused,
)
from emporion.kernel.errors import EmporionError, FailedPrecondition, Unavailable
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.payment import audit
from emporion.services.payment.adapters.book import entries_in
from emporion.services.payment.domain import (
    DifferentRefund,
    NothingToRefund,
    TooManyRefunds,
    refunds,
)
from tests.services.payment.desk import Desk, Interrupted, open_desk, order_id, part, request

PUBLISHED_AMOUNTS = "SELECT payload FROM outbox WHERE name = 'payments.refunded' ORDER BY position"


async def is_sound(desk: Desk) -> bool:
    """Whether our books agree with each other and with the provider's."""
    book = entries_in(desk.folder / "provider.log")
    found = [each async for each in audit.violations(desk.database)]
    found += [each async for each in audit.differences(desk.database, book)]
    return found == []


async def test_a_part_goes_back_once_and_the_rest_stays(desk: Desk):
    await desk.service.charge(request())

    payments = [await desk.service.refund_part(part("r1", 300)) for _ in range(3)]

    assert {(each.status, each.refunded) for each in payments} == {
        (PaymentStatus.CAPTURED, Money(300, "EUR"))
    }
    assert [entry.key for entry in desk.effects("refund")] == [f"refund-{order_id(1)}-r1"]
    assert await desk.transfers() == [("capture", 1250), ("refund", 300)]
    assert await desk.published() == ["payments.captured", "payments.refunded"]
    assert await desk.events() == [
        "payment.captured",
        "payment.refund_begun",
        "payment.part_refunded",
    ]
    assert await is_sound(desk)


async def test_each_part_is_announced_with_its_own_amount_and_id(desk: Desk):
    await desk.service.charge(request())
    await desk.service.refund_part(part("r1", 300))
    await desk.service.refund_part(part("r2", 950))

    payloads = [row[0] for row in await desk.rows(PUBLISHED_AMOUNTS)]

    assert [b'"refund_id":"r1"' in each for each in payloads] == [True, False]
    assert [b'"amount_minor":950' in each for each in payloads] == [False, True]


async def test_the_last_part_makes_the_payment_refunded(desk: Desk):
    await desk.service.charge(request())
    await desk.service.refund_part(part("r1", 1000))

    payment = await desk.service.refund_part(part("r2", 250))

    assert (payment.status, payment.refunded) == (PaymentStatus.REFUNDED, payment.amount)
    assert await desk.service.refund_part(part("r1", 1000)) == payment
    assert (await desk.service.refund(request())) == payment
    assert await desk.transfers() == [("capture", 1250), ("refund", 1000), ("refund", 250)]
    assert await is_sound(desk)


async def test_more_than_is_left_is_refused_and_says_how_much_is(desk: Desk):
    await desk.service.charge(request())
    await desk.service.refund_part(part("r1", 300))

    for _ in range(2):
        with pytest.raises(RefundExceedsCapture) as refusal:
            await desk.service.refund_part(part("r2", 951))
        assert refusal.value.fields == {"left_minor": 950, "currency": "EUR"}

    assert len(desk.effects("refund")) == 1
    assert (await desk.service.refund_part(part("r2", 950))).refunded == Money(1250, "EUR")


async def test_of_fifty_refunds_at_once_those_are_done_that_fit(desk: Desk):
    await desk.service.charge(request())
    beside = desk.beside()

    outcomes = await asyncio.gather(
        *(
            (desk if number % 2 else beside).service.refund_part(part(f"r{number}", 100))
            for number in range(50)
        ),
        return_exceptions=True,
    )

    done = [each for each in outcomes if isinstance(each, Payment)]
    refused = [each for each in outcomes if isinstance(each, RefundExceedsCapture)]
    assert (len(done), len(refused)) == (12, 38)
    assert sum(entry.amount.amount_minor for entry in desk.effects("refund")) == 1200
    assert await is_sound(desk)


async def test_the_same_refund_asked_for_fifty_times_at_once_goes_back_once(desk: Desk):
    await desk.service.charge(request())
    beside = desk.beside()

    payments = await asyncio.gather(
        *((desk, beside)[n % 2].service.refund_part(part("r1", 700)) for n in range(50))
    )

    assert {each.refunded for each in payments} == {Money(700, "EUR")}
    assert len(desk.effects("refund")) == 1
    assert await desk.transfers() == [("capture", 1250), ("refund", 700)]


async def test_undoing_gives_back_what_the_parts_have_left(desk: Desk):
    await desk.service.charge(request())
    await desk.service.refund_part(part("r1", 300))

    payments = [await desk.service.refund(request()) for _ in range(2)]

    assert {(each.status, each.refunded) for each in payments} == {
        (PaymentStatus.REFUNDED, Money(1250, "EUR"))
    }
    assert await desk.transfers() == [("capture", 1250), ("refund", 300), ("refund", 950)]
    with pytest.raises(RefundExceedsCapture) as refusal:
        await desk.service.refund_part(part("r2", 1))
    assert refusal.value.fields["left_minor"] == 0
    assert await is_sound(desk)


async def test_parts_and_the_undo_at_once_give_back_all_and_no_more(desk: Desk):
    await desk.service.charge(request())
    beside = desk.beside()

    outcomes = await asyncio.gather(
        *(desk.service.refund_part(part(f"r{number}", 130)) for number in range(5)),
        beside.service.refund(request()),
        *(beside.service.refund_part(part(f"s{number}", 130)) for number in range(5)),
        return_exceptions=True,
    )

    assert {type(each) for each in outcomes} <= {Payment, RefundExceedsCapture}
    assert sum(entry.amount.amount_minor for entry in desk.effects("refund")) == 1250
    assert await desk.rows("SELECT status, refunded_minor FROM payment") == [("refunded", 1250)]
    assert await is_sound(desk)


async def test_nothing_goes_back_that_was_not_captured(desk: Desk):
    with pytest.raises(PaymentDeclined):
        await desk.service.charge(request("tok_declined", order=2))
    await desk.service.refund(request(order=3))

    for number in (1, 2, 3):
        with pytest.raises(RefundExceedsCapture) as refusal:
            await desk.service.refund_part(part("r1", 1, order=number))
        assert refusal.value.fields == {"left_minor": 0, "currency": "EUR"}

    assert desk.effects() == []
    assert (await desk.service.charge(request())).status is PaymentStatus.CAPTURED


async def test_a_refund_waits_until_it_is_known_whether_money_was_taken(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_timeout"))

    with pytest.raises(Unavailable):
        await desk.service.refund_part(part("r1", 300))


async def test_what_is_no_refund_is_refused(desk: Desk):
    await desk.service.charge(request())
    await desk.service.refund_part(part("r1", 300))

    with pytest.raises(NothingToRefund):
        await desk.service.refund_part(part("r2", 0))
    with pytest.raises(CurrencyMismatch):
        await desk.service.refund_part(part("r2", 1, currency="USD"))
    with pytest.raises(DifferentRefund):
        await desk.service.refund_part(part("r1", 301))

    assert len(desk.effects("refund")) == 1


async def test_a_payment_has_a_bounded_number_of_refunds_and_can_still_be_undone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(refunds, "REFUNDS_MAX", 2)
    await desk.service.charge(request())
    for number in range(2):
        await desk.service.refund_part(part(f"r{number}", 1))

    with pytest.raises(TooManyRefunds):
        await desk.service.refund_part(part("r2", 1))

    assert (await desk.service.refund(request())).status is PaymentStatus.REFUNDED


async def test_what_the_provider_refuses_may_go_back_in_another_way(desk: Desk):
    """The provider's no is the answer for ever, and its amount is there to be refunded again."""
    await desk.service.charge(request())

    async def refuse(call: str) -> None:
        if call.endswith("-r1"):
            raise FailedPrecondition("the card was closed")

    desk.provider.before = refuse
    for _ in range(2):
        with pytest.raises(RefundRefused) as refusal:
            await desk.service.refund_part(part("r1", 1250))
        assert refusal.value.fields == {"reason": "the card was closed"}
    assert len(desk.provider.calls) == 2

    assert (await desk.service.refund_part(part("r2", 1250))).status is PaymentStatus.REFUNDED
    assert await desk.transfers() == [("capture", 1250), ("refund", 1250)]
    assert await is_sound(desk)


@pytest.mark.parametrize("side", ["before", "after"])
async def test_an_unknown_outcome_is_asked_for_again_until_it_is_known(desk: Desk, side: str):
    await desk.service.charge(request())

    async def lose(call: str) -> None:
        raise Unavailable("lost")

    setattr(desk.provider, side, lose)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await desk.service.refund_part(part("r1", 700))
    with pytest.raises(RefundExceedsCapture) as refusal:
        await desk.service.refund_part(part("r2", 551))
    assert refusal.value.fields["left_minor"] == 550  # what may have gone back counts as gone
    setattr(desk.provider, side, None)

    desk.clock.advance(10.0)
    assert await desk.recheck() is None

    assert await desk.transfers() == [("capture", 1250), ("refund", 700)]
    assert (await desk.service.refund_part(part("r1", 700))).refunded == Money(700, "EUR")
    assert len(desk.effects("refund")) == 1
    assert await is_sound(desk)


async def test_the_undo_first_brings_lost_parts_to_their_end(desk: Desk):
    await desk.service.charge(request())

    async def lose(call: str) -> None:
        desk.provider.after = None
        raise Unavailable("lost")

    desk.provider.after = lose
    with pytest.raises(Unavailable):
        await desk.service.refund_part(part("r1", 700))

    assert (await desk.service.refund(request())).status is PaymentStatus.REFUNDED
    assert [entry.amount.amount_minor for entry in desk.effects("refund")] == [700, 550]


@pytest.mark.parametrize("kind", ["part", "undo"])
@pytest.mark.parametrize("side", ["before", "after"])
async def test_a_crash_around_the_providers_answer_gives_back_once(
    engine, tmp_path: Path, side: str, kind: str
):
    async def crash(call: str) -> None:
        raise Interrupted(call)

    async with open_desk(tmp_path, engine) as desk:
        await desk.service.charge(request())
        await desk.service.refund_part(part("r0", 50))
        setattr(desk.provider, side, crash)
        with pytest.raises(Interrupted):
            await (
                desk.service.refund(request())
                if kind == "undo"
                else desk.service.refund_part(part("r1", 300))
            )

    async with open_desk(tmp_path, engine) as restarted:
        due_ms = await restarted.recheck()
        assert due_ms is not None  # the restarted process finds it without being asked
        restarted.clock.advance((due_ms - restarted.clock.now_ms()) / 1000)
        assert await restarted.recheck() is None
        assert len(restarted.effects("refund")) == 2
        assert await is_sound(restarted)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asks=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["r1", "r2", "r3"]), st.integers(1, 1250)),
            st.sampled_from(["undo", "charge", "recheck"]),
        ),
        max_size=8,
    ),
    lost=st.sets(st.integers(0, 12)),
)
async def test_whatever_the_order_of_arrival_the_books_agree(tmp_path_factory, asks, lost):
    """Any asks in any order, any answers lost: in the end both books say the same."""
    async with open_desk(tmp_path_factory.mktemp("desk"), "sqlite") as desk:

        async def lose(_: str) -> None:
            if len(desk.provider.calls) in lost:
                raise Unavailable("lost")

        desk.provider.after = lose
        for ask in asks:
            try:
                match ask:
                    case "undo":
                        await desk.service.refund(request())
                    case "charge":
                        await desk.service.charge(request())
                    case "recheck":
                        await desk.recheck()
                    case _:
                        await desk.service.refund_part(part(*ask))
            except EmporionError:
                continue
        desk.provider.after = None
        if await desk.rows("SELECT 1 FROM payment WHERE status = 'pending'"):
            await desk.service.charge(request())
        desk.clock.advance(86_400.0 * 2)
        assert await desk.recheck() is None
        assert await is_sound(desk)
