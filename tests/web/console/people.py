"""Operators of the tests: somebody who is signed in at the console."""

from tests.api.shopfront import Shopfront
from tests.web.visitor import Shown, Visitor

SIGN_IN = "/console/sign-in"


async def signed_in(front: Shopfront) -> Visitor:
    """A browser with an operator's session at the console."""
    operator = Visitor(front.app)
    shown = await sign_in(operator, front, SIGN_IN)
    assert shown.path == "/console" and shown.status == 200, shown.text
    return operator


async def sign_in(visitor: Visitor, front: Shopfront, at: str) -> Shown:
    """Fill in the form that is shown at an address, as the operator of the shop."""
    settings = front.shop.settings
    return await visitor.submit(
        await visitor.get(at),
        SIGN_IN,
        email=settings.operator_email,
        password=settings.operator_password,
    )
