"""Visitors of the tests: somebody with an account, and what they do before the interesting part."""

import itertools
import re
from typing import Any

from emporion.chassis.http.app import HttpApp
from tests.api.shopfront import PASSWORD
from tests.web.visitor import Shown, Visitor

_numbers = itertools.count(1)


def fresh_email() -> str:
    """An address that no account of this process has."""
    return f"visitor-{next(_numbers)}@example.test"


async def signed_up(app: HttpApp) -> Visitor:
    """A visitor with a new account, signed in."""
    visitor = Visitor(app)
    page = await visitor.get("/sign-up")
    shown = await visitor.submit(
        page, "/sign-up", name="Ada", email=fresh_email(), password=PASSWORD
    )
    assert shown.status == 200 and "Sign out" in shown.text, shown.text
    return visitor


async def product_path(visitor: Visitor, name: str) -> str:
    """Where a product's page is."""
    page = await visitor.get(f"/?q={name}")
    found = re.search(r'href="(/products/prd_[0-9a-f]{32})"', page.html)
    assert found is not None, page.text
    return found[1]


async def put_into_cart(visitor: Visitor, name: str, **fields: Any) -> Shown:
    """Add a product by its page's form; the cart that follows."""
    page = await visitor.get(await product_path(visitor, name))
    return await visitor.submit(page, "/cart/items", **fields)
