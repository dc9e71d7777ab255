"""How one gets into the console: operators only, back to where they wanted to go, and out again."""

import re

import pytest

from emporion.web.console.front import MANNERS
from tests.api.shopfront import PASSWORD
from tests.web.console.people import SIGN_IN, sign_in, signed_in
from tests.web.storefront.people import fresh_email, signed_up
from tests.web.visitor import Visitor, filled

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_whoever_is_not_signed_in_is_led_to_the_form_and_back_with_all_filters(front):
    visitor = Visitor(front.app)

    page = await visitor.get("/console?window=900&only=errors")
    assert page.path == f"{SIGN_IN}?next=/console%3Fwindow%3D900%26only%3Derrors"
    shown = await sign_in(visitor, front, page.path)

    assert shown.path == "/console?window=900&only=errors" and "Overview" in shown.text


async def test_the_console_has_cookies_of_its_own_that_no_script_reads(front):
    visitor = Visitor(front.app)
    page = await visitor.get(SIGN_IN)
    begun = await visitor.submit(
        page,
        SIGN_IN,
        hops=0,
        email=front.shop.settings.operator_email,
        password=front.shop.settings.operator_password,
    )

    named = {cookie.partition("=")[0] for cookie in begun.set_cookies}
    assert named == {"console-access", "console-refresh", "console-until", "console-guard"}
    assert all("HttpOnly; SameSite=Lax" in cookie for cookie in begun.set_cookies)
    assert any(f"Max-Age={MANNERS.session_s};" in cookie for cookie in begun.set_cookies)
    assert "Sign out" not in (await visitor.get("/")).text, "the shop took the operator's session"


async def test_a_customer_of_the_shop_is_not_signed_in_at_the_console(front):
    customer = await signed_up(front.app)

    page = await customer.get("/console")

    assert page.path == f"{SIGN_IN}?next=/console"


async def test_a_customers_account_is_refused_with_the_reason_and_left_without_a_session(front):
    email = fresh_email()
    customer = Visitor(front.app)
    page = await customer.get("/sign-up")
    _ = await customer.submit(page, "/sign-up", name="Ada", email=email, password=PASSWORD)

    refused = await customer.submit(
        await customer.get(SIGN_IN), SIGN_IN, email=email, password=PASSWORD
    )

    assert refused.status == 403
    assert "This account is a customer's" in refused.text and "emporion operator" in refused.text
    assert "console-refresh" not in customer.cookies
    assert (await customer.get("/orders")).status == 200, "the shop's own session is untouched"


async def test_a_customers_token_in_the_consoles_cookies_opens_nothing(front):
    customer = await signed_up(front.app)
    customer.cookies |= {
        "console-access": customer.cookies["access"],
        "console-refresh": customer.cookies["refresh"],
    }

    page = await customer.get("/console")
    part = await customer.get("/console/overview/now", hx_request="true")

    assert page.status == 403 and "This account is a customer's" in page.text
    assert part.status == 403 and "<!doctype" not in part.html


async def test_a_wrong_password_is_said_and_what_was_typed_stays(front):
    visitor = Visitor(front.app)
    page = await visitor.get(SIGN_IN)

    shown = await visitor.submit(page, SIGN_IN, email="ops@example.test", password=PASSWORD + "!")

    assert shown.status == 401 and "is wrong" in shown.text
    assert 'value="ops@example.test"' in shown.html and PASSWORD not in shown.html


async def test_guessing_is_throttled_as_the_user_service_does(front):
    visitor, email = Visitor(front.app), "guessed@example.test"
    page = await visitor.get(SIGN_IN)

    shown = page
    for _ in range(30):
        shown = await visitor.submit(page, SIGN_IN, email=email, password="not-the-password")
        if shown.status == 429:
            break

    assert shown.status == 429 and "many tries" in shown.text


