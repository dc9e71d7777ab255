"""Who only listens cannot fail an order: raising, standing still, or answering nonsense."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.platform.docs.calls import calls_of
from emporion.platform.docs.source import services
from emporion.platform.process import serving
from emporion.platform.settings import Settings
from emporion.services.analytics.adapters.sql import SqlFigures
from emporion.services.recommendation.adapters.sql import SqlCounts
from tests.system import files
from tests.system.accounts import Customer, sign_up
from tests.system.polling import eventually
from tests.system.running import ROOT
from tests.system.wire import Wire

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
ORDERS = 20
STANDS_S_MAX = 60.0
BYSTANDERS = {
    "recommendation": (SqlCounts, "add", "SELECT orders FROM basket_total"),
    "analytics": (SqlFigures, "record", "SELECT count(*) FROM fact WHERE what = 'sold'"),
}
"""By name, what each does about an order, and how many orders it knows of."""


class Stuck:
    """Holds up whoever comes by, until it is let go."""

    def __init__(self) -> None:
        self.comers = 0
        self._is_over = threading.Event()

    async def __call__(self, *_: object, **__: object) -> None:
        """Stand still, as a statement that never ends does."""
        self.comers += 1
        self._is_over.wait(STANDS_S_MAX)

    def let_go(self) -> None:
        """All go on."""
        self._is_over.set()


async def fail(*_: object, **__: object) -> None:
    """What a defect does."""
    raise ZeroDivisionError("planted")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[tuple[str, Customer]]:
    async with serving(Settings(port=0, data=str(tmp_path / "shop"), drain_s=5)) as served:
        (ada,) = await sign_up(served.url, ["ada"])
        yield served.url, ada


async def orders_taken(url: str, customer: Customer, name: str) -> list[int]:
    """The statuses of ORDERS orders."""
    wire, statuses = Wire(url), []
    lines = [{"sku": "croissant", "quantity": 1}, {"sku": "espresso", "quantity": 1}]
    body = {"lines": lines, "payment_token": "tok_ok"}
    try:
        for number in range(ORDERS):
            headers = customer.headers | {"Idempotency-Key": f"{name}-{number}"}
            reply = await wire.ask("POST", "/api/orders", body, headers=headers)
            statuses.append(reply.status)
    finally:
        await wire.close()
    return statuses


@pytest.mark.parametrize("service", BYSTANDERS)
async def test_every_order_is_taken_while_a_bystander_fails_at_each(shop, service, monkeypatch):
    url, ada = shop
    store, first, _ = BYSTANDERS[service]
    monkeypatch.setattr(store, first, fail)

    assert await orders_taken(url, ada, "failing") == [201] * ORDERS


@pytest.mark.parametrize("service", BYSTANDERS)
async def test_every_order_is_taken_while_a_bystander_stands_still(shop, service, monkeypatch):
    url, ada = shop
    store, first, _ = BYSTANDERS[service]
    stuck = Stuck()
    monkeypatch.setattr(store, first, stuck)
    try:
        statuses = await orders_taken(url, ada, "stuck")
        await eventually(lambda: stuck.comers > 0, within_s=10, what="it stands still")
        statuses += await orders_taken(url, ada, "still-stuck")
    finally:
        stuck.let_go()

    assert statuses == [201] * 2 * ORDERS


@pytest.mark.parametrize("service", BYSTANDERS)
async def test_what_a_bystander_missed_it_learns_later(shop, service, tmp_path, monkeypatch):
    url, ada = shop
    store, first, known = BYSTANDERS[service]
    with monkeypatch.context() as broken:
        broken.setattr(store, first, fail)
        await orders_taken(url, ada, "missed")

    await eventually(
        lambda: files.number(tmp_path / "shop", service, known) == ORDERS,
        within_s=30,
        what="every order is known",
    )


@pytest.mark.parametrize("service", BYSTANDERS)
def test_nobody_who_sells_calls_a_bystander(service):
    callers = [one.name for one in services(ROOT) if service in calls_of(one)]

    assert callers == []
