"""How far subscribers are behind, told alike by the running shop and by its files."""

import pytest

from emporion.platform.audit.subscribers import REACTS_TO
from emporion.platform.audit.traffic import lags
from tests.defects.whole_shop import WholeShop


@pytest.fixture
async def shop(tmp_path):
    whole = WholeShop(tmp_path / "shop")
    await whole.open()
    yield whole
    await whole.close()


def test_the_files_are_read_by_what_the_services_react_to(shop):
    built = {
        name: sorted(subscription.event.SPEC.name for subscription in assembly.subscriptions)
        for name, assembly in shop.shop.assemblies.items()
        if assembly.subscriptions
    }

    assert {name: sorted(events) for name, events in REACTS_TO.items()} == built


async def test_what_a_subscriber_does_not_react_to_does_not_wait_for_it(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 9)
    await ada.order(("croissant", 1))
    await shop.deliver()
    for _ in range(3):  # announced as rejected: mail hears of it, inventory does not
        await ada.order(("croissant", 1), token="tok_declined")
    assert (await waiting(shop)).items() >= {"email": 3, "inventory": 0}.items()

    await shop.deliver()
    assert not any((await waiting(shop)).values())

    for _ in range(2):
        await ada.order(("croissant", 1))
    assert (await waiting(shop)).items() >= {"email": 2, "inventory": 2}.items()


async def waiting(shop) -> dict[str, int]:
    """What the shop says, and that its files say the same."""
    running = {(lag.source, lag.subscriber): lag.waiting for lag in await shop.shop.bus.lag()}
    stored = {(lag.source, lag.subscriber): lag.waiting for lag in await lags(shop.shop.databases)}
    assert stored == running
    return {
        subscriber: waiting
        for (source, subscriber), waiting in running.items()
        if source == "order"
    }
