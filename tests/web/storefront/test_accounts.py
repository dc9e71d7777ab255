"""Accounts: tokens stay out of pages and addresses, forms out of other hands, sessions alive."""

import msgspec
import pytest

from emporion.contracts.user import UserService
from emporion.kernel.errors import Unavailable
from emporion.web.asking import LocalAsking
from tests.api.shopfront import PASSWORD
from tests.web.storefront.people import fresh_email, put_into_cart, signed_up
from tests.web.visitor import Visitor, filled

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_account_is_made_and_signed_in_at_once(front):
    visitor = await signed_up(front.app)

    assert {"access", "refresh", "guard"} <= visitor.cookies.keys()


async def test_tokens_are_in_cookies_that_scripts_cannot_read_and_nowhere_else(front):
    visitor = Visitor(front.app)
    page = await visitor.get("/sign-up")
    fields = {"name": "Ada", "email": fresh_email(), "password": PASSWORD}
    answer = await visitor.submit(page, "/sign-up", hops=0, **fields)
    shown = await visitor.get("/")

    assert answer.status == 303 and answer.header("location") == "/"
    assert len(answer.set_cookies) == 3
    for cookie in answer.set_cookies:
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax"), cookie
    for secret in ("access", "refresh", "guard"):
        assert visitor.cookies[secret] not in shown.html
    assert PASSWORD not in shown.html


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"email": "no address"}, "does not look like an e-mail address"),
        ({"password": "short"}, "10 to 200 characters"),
        ({"name": "  "}, "what to call you"),
    ],
    ids=str,
)
async def test_what_is_wrong_stands_beside_its_field_and_the_rest_is_kept(visitor, changed, said):
    page = await visitor.get("/sign-up")
    fields = {"name": "Ada", "email": "ada@example.test", "password": PASSWORD} | changed

    shown = await visitor.submit(page, "/sign-up", **fields)

    assert shown.status in (400, 422) and said in shown.text
    assert 'aria-invalid="true"' in shown.html and PASSWORD not in shown.html
    assert f'value="{fields["email"]}"' in shown.html


async def test_a_taken_address_and_a_wrong_password_are_said_in_words(front):
    visitor, email = Visitor(front.app), fresh_email()
    page = await visitor.get("/sign-up")
    await visitor.submit(page, "/sign-up", name="Ada", email=email, password=PASSWORD)
    other = Visitor(front.app)

    taken = await other.submit(
        await other.get("/sign-up"), "/sign-up", name="Eve", email=email, password=PASSWORD
    )
    wrong = await other.submit(
        await other.get("/sign-in"), "/sign-in", email=email, password=PASSWORD + "!"
    )

    assert taken.status == 409 and "sign in instead" in taken.text
    assert wrong.status == 401 and "password is wrong" in wrong.text
    assert "refresh" not in other.cookies


async def test_signing_out_ends_the_session_everywhere(front):
    visitor = await signed_up(front.app)
    kept = dict(visitor.cookies)

    page = await visitor.submit(await visitor.get("/"), "/sign-out")

    assert "Sign in" in page.text and not {"access", "refresh"} & visitor.cookies.keys()
    thief = Visitor(front.app)
    thief.cookies = {name: kept[name] for name in ("refresh", "guard")}
    assert "Sign in" in (await thief.get("/orders")).text


@pytest.mark.parametrize("action", ["/sign-in", "/sign-up", "/sign-out", "/cart/items"])
async def test_a_form_without_this_browsers_proof_is_refused(front, action):
    visitor = await signed_up(front.app)
    stranger = Visitor(front.app)
    foreign = filled(await stranger.get("/sign-in"), "/sign-in")

    for fields in ({}, {"guard": ""}, {"guard": "0" * 64}, foreign):
        shown = await visitor.post(action, fields)
        assert shown.status == 403 and "gone stale" in shown.text
    own = filled(await visitor.get("/cart"), "/sign-out")
    elsewhere = await visitor.post(action, own, origin="https://evil.test")
    assert elsewhere.status == 403
    assert "Sign out" in (await visitor.get("/")).text


