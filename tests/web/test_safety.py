"""What every page tells the browser, and what is refused: scripts, foreign forms, long bodies."""

import re

import pytest

from tests.web.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGES = ("/", "/?q=x", "/nothing/here", "/products/prd_" + "0" * 32)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_forbids_what_is_not_ours(visitor, path):
    page = await visitor.get(path)

    policy = page.header("content-security-policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    assert "frame-ancestors 'none'" in policy and "form-action 'self'" in policy
    assert page.header("x-content-type-options") == "nosniff"
    assert page.header("referrer-policy") == "same-origin"
    assert page.header("cache-control") == "no-store"


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_has_a_script_or_a_style_inside(visitor, path):
    page = await visitor.get(path)

    assert not re.search(r"<script(?![^>]*\bsrc=)", page.html)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page.html)
    sources = re.findall(r'(?:src|href|action)="([^"#]*)"', page.html)
    assert sources and all(source.startswith("/") for source in sources), sources


async def test_what_is_not_there_is_a_page_for_persons_and_a_problem_for_programs(visitor):
    page = await visitor.get("/nothing")
    for_program = await visitor.get("/nothing", accept="*/*")
    of_api = await visitor.get("/api/nothing")

    assert page.status == 404 and "There is nothing here" in page.text
    assert for_program.status == of_api.status == 404
    assert for_program.header("content-type") == "application/problem+json"
    assert of_api.header("content-type") == "application/problem+json"


async def test_files_are_kept_for_ever_under_the_address_of_their_content(visitor):
    page = await visitor.get("/")
    (style,) = re.findall(r'href="(/static/[0-9a-f]{16}/emporion\.css)"', page.html)

    kept = await visitor.get(style)
    of_another_release = await visitor.get("/static/0000000000000000/emporion.css")

    assert kept.status == 200 and "immutable" in kept.header("cache-control")
    assert of_another_release.body == kept.body
    assert of_another_release.header("cache-control") == "no-cache"
    assert (await visitor.get("/static/v1/..%2fassets.py")).status == 404
    assert (await visitor.get("/static/v1/nothing.css")).status == 404


async def test_the_browser_keeps_its_secret_and_forms_do_not_show_it(front):
    visitor = Visitor(front.app)
    page = await visitor.get("/products/prd_" + "0" * 32)
    secret = visitor.cookies["guard"]

    assert secret not in page.html
    assert page.set_cookies and all("HttpOnly; SameSite=Lax" in it for it in page.set_cookies)
    assert (await visitor.get("/")).set_cookies == []
