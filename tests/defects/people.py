"""People at the counter of a whole shop, over HTTP."""

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from emporion.chassis.testing.asgi import Answer
from emporion.kernel.ids import UserId

if TYPE_CHECKING:
    from tests.defects.whole_shop import WholeShop

Line = tuple[str, int]


class Person:
    """Somebody at the counter, over HTTP."""

    def __init__(
        self, shop: "WholeShop", name: str, user_id: UserId, headers: Callable[[], dict[str, str]]
    ) -> None:
        self.name = name
        self.user_id = user_id
        self._shop = shop
        self.headers = headers
        self._keys = count(1)

    async def send(
        self, verb: str, target: str, content: object = None, *, key: str = "", **more: str
    ) -> Answer:
        """One request; `more` are further headers."""
        headers = {**self.headers(), **more}
        if key:
            headers["idempotency-key"] = key
        http = self._shop.http
        if content is None:
            return await self._shop.live(http.send(verb, target, headers=headers))
        return await self._shop.live(http.json(verb, target, content, headers=headers))

    async def get(self, target: str) -> Answer:
        """GET."""
        return await self.send("GET", target)

    async def order(self, *lines: Line, token: str = "tok_ok", key: str = "") -> Answer:
        """Buy; under a new key unless one is given."""
        content = {
            "lines": [{"sku": sku, "quantity": units} for sku, units in lines],
            "payment_token": token,
        }
        return await self.send("POST", "/api/orders", content, key=key or self._new_key())

    async def add(self, sku: str, units: int = 1, *, key: str = "") -> Answer:
        """Put something into the cart."""
        content = {"sku": sku, "quantity": units}
        return await self.send("POST", "/api/cart/items", content, key=key or self._new_key())

    async def checkout(self, *, token: str = "tok_ok", key: str = "") -> Answer:
        """Buy what is in the cart."""
        content = {"payment_token": token}
        return await self.send("POST", "/api/cart/checkout", content, key=key or self._new_key())

    async def cart(self) -> dict[str, int]:
        """What is in the cart."""
        answer = await self.get("/api/cart")
        return {line["sku"]: line["quantity"] for line in answer.json()["lines"]}

    def _new_key(self) -> str:
        return f"{self.name}-{next(self._keys)}"


def slug_of(answer: Answer) -> str:
    """The name of the condition in a problem document; empty when the answer is none."""
    return str(answer.json().get("type", "")).rpartition(":")[2]