async def test_a_form_of_another_site_or_session_is_refused(front):
    operator = await signed_in(front)
    stranger = Visitor(front.app)
    foreign = filled(await stranger.get(SIGN_IN), SIGN_IN)

    out = await operator.post("/console/sign-out", foreign)
    elsewhere = await operator.submit(await operator.get("/console"), "/console/sign-out", hops=0)

    assert out.status == 403 and "gone stale" in out.text
    assert elsewhere.status == 303
    named = await Visitor(front.app).post(SIGN_IN, foreign, sec_fetch_site="cross-site")
    assert named.status == 403


async def test_signing_out_ends_the_session_for_whoever_has_its_cookies_too(front):
    operator = await signed_in(front)
    copied = Visitor(front.app)
    copied.cookies = dict(operator.cookies)
    del copied.cookies["console-access"]

    out = await operator.submit(await operator.get("/console"), "/console/sign-out")

    assert out.path == SIGN_IN
    assert (await operator.get("/console")).path.startswith(SIGN_IN)
    assert (await copied.get("/console")).path.startswith(SIGN_IN)


async def test_an_expired_access_token_is_renewed_without_a_word(front):
    operator = await signed_in(front)
    del operator.cookies["console-access"]

    page = await operator.get("/console")

    assert page.status == 200 and page.path == "/console"
    assert "console-access" in operator.cookies


async def test_a_renewal_does_not_prolong_the_working_day(front):
    operator = await signed_in(front)
    del operator.cookies["console-access"]
    operator.cookies["console-until"] = str(front.shop.runtime.clock.now_ms() // 1000 + 100)

    page = await operator.get("/console")

    (kept,) = [cookie for cookie in page.set_cookies if cookie.startswith("console-refresh=")]
    assert 0 < int(kept.partition("Max-Age=")[2].partition(";")[0]) <= 100


@pytest.mark.parametrize("until", ["1", "", "²", "never", None])
async def test_a_session_whose_day_is_over_is_signed_out(front, until):
    operator = await signed_in(front)
    del operator.cookies["console-access"]
    if until is None:
        del operator.cookies["console-until"]
    else:
        operator.cookies["console-until"] = until

    page = await operator.get("/console")

    assert page.path.startswith(SIGN_IN)
    assert "console-refresh" not in operator.cookies


@pytest.mark.parametrize(
    ("headers", "back"),
    [
        ({"hx_current_url": "http://shop.test/console?window=900"}, "/console%3Fwindow%3D900"),
        ({"hx_current_url": "http://["}, "/console"),
        ({}, "/console"),
    ],
)
async def test_a_live_part_of_an_ended_session_leads_the_page_to_the_form(front, headers, back):
    visitor = Visitor(front.app)

    part = await visitor.get("/console/overview/now", hx_request="true", **headers)

    assert part.header("hx-redirect") == f"{SIGN_IN}?next={back}"


@pytest.mark.parametrize("lure", ["//evil.test", "https://evil.test", "/orders", "/consoles"])
async def test_signing_in_leads_nowhere_but_into_the_console(front, lure):
    shown = await sign_in(Visitor(front.app), front, f"{SIGN_IN}?next={lure}")

    assert shown.path == "/console"


async def test_pages_of_the_console_keep_the_same_policy_as_the_shop(front):
    operator = await signed_in(front)

    for path in ("/console", SIGN_IN, "/console/nothing", "/console/overview/now"):
        page = await operator.get(path)
        policy = page.header("content-security-policy")
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert page.header("cache-control") == "no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page.html)


async def test_what_is_not_there_is_said_by_the_console(front):
    operator = await signed_in(front)

    page = await operator.get("/console/nothing/here")
    for_program = await operator.get("/console/nothing/here", accept="application/json")
    of_shop = await operator.get("/consoles")

    assert page.status == 404 and "To the overview" in page.text
    assert for_program.header("content-type") == "application/problem+json"
    assert of_shop.status == 404 and "To the shop" in of_shop.text
