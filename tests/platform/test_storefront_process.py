"""The storefront apart from its shop: the same pages over REST, and a page when it is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from emporion.chassis.http.app import HttpApp
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.contracts.contract import rpcs
from emporion.contracts.user import ContactsOf, UserService
from emporion.kernel.errors import PermissionDenied
from emporion.platform.client.address import Address
from emporion.platform.client.connection import Connection
from emporion.platform.rest_asking import RestAsking
from emporion.platform.settings import Settings
from emporion.platform.storefront_process import prepared, storefront_app
from emporion.platform.supervisor.ports import free_port
from emporion.web.asking import Asked
from tests.api.live import Live, live_shop
from tests.web.storefront.people import put_into_cart, signed_up
from tests.web.visitor import Visitor


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Live]:
    with live_shop(tmp_path_factory.mktemp("apart") / "data") as live:
        yield live


@pytest_asyncio.fixture
async def app_over() -> AsyncIterator[Callable[[str], HttpApp]]:
    """Makes the pages over the shop at a URL; its connections are closed at the end."""
    made: list[RestAsking] = []

    def make(url: str) -> HttpApp:
        made.append(RestAsking(Address.parse(url)))
        runtime = system_runtime()
        around = (runtime, Telemetry(runtime))
        return storefront_app(Settings(), made[-1], around, closed=lambda: "")

    yield make
    for asking in made:
        asking.close()
    await asyncio.sleep(0)  # the transports close in the loop's next turn


async def test_a_customer_buys_in_front_of_a_shop_elsewhere(shop, app_over):
    visitor = await signed_up(app_over(shop.url))
    await put_into_cart(visitor, "croissant", quantity=2)
    page = await visitor.get("/checkout")
    wishes: dict[str, Any] = {"country": "DE", "delivery": "post", "action": "order"}

    declined = await visitor.submit(page, "/checkout", **wishes, payment="tok_declined")
    paid = await visitor.submit(declined, "/checkout", **wishes, payment="tok_ok")
    off = await visitor.submit(paid, f"{paid.path}/cancel")
    stream = await visitor.get(f"{paid.path}/live")

    assert declined.status == 402 and "The payment was declined" in declined.text
    assert "your order is paid" in paid.text and "€9.90" in paid.text
    assert "Your order was called off" in off.text and "event: over" in stream.html


async def test_a_session_is_renewed_over_rest(shop, app_over):
    visitor = await signed_up(app_over(shop.url))
    del visitor.cookies["access"]

    page = await visitor.get("/orders")

    assert page.status == 200 and "No orders yet" in page.text
    visitor.cookies["access"] = "forged.forged.forged"
    assert (await visitor.get("/orders")).status == 200


async def test_a_shop_that_is_away_is_a_page_that_says_so(app_over):
    visitor = Visitor(app_over(f"http://127.0.0.1:{free_port('127.0.0.1')}"))

    page = await visitor.get("/")

    assert page.status == 503 and "catching our breath" in page.text


async def test_what_is_for_services_only_is_not_asked(shop):
    rpc = rpcs(UserService)["contacts"]
    trace = Telemetry(system_runtime()).trace_of(None)
    asking = RestAsking(Address.parse(shop.url))

    with pytest.raises(PermissionDenied):
        await asking.ask(Asked(UserService, rpc, ContactsOf(user_ids=[]), "", trace))


async def test_the_process_serves_pages_and_drains(shop):
    async with prepared(Settings(port=0), Address.parse(shop.url)) as (lifecycle, url):
        await lifecycle.start()
        try:
            connection = Connection(Address.parse(url()))
            home = await connection.call(
                connection.head("GET", "/", "Accept: text/html\r\n"), timeout_s=10
            )
            ready = await connection.call(connection.head("GET", "/readyz"), timeout_s=10)
            connection.close()
        finally:
            await lifecycle.stop()

    assert home.status == ready.status == 200
    assert b"Almond slice" in home.body
