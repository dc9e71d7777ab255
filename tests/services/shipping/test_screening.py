"""Nothing leaves before it is screened, whatever comes first; staff can overrule, on record."""

import pytest

from emporion.chassis.sealing.people import REMEMBERED_S
from emporion.contracts.fraud import Decision, Verdict
from emporion.contracts.shipping import (
    FulfilmentOf,
    FulfilmentOver,
    FulfilmentStatus,
    NotCleared,
    ReleaseFulfilment,
    ShipmentStatus,
)
from emporion.contracts.vault import PersonOf
from emporion.kernel.errors import NotFound
from tests.services.shipping.dock import ADA, STAFF, cancelled, created, decided, screened


async def test_an_order_waits_for_its_screening(dock):
    order_id = await dock.paid(is_clear=False)
    with pytest.raises(NotCleared):
        await dock.ship(order_id)
    for _ in range(2):
        await dock.hear(screened(order_id))
    assert (await dock.ship(order_id)).status is ShipmentStatus.SHIPPED


async def test_an_order_on_hold_leaves_once_its_review_releases_it(dock):
    order_id = await dock.paid(is_clear=False)
    await dock.hear(screened(order_id, Verdict.HOLD))
    assert await dock.status(order_id) == "held"
    with pytest.raises(NotCleared):
        await dock.ship(order_id)
    for _ in range(2):
        await dock.hear(decided(order_id, Decision.RELEASE))
    assert (await dock.ship(order_id)).status is ShipmentStatus.SHIPPED


async def test_a_rejected_order_stays_on_hold_until_it_is_called_off(dock):
    order_id = await dock.paid(is_clear=False)
    await dock.hear(screened(order_id, Verdict.HOLD))
    await dock.hear(decided(order_id, Decision.REJECT))
    assert await dock.status(order_id) == "held"
    for _ in range(2):
        await dock.hear(cancelled(order_id))
    assert await dock.status(order_id) == "cancelled"


@pytest.mark.parametrize("verdict", Verdict)
async def test_a_verdict_may_come_before_its_order(dock, verdict):
    order_id = dock.order_id()
    await dock.hear(screened(order_id, verdict))
    with pytest.raises(NotFound):
        await dock.fulfilment(order_id)
    for _ in range(2):
        await dock.hear(created(order_id))
    expected = {Verdict.CLEAR: "ready", Verdict.HOLD: "held"}
    assert await dock.status(order_id) == expected[verdict]


@pytest.mark.parametrize("is_held", [True, False])
async def test_staff_can_release_with_a_reason_that_is_kept(dock, is_held):
    """So that a dead fraud service does not stop the warehouse."""
    order_id = await dock.paid(is_clear=False)
    if is_held:
        await dock.hear(screened(order_id, Verdict.HOLD))

    for reason in ("known customer", "too late"):
        request = ReleaseFulfilment(order_id=order_id, reason=reason)
        seen = await dock.as_staff(dock.api.release(request))
        assert seen.status is FulfilmentStatus.READY
        assert (seen.released_by, seen.release_reason) == (STAFF, "known customer")

    await dock.hear(screened(order_id, Verdict.HOLD))
    assert await dock.status(order_id) == "ready"
    assert (await dock.ship(order_id)).status is ShipmentStatus.SHIPPED


async def test_why_staff_released_it_cannot_be_read_without_the_key_of_whose_order_it_is(dock):
    order_id = await dock.paid(is_clear=False)
    request = ReleaseFulfilment(order_id=order_id, reason="Ada Lovelace called")
    await dock.as_staff(dock.api.release(request))

    (kept,) = await dock.rows("SELECT release_reason FROM fulfilment")
    seen = await dock.as_staff(dock.api.get_fulfilment(FulfilmentOf(order_id=order_id)))
    await dock.vault.destroy_key(PersonOf(person_id=ADA))
    dock.runtime.clock.advance(REMEMBERED_S + 1)
    erased = await dock.as_staff(dock.api.get_fulfilment(FulfilmentOf(order_id=order_id)))

    assert "Ada" not in kept[0]
    assert (seen.release_reason, erased.release_reason) == ("Ada Lovelace called", "erased")


async def test_what_is_unknown_or_cancelled_cannot_be_released(dock):
    request = ReleaseFulfilment(order_id=dock.order_id(), reason="why not")
    with pytest.raises(NotFound):
        await dock.as_staff(dock.api.release(request))
    order_id = await dock.paid()
    await dock.hear(cancelled(order_id))
    with pytest.raises(FulfilmentOver):
        await dock.as_staff(
            dock.api.release(ReleaseFulfilment(order_id=order_id, reason="why not"))
        )
