"""The desks in a real browser: every page, every action, with and without JavaScript."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.api.live import Live, live_shop
from tests.browser.chromium import DESKTOP, PHONE, Watched, watched
from tests.browser.desks import Scene, do, set_scene
from tests.browser.operator import sign_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
WHY = "seen in a test"
NOBODY = f"usr_{0:032x}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Live]:
    """The whole shop, with orders that are stuck for ever: its books are not closed."""
    folder = tmp_path_factory.mktemp("desks") / "data"
    with live_shop(folder, is_audited=False, is_telling=True) as live:
        yield live


@pytest.fixture(scope="module")
def scene(shop) -> Scene:
    """What there is to do."""
    made: Scene = shop.run(set_scene(shop.front))
    return made


@pytest_asyncio.fixture(loop_scope="module")
async def seen(shop: Live, browser: Browser, scene: Scene) -> AsyncIterator[Watched]:
    """A page of an operator; at the end it has not complained about anything."""
    async with watched(browser, shop.url) as watching:
        await sign_in(watching.page, shop.front)
        yield watching
        assert watching.complaints == []
        assert all(address.startswith(shop.url) for address in watching.asked), watching.asked


async def test_an_order_is_found_and_moved_through_time_without_loading_the_page(seen, scene):
    page = seen.page
    await page.goto("/console/orders")
    await page.get_by_label("Person").fill(NOBODY)
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("heading", name="No such orders")).to_be_visible()
    await page.get_by_label("Order id").fill(scene.returned)
    await page.get_by_role("button", name="Show").click()
    await page.wait_for_url(re.compile(f"/orders/{scene.returned}$"))

    slider = page.get_by_role("slider")
    last = int(await slider.get_attribute("max") or "0")
    assert last > 3
    when = page.locator(".moment-when")
    await expect(when).to_contain_text(f"Change {last} of {last}")
    await slider.press("Home")
    await expect(when).to_contain_text(f"Change 1 of {last}")
    await expect(page.locator(".states")).to_contain_text("not")
    await expect(page.locator(".causes")).to_contain_text("order.place_order")
    await slider.press("ArrowRight")
    await expect(when).to_contain_text(f"Change 2 of {last}")
    loads = [address for address in seen.asked if address.endswith(scene.returned)]
    assert len(loads) == 1, "the page was loaded again"

    await page.get_by_role("link", name="Next change").click()
    await expect(when).to_contain_text(f"Change 3 of {last}")
    await page.get_by_role("link", name="Everything").click()
    await expect(page.locator(".kind-data").first).to_be_visible()
    await page.locator("#story").get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
    await page.wait_for_url(re.compile("/console/traces/"))


async def test_without_javascript_one_goes_through_time_by_links(shop, browser, scene):
    async with watched(browser, shop.url, java_script_enabled=False) as seen:
        page = seen.page
        await sign_in(page, shop.front)
        await page.goto(f"/console/orders/{scene.returned}?at=1")
        when = page.locator(".moment-when")

        await page.get_by_role("link", name="Next change").click()
        await expect(when).to_contain_text("Change 2 of")
        await page.get_by_role("link", name="Previous change").click()
        await expect(when).to_contain_text("Change 1 of")
        await page.goto("/console/events/analytics")
        await do(page, "Pause delivery…", "Pause", why=WHY, clicks=2)
        await do(page, "Resume delivery…", "Resume", why=WHY)
        await expect(page.get_by_role("status")).to_contain_text("Delivery goes on")
        assert seen.complaints == []


async def test_a_stuck_saga_is_tried_again_and_another_called_off(seen, scene):
    page = seen.page
    await page.goto("/console/sagas?view=stuck")
    await page.get_by_role("link", name=f"…{scene.stuck[0][-8:]}").click()
    await expect(page.locator(".step-now")).to_contain_text("charge payment")
    await do(page, "Try again now", "Try again", why=WHY)
    await expect(page.get_by_role("status").first).to_contain_text("The next attempt is made now")
    await expect(page.locator(".deeds")).to_contain_text(WHY)

    await page.goto(f"/console/sagas/{scene.stuck[1]}")
    await do(page, "Force compensation…", "Undo everything", why=WHY, clicks=2)
    await expect(page.get_by_role("status").first).to_contain_text("It is called off")
    await expect(page.locator(".deeds li")).to_have_count(1)


async def test_dead_letters_are_redriven_one_by_one_and_together(seen, scene):
    page = seen.page
    await page.goto("/console/events")
    dead = page.get_by_role("region", name="Dead letters").locator("tbody tr")
    await expect(dead).to_have_count(len(scene.dead))
    await expect(dead.first).to_contain_text("the disk of the mails is full")
    await page.get_by_role("link", name="email").first.click()
    await do(page, "Redrive…", "Redrive it", why=WHY)
    await expect(page.get_by_role("status").first).to_contain_text("They are delivered again")
    await expect(dead).to_have_count(len(scene.dead) - 1)

    await page.get_by_role("button", name="Redrive all: dry run").click()
    await expect(page.locator("#dry-title")).to_contain_text("2 events would be delivered")
    await page.get_by_label("Reason").fill(WHY)
    await page.get_by_role("button", name="Redrive 2 events").click(click_count=2)
    await expect(page.get_by_role("heading", name="No dead letters")).to_be_visible()


async def test_a_replay_has_its_dry_run_and_counts_once(seen, scene):
    page = seen.page
    await page.goto("/console/events/recommendation")
    await page.get_by_label("Publisher", exact=True).select_option("order")
    await page.get_by_label("Since").fill("2026-01-01T00:00")
    await page.get_by_role("button", name="Dry run", exact=True).click()
    await expect(page.locator("#dry-title")).to_contain_text("would be delivered")
    await page.get_by_label("Reason").fill(WHY)
    await page.get_by_role("button", name=re.compile("^Replay")).click(click_count=2)

    await expect(page.get_by_role("status").first).to_contain_text("It reacts again")
    await expect(page.locator(".deeds li")).to_have_count(1)


async def test_held_orders_are_released_and_rejected(seen, scene):
    page = seen.page
    await page.goto("/console/fraud")
    await page.get_by_role("link", name=f"…{scene.held[0][-8:]}").click()
    await expect(page.get_by_role("region", name="Rules that fired")).to_contain_text("+60")
    await do(page, "Release…", "Release it", why="a regular")
    await expect(page.get_by_role("status")).to_contain_text("it may be shipped")
    await page.goto(f"/console/fraud/{scene.held[1]}")
    await do(page, "Reject…", "Reject it", why="a thief", clicks=2)
    await expect(page.get_by_role("status")).to_contain_text("the order is called off")

    await page.goto(f"/console/orders/{scene.held[1]}")
    await expect(page.locator(".head .badge")).to_have_text("cancelled")


async def test_a_correction_of_stock_counts_once(seen, scene):
    page = seen.page
    await page.goto("/console/stock?sku=baguette")
    await page.get_by_role("link", name="baguette").first.click()
    await page.get_by_label("Units more").fill("-3")
    await page.get_by_label("Reason").fill(WHY)
    await page.get_by_role("button", name="Correct").click(click_count=2)
    await expect(page.get_by_role("status")).to_contain_text("The stock is corrected")
    moved = page.get_by_role("region", name="Movements").locator("tr", has_text=WHY)
    await expect(moved).to_have_count(1)

    await page.get_by_label("Units more").fill("-100000")
    await page.get_by_label("Reason").fill("more than there is")
    await page.get_by_role("button", name="Correct").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    seen.complaints[:] = [it for it in seen.complaints if "409" not in it]


async def test_an_order_is_shipped_and_a_return_received(seen, scene):
    page = seen.page
    await page.goto(f"/console/shipments/{scene.ready}")
    await page.get_by_label("Carrier").fill("Post")
    await page.get_by_label("Tracking number").fill("RR 42")
    await page.get_by_role("button", name="Send all of it").click(click_count=2)
    parcel = page.get_by_role("region", name="Shipments").locator("tbody tr")
    await expect(parcel).to_have_count(1)
    await page.get_by_role("button", name="It arrived").click()
    await expect(parcel).to_contain_text("delivered")

    await page.goto("/console/returns?status=requested")
    await page.get_by_role("link", name=f"…{scene.return_id[-8:]}").click()
    await page.get_by_role("button", name="Approve").click()
    await page.get_by_label("that came").fill("1")
    await page.get_by_label("What becomes of").select_option("written off")
    await page.get_by_role("button", name="Receive and refund").click(click_count=2)
    await expect(page.get_by_role("region", name="Counted")).to_contain_text("written off")
    await expect(page.locator(".head .badge")).to_have_text("refunded")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@SIZES
async def test_no_desk_keeps_anybody_out(shop, browser, scene, size, scheme):
    async with watched(browser, shop.url, viewport=size, color_scheme=scheme) as seen:
        page = seen.page
        await sign_in(page, shop.front)
        found: dict[str, list[str]] = {}
        for path in (
            "/orders",
            "/orders?status=refunded&person=x",
            f"/orders/{scene.returned}",
            f"/orders/{scene.stuck[0]}?show=all",
            "/sagas",
            "/sagas?view=all",
            f"/sagas/{scene.stuck[0]}",
            "/events",
            "/events/email",
            "/fraud",
            f"/fraud/{scene.held[2]}",
            "/stock",
            "/stock/croissant",
            "/shipments?status=all",
            f"/shipments/{scene.ready}",
            "/returns",
            f"/returns/{scene.return_id}",
        ):
            await page.goto(f"/console{path}")
            for deed in await page.locator("details.deed > summary").all():
                await deed.click()
            faults = await seen.faults()
            if await seen.is_too_wide():
                faults.append("one must scroll sideways")
            if faults:
                found[path] = faults

        assert found == {}
        assert [it for it in seen.complaints if "status of 400" not in it] == []