async def test_forms_of_before_signing_in_count_no_more(front):
    visitor = Visitor(front.app)
    before = await visitor.get("/sign-in")
    await visitor.submit(
        await visitor.get("/sign-up"),
        "/sign-up",
        name="Ada",
        email=fresh_email(),
        password=PASSWORD,
    )

    shown = await visitor.submit(before, "/sign-in", email="x@example.test", password=PASSWORD)

    assert shown.status == 403


async def test_a_lost_access_token_is_renewed_once_for_all_who_ask(front):
    visitor = await signed_up(front.app)
    await put_into_cart(visitor, "croissant")
    del visitor.cookies["access"]
    twin = Visitor(front.app)
    twin.cookies = dict(visitor.cookies)
    spent = visitor.cookies["refresh"]

    pages = [await visitor.get("/cart"), await twin.get("/cart"), await visitor.get("/cart")]

    assert all("Croissant" in page.text for page in pages)
    assert visitor.cookies["refresh"] == twin.cookies["refresh"] != spent
    assert "access" in visitor.cookies


async def test_a_session_survives_a_user_service_that_does_not_answer(front, monkeypatch):
    visitor = await signed_up(front.app)
    del visitor.cookies["access"]
    ask = LocalAsking.ask

    async def away(self, asked):
        if asked.contract is UserService:
            raise Unavailable("away")
        return await ask(self, asked)

    with monkeypatch.context() as patched:
        patched.setattr(LocalAsking, "ask", away)
        while_away = await visitor.get("/cart")
    afterwards = await visitor.get("/cart")

    assert while_away.status == 503 and "catching our breath" in while_away.text
    assert afterwards.status == 200 and "Sign out" in afterwards.text


async def test_a_session_survives_a_reply_that_cannot_be_read(front, monkeypatch):
    visitor = await signed_up(front.app)
    del visitor.cookies["access"]
    ask = LocalAsking.ask

    async def garbled(self, asked):
        if asked.contract is UserService:
            raise msgspec.DecodeError("garbled")
        return await ask(self, asked)

    with monkeypatch.context() as patched:
        patched.setattr(LocalAsking, "ask", garbled)
        meanwhile = await visitor.get("/cart")
    afterwards = await visitor.get("/cart")

    assert meanwhile.status == 503 and "catching our breath" in meanwhile.text
    assert afterwards.status == 200 and "Sign out" in afterwards.text


async def test_a_forged_session_is_asked_to_sign_in_and_back(visitor):
    visitor.cookies = {"access": "forged.forged.forged", "refresh": "forged.forged"}

    page = await visitor.get("/orders")

    assert page.path == "/sign-in?next=/orders"
    assert not {"access", "refresh"} & visitor.cookies.keys()


async def test_signing_in_leads_back_to_where_one_was_and_nowhere_else(front):
    visitor, email = Visitor(front.app), fresh_email()
    page = await visitor.get("/sign-up?next=/cart")
    back = await visitor.submit(page, "/sign-up", name="Ada", email=email, password=PASSWORD)
    other = Visitor(front.app)
    lure = await other.get("/sign-in?next=//evil.test")
    home = await other.submit(lure, "/sign-in", hops=0, email=email, password=PASSWORD)

    assert back.path == "/cart"
    assert home.status == 303 and home.header("location") == "/"


async def test_a_body_that_is_no_form_or_too_long_is_refused(visitor):
    page = await visitor.get("/sign-in")
    as_json = await visitor.post("/sign-in", filled(page, "/sign-in"), content_type="text/plain")
    too_long = await visitor.submit(page, "/sign-in", email="a" * 70_000)

    assert as_json.status == 415
    assert too_long.status == 413
