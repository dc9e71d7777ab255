"""The cart: of guests and of accounts, at the catalogue's prices, with refusals beside it."""

import pytest
import pytest_asyncio

from emporion.web.asking import LocalAsking
from tests.api.shopfront import PASSWORD, must
from tests.web.storefront.people import fresh_email, product_path, put_into_cart, signed_up
from tests.web.visitor import Visitor, filled

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", params=["guest", "account"])
async def shopper(request, front) -> Visitor:
    return Visitor(front.app) if request.param == "guest" else await signed_up(front.app)


async def test_what_is_added_is_there_with_its_total(shopper):
    await put_into_cart(shopper, "croissant", quantity=3)
    page = await put_into_cart(shopper, "scone", sku="scone-fruit", quantity=2)

    assert page.path == "/cart"
    for shown in ("Croissant", "€2.50 each", "€7.50", "€4.80", "€12.30"):
        assert shown in page.text, page.text
    assert ">5<span" in page.html  # the bar counts units


async def test_units_are_changed_and_lines_removed(shopper):
    page = await put_into_cart(shopper, "croissant", quantity=3)
    page = await shopper.submit(page, "/cart/items/croissant", quantity=2)
    assert "€5.00" in page.text

    page = await shopper.submit(page, "/cart/items/croissant", remove=1)
    assert "Your cart is empty" in page.text


async def test_one_form_sent_twice_adds_twice_only_for_a_guest(front):
    guest, ada = Visitor(front.app), await signed_up(front.app)
    totals = []
    for shopper in (guest, ada):
        page = await shopper.get(await product_path(shopper, "croissant"))
        await shopper.submit(page, "/cart/items")
        totals.append((await shopper.submit(page, "/cart/items")).text.count("€5.00"))

    assert totals[1] == 0 < totals[0]


@pytest.mark.parametrize("quantity", ["0", "-1", "10001", "many"])
async def test_a_quantity_that_cannot_be_is_refused_and_nothing_is_lost(shopper, quantity):
    await put_into_cart(shopper, "croissant")

    page = await put_into_cart(shopper, "scone", quantity=quantity)

    assert page.status in (400, 422) and 'role="alert"' in page.html
    assert "Croissant" in page.text and "Scone" not in page.text


async def test_what_is_not_sold_is_not_added(shopper):
    page = await shopper.get(await product_path(shopper, "croissant"))

    shown = await shopper.submit(page, "/cart/items", sku="unicorn")

    assert shown.status == 404 and 'role="alert"' in shown.html


async def test_a_cookie_full_of_inventions_starts_no_search(front, monkeypatch):
    guest = Visitor(front.app)
    await put_into_cart(guest, "croissant")
    invented = "~".join(f"invented-{number}*1" for number in range(29))
    guest.cookies["basket"] += f"~{invented}"
    ask, searched = LocalAsking.ask, []

    async def watched(self, asked):
        if asked.rpc.name == "list_products":
            searched.append(asked.request.search)
        return await ask(self, asked)

    monkeypatch.setattr(LocalAsking, "ask", watched)
    cart = await guest.get("/cart")

    assert "Croissant" in cart.text and "invented-28" in cart.text
    assert set(searched) <= {"croissant"}


async def test_what_a_guest_chose_comes_along_when_signing_in(front):
    visitor, email = Visitor(front.app), fresh_email()
    await put_into_cart(visitor, "croissant", quantity=2)
    page = await visitor.get("/sign-up?next=/cart")
    form = filled(page, "/sign-up", name="Ada", email=email, password=PASSWORD)

    cart = await visitor.post("/sign-up", form)

    assert "Croissant" in cart.text and "€5.00" in cart.text
    assert "basket" not in visitor.cookies
    elsewhere = Visitor(front.app)
    signed_in = await elsewhere.submit(
        await elsewhere.get("/sign-in?next=/cart"), "/sign-in", email=email, password=PASSWORD
    )
    assert "€5.00" in signed_in.text


async def test_a_line_that_is_sold_no_more_is_said_and_can_be_removed(front, shopper):
    sku = f"fleeting-{id(shopper)}"
    price = {"amount_minor": 100, "currency": "EUR"}
    product = {"name": f"Fleeting {sku}", "variants": [{"sku": sku, "name": "one", "price": price}]}
    made = must(await front.json(front.operator, "POST", "/api/products", product))
    await put_into_cart(shopper, "croissant")
    await put_into_cart(shopper, sku)
    must(await front.send(front.operator, "DELETE", f"/api/products/{made['product_id']}"))

    page = await shopper.get("/cart")
    assert "Not sold any more" in page.text and 'href="/checkout"' not in page.html
    page = await shopper.submit(page, f"/cart/items/{sku}", remove=1)

    assert "Not sold any more" not in page.text and 'href="/checkout"' in page.html


async def test_htmx_is_given_the_form_and_the_count(shopper):
    page = await shopper.get(await product_path(shopper, "croissant"))
    part = await shopper.post("/cart/items", filled(page, "/cart/items"), hx_request="true")
    again = await shopper.post(
        "/cart/items", [*filled(page, "/cart/items", sku="unicorn")], hx_request="true"
    )

    assert part.status == 200 and "It is in your cart" in part.text
    assert 'hx-swap-oob="true"' in part.html and "<html" not in part.html
    key = dict(filled(page, "/cart/items"))["key"]
    assert key not in part.html
    assert again.status == 200 and 'role="alert"' in again.html


async def test_a_cookie_that_was_tampered_with_is_an_empty_cart_at_worst(visitor):
    for planted in ("<script>*1", "x*0", "x*-1", "a*1~~b", "*" * 500, "x*99999"):
        visitor.cookies = {"basket": planted}
        page = await visitor.get("/cart")
        assert page.status == 200 and "<script>*" not in page.html
