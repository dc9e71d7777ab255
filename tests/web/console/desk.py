"""An operator at the desks of a whole shop that the test holds in its hand."""

import re
from typing import Any

from emporion.platform.front import http_app
from emporion.services.user.domain import SCOPES, Role
from tests.defects.people import Person
from tests.defects.whole_shop import WholeShop
from tests.web.visitor import Shown, Visitor

WARNINGS = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=")
FRAUD_RULE = {
    "name": "all-of-it",
    "kind": "amount",
    "weight": 100,
    "parameters": {"amount_minor": 1, "currency": "EUR"},
}


class Desk(Visitor):
    """A browser with an operator's session, whose requests let the shop's own time go on.

    Args:
        shop: whose pages.
        who: the operator.
    """

    def __init__(self, shop: WholeShop, who: Person) -> None:
        super().__init__(http_app(shop.shop, lambda: ""))
        self.shop = shop
        self.who = who

    async def once(self, verb: str, target: str, body: bytes = b"", headers: Any = None) -> Shown:
        """One request; the token is one of this moment, and no page has anything inline."""
        token = self.who.headers()["authorization"].removeprefix("Bearer ")
        self.cookies |= {"console-access": token, "console-refresh": "never asked for"}
        shown = await self.shop.live(super().once(verb, target, body, headers))
        assert not WARNINGS.search(shown.html), target
        return shown


async def desk_of(shop: WholeShop) -> Desk:
    """An operator's."""
    return Desk(shop, await shop.operator())


def without(desk: Desk, monkeypatch: Any, scope: str) -> None:
    """From now on operators lack a scope: in their account, and in their tokens."""
    left = tuple(each for each in SCOPES[Role.OPERATOR] if each != scope)
    monkeypatch.setitem(SCOPES, Role.OPERATOR, left)


async def hold_everything(shop: WholeShop) -> None:
    """From now on every order is held for a review."""
    operator = await shop.operator()
    now = (await operator.get("/api/fraud/rules")).json()
    rules = {"based_on": now["version"], "threshold": 50, "rules": [FRAUD_RULE]}
    answer = await operator.send("PUT", "/api/fraud/rules", rules)
    assert answer.status == 200, answer
