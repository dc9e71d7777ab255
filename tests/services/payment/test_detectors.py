"""The detectors find each planted irregularity, heal it by the usual commands, and no other."""

from datetime import UTC, datetime

import pytest

from emporion.chassis.sealing.people import REMEMBERED_S
from emporion.chassis.testing.time import START_MS
from emporion.contracts.payment import PaymentDeclined, PaymentOf, PaymentStatus
from emporion.contracts.payment_books import (
    DetectIrregularities,
    HealIrregularity,
    IrregularityKind,
    ListMovements,
    NothingToHeal,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.vault import PersonOf
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import Unavailable
from emporion.kernel.money import Money
from emporion.services.payment.adapters.book import Entry
from emporion.services.payment.domain import charge_key
from tests.services.payment.desk import USER, Desk, number_of, order_id, part, request
from tests.services.payment.test_partial_refunds import is_sound

EUR = Money(1250, "EUR")
KIND = IrregularityKind
LATER_S = 120.0


async def found(desk: Desk) -> list[tuple[str, int, int]]:
    """Kind, number of the order, and amount of each irregularity."""
    told = await desk.service.detect(DetectIrregularities())
    return [
        (each.kind.value, number_of(each.order_id), each.amount.amount_minor)
        for each in told.irregularities
    ]


async def heal(desk: Desk, kind: IrregularityKind, number: int = 1) -> bool:
    request = HealIrregularity(order_id=order_id(number), kind=kind, reason="planted")
    return (await desk.service.heal(request)).is_healed


async def healed(desk: Desk, until: datetime | None = None) -> list[tuple[str, str]]:
    """What the history of the payment of order 1 says of it."""
    asked = PaymentOf(order_id=order_id(1), as_of=until)
    told = await desk.service.payment_history(asked)
    return [(each.kind.value, each.reason) for each in told.healings]


async def plant_at_provider(desk: Desk, entry: Entry) -> None:
    desk.provider.real._book.put(entry)  # type: ignore[attr-defined]


async def test_a_shop_in_order_has_no_irregularities(desk: Desk):
    await desk.service.charge(request(order=1))
    await desk.service.charge(request(order=2))
    await desk.service.refund_part(part("r1", 100, order=2))
    await desk.service.charge(request(order=3))
    await desk.service.refund(request(order=3))
    desk.orders.gone(3)
    with pytest.raises(PaymentDeclined):
        await desk.service.charge(request("tok_declined", order=4))
    desk.orders.gone(4)
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_timeout", order=5))
    desk.orders.undecided(5)
    await desk.service.authorise(request(order=6))
    desk.orders.undecided(6)
    desk.clock.advance(LATER_S)

    assert await found(desk) == []
    for kind in KIND:
        with pytest.raises(NothingToHeal):
            await heal(desk, kind)


async def test_money_kept_for_an_order_that_is_gone_is_found_and_given_back(desk: Desk):
    await desk.service.charge(request())
    await desk.service.refund_part(part("r1", 250))
    desk.orders.gone(1)

    assert await found(desk) == [("paid_no_order", 1, 1000)]
    assert await heal(desk, KIND.PAID_NO_ORDER)

    assert await found(desk) == []
    assert (await desk.service.refund(request())).status is PaymentStatus.REFUNDED
    assert await desk.transfers() == [("capture", 1250), ("refund", 250), ("refund", 1000)]
    assert await healed(desk) == [("paid_no_order", "planted")]


async def test_why_it_was_healed_cannot_be_read_without_the_key_of_whose_money_it_is(desk: Desk):
    await desk.service.charge(request())
    desk.orders.gone(1)
    desk.clock.advance(1)
    assert await heal(desk, KIND.PAID_NO_ORDER)

    assert "planted" not in str(await desk.rows("SELECT * FROM healing"))
    assert await healed(desk) == [("paid_no_order", "planted")]
    assert await healed(desk, until=to_datetime(START_MS)) == []
    await desk.vault.destroy_key(PersonOf(person_id=USER))
    desk.clock.advance(REMEMBERED_S + 1)
    assert await healed(desk) == [("paid_no_order", "erased")]


async def test_money_at_the_provider_of_which_nothing_is_recorded_goes_back(desk: Desk):
    """The process died between the provider's yes and our record, and the order never came."""
    await desk.provider.real.charge(key=charge_key(order_id(1)), amount=EUR, token="tok_ok")
    desk.orders.gone(1)

    assert await found(desk) == [("paid_no_order", 1, 1250)]
    assert await heal(desk, KIND.PAID_NO_ORDER)

    assert await found(desk) == []
    assert await desk.transfers() == [("capture", 1250), ("refund", 1250)]
    assert await is_sound(desk)


async def test_a_charge_whose_saga_is_at_work_is_left_alone(desk: Desk):
    await desk.provider.real.charge(key=charge_key(order_id(1)), amount=EUR, token="tok_ok")
    desk.orders.undecided(1)

    assert await found(desk) == []


async def test_a_paid_order_whose_charge_has_no_known_end_asks_the_provider(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_timeout"))

    assert await found(desk) == [("order_no_money", 1, 1250)]
    assert await heal(desk, KIND.ORDER_NO_MONEY)

    assert await found(desk) == []
    assert await desk.transfers() == [("capture", 1250)]


async def test_a_paid_order_for_which_nobody_has_money_needs_a_person(desk: Desk):
    with pytest.raises(PaymentDeclined):
        await desk.service.charge(request("tok_declined"))

    assert await found(desk) == [("order_no_money", 1, 1250)]
    assert not await heal(desk, KIND.ORDER_NO_MONEY)


async def test_what_was_captured_twice_goes_back_once(desk: Desk):
    """Planted: a key minted for an attempt took the money a second time."""
    await desk.service.charge(request())
    key = f"again-{order_id(1)}"
    await plant_at_provider(desk, Entry("charge", key, f"rh_{key}", EUR))

    assert await found(desk) == [("captured_twice", 1, 1250)]
    assert await heal(desk, KIND.CAPTURED_TWICE)

    assert await found(desk) == []
    assert [entry.kind for entry in desk.effects()] == ["charge", "charge", "refund"]
    assert (await desk.service.charge(request())).status is PaymentStatus.CAPTURED
    assert await is_sound_at_provider(desk)


async def is_sound_at_provider(desk: Desk) -> bool:
    """Whether what the provider keeps for order 1 is what we think."""
    kept = sum(
        entry.amount.amount_minor * (-1 if entry.kind == "refund" else 1)
        for entry in desk.effects()
    )
    return kept == EUR.amount_minor


async def test_a_refund_that_has_no_end_is_found_and_asked_for_again(desk: Desk):
    await desk.service.charge(request())

    async def lose(_: str) -> None:
        raise Unavailable("lost")

    desk.provider.before = lose
    with pytest.raises(Unavailable):
        await desk.service.refund_part(part("r1", 300))
    desk.provider.before = None
    assert await found(desk) == []  # it is on its way
    desk.clock.advance(LATER_S)

    assert await found(desk) == [("refund_lost", 1, 1250)]
    assert await heal(desk, KIND.REFUND_LOST)

    assert await found(desk) == []
    assert await desk.transfers() == [("capture", 1250), ("refund", 300)]
    assert await is_sound(desk)


async def test_a_refund_that_the_provider_lost_is_asked_for_under_its_key(desk: Desk):
    """Planted: it stands in our books, and the provider has none."""
    await desk.service.charge(request())
    await desk.service.refund_part(part("r1", 300))
    book = desk.provider.real._book  # type: ignore[attr-defined]
    entries = book.entries()[:1]
    (desk.folder / "provider.log").write_bytes(b"")
    book.__init__(desk.folder / "provider.log")
    for entry in entries:
        book.put(entry)
    desk.clock.advance(LATER_S)

    assert await found(desk) == [("refund_lost", 1, 300)]
    assert await heal(desk, KIND.REFUND_LOST)

    assert await found(desk) == []
    assert [entry.key for entry in desk.effects("refund")] == [f"refund-{order_id(1)}-r1"]
    assert await is_sound(desk)


async def test_orders_of_before_are_not_looked_at(desk: Desk):
    await desk.service.charge(request())
    desk.orders.gone(1)
    since = datetime.fromtimestamp(desk.clock.now_ms() / 1000 + 60, UTC)

    told = await desk.service.detect(DetectIrregularities(since=since))

    assert (told.irregularities, told.examined) == ([], 0)


async def test_movements_are_what_the_provider_did_in_pages(desk: Desk):
    for number in (1, 2, 3):
        await desk.service.charge(request(order=number))
    await desk.service.refund_part(part("r1", 300, order=2))
    await desk.service.refund(request(order=3))

    told, cursor = [], ""
    while True:
        page = await desk.service.list_movements(ListMovements(limit=2, cursor=cursor))
        told += page.movements
        cursor = page.next_cursor
        if not cursor:
            break

    assert [(each.reference, each.amount) for each in told] == [
        (entry.reference, entry.amount)
        for entry in sorted(desk.effects(), key=lambda each: each.key.split("-")[1])
    ]
    with pytest.raises(UnknownCursor):
        await desk.service.list_movements(ListMovements(cursor="nonsense"))
