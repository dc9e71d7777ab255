"""The catalogue and products: found, escaped, drawn by ourselves, and whole when parts are away."""

import re

import pytest

from emporion.contracts.inventory import InventoryService
from emporion.contracts.recommendation import RecommendationService
from emporion.kernel.errors import Internal, Unavailable
from emporion.web.asking import LocalAsking
from emporion.web.storefront.pictures import picture
from tests.api.shopfront import must
from tests.web.storefront.people import product_path

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTILE = "<script>alert('x')</script>\"'&{{ 7*7 }}"


async def test_browsers_see_the_shop_and_programs_what_there_is(visitor):
    page = await visitor.get("/")
    document = await visitor.get("/", accept="application/json")

    assert page.header("content-type") == "text/html; charset=utf-8"
    assert "Almond slice" in page.text and "€3.40" in page.text
    assert document.header("content-type") == "application/json"
    assert b"/api/products" in document.body
    assert page.header("vary") == document.header("vary") == "Accept, HX-Request"


async def test_the_catalogue_is_leafed_through_to_its_end(visitor):
    seen: list[str] = []
    target = "/"
    for _ in range(5):
        page = await visitor.get(target)
        seen += re.findall(r'class="card-name">([^<]+)<', page.html)
        following = re.search(r'rel="next" href="([^"]+)"', page.html)
        if following is None:
            break
        target = following[1].replace("&amp;", "&")

    assert len(seen) == len(set(seen)) == 19
    assert seen == sorted(seen)


async def test_a_search_shows_what_contains_the_word(visitor):
    found = await visitor.get("/?q=scone")
    nothing = await visitor.get("/?q=nosuchthing")

    assert "1 found for “scone”" in found.text and "Croissant" not in found.text
    assert "Nothing found" in nothing.text


async def test_htmx_is_given_the_results_only(visitor):
    part = await visitor.get("/?q=scone", hx_request="true")
    restored = await visitor.get("/?q=scone", hx_request="true", hx_history_restore_request="true")

    assert part.html.strip().startswith('<section id="results"') and "<html" not in part.html
    assert restored.html.startswith("<!doctype html>")


async def test_a_cursor_from_elsewhere_leads_to_the_start(visitor):
    page = await visitor.get("/?cursor=nonsense")

    assert page.status == 200 and page.path == "/"


async def test_a_product_shows_its_variants_prices_and_stock(visitor):
    page = await visitor.get(await product_path(visitor, "scone"))

    assert page.status == 200
    for shown in ("Scone", "plain", "€2.20", "fruit", "€2.40", "In stock", "Add to cart"):
        assert shown in page.text


async def test_a_hostile_name_is_text_wherever_it_is_shown(front, visitor):
    product = {
        "name": HOSTILE,
        "description": HOSTILE,
        "category": HOSTILE,
        "variants": [
            {"sku": "evil", "name": HOSTILE, "price": {"amount_minor": 100, "currency": "EUR"}}
        ],
    }
    made = must(await front.json(front.operator, "POST", "/api/products", product))

    pages = [
        await visitor.get("/?q=evil"),
        await visitor.get(f"/products/{made['product_id']}"),
        await visitor.get("/?q=%3Cscript%3Ealert('x')%3C/script%3E"),
    ]

    for page in pages:
        assert page.status == 200
        assert "<script>alert" not in page.html
        assert "{{ 7*7 }}" in page.text or "<script>alert" in page.text
    await front.send(front.operator, "DELETE", f"/api/products/{made['product_id']}")


@pytest.mark.parametrize("error", [Unavailable("away"), Internal()], ids=["away", "broken"])
async def test_a_product_stands_without_recommendations_and_stock(visitor, monkeypatch, error):
    path = await product_path(visitor, "croissant")

    ask = LocalAsking.ask

    async def broken(self, asked):
        if asked.contract in (RecommendationService, InventoryService):
            raise error
        return await ask(self, asked)

    monkeypatch.setattr(LocalAsking, "ask", broken)

    page = await visitor.get(path)

    assert page.status == 200
    assert "€2.50" in page.text and "Add to cart" in page.text
    assert "In stock" not in page.text and "What others buy" not in page.text


async def test_an_archived_product_is_not_there(front, visitor):
    product = {
        "name": "Passing fancy",
        "variants": [
            {"sku": "fancy", "name": "one", "price": {"amount_minor": 100, "currency": "EUR"}}
        ],
    }
    made = must(await front.json(front.operator, "POST", "/api/products", product))
    await front.send(front.operator, "DELETE", f"/api/products/{made['product_id']}")

    page = await visitor.get(f"/products/{made['product_id']}")

    assert page.status == 404 and "There is nothing here" in page.text


async def test_pictures_are_drawn_from_the_id_alone(visitor):
    path = (await product_path(visitor, "croissant")).removeprefix("/products/")

    first = await visitor.get(f"/pictures/{path}.svg")
    again = await visitor.get(f"/pictures/{path}.svg")

    assert first.header("content-type") == "image/svg+xml"
    assert "immutable" in first.header("cache-control")
    assert first.body == again.body == picture(path).encode()
    assert first.body != picture(path[:-1] + ("0" if path[-1] != "0" else "1")).encode()
    assert (await visitor.get("/pictures/..%2fsecret.svg")).status == 404
