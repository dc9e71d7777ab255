"""Customers with a session, and the first furniture of a shop, made over HTTP."""

import asyncio
from dataclasses import dataclass, replace

from tests.system.wire import Reply, Wire

PASSWORD = "a-long-enough-password"
ARRIVING_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Customer:
    """An account and its session; `card` is worth a great deal, each of `small_cards` 1.00 EUR."""

    email: str
    user_id: str
    access_token: str
    refresh_token: str
    card: str = ""
    small_cards: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """What makes a request this customer's."""
        return {"Authorization": f"Bearer {self.access_token}"}


async def sign_up(url: str, names: list[str]) -> list[Customer]:
    """An account each; waits for all. Fails on any refusal."""
    lanes = asyncio.Semaphore(ARRIVING_AT_ONCE)

    async def arrive(name: str) -> Customer:
        async with lanes:
            wire = Wire(url)
            try:
                return await _arrive(wire, name)
            finally:
                await wire.close()

    return list(await asyncio.gather(*(arrive(name) for name in names)))


async def _arrive(wire: Wire, name: str) -> Customer:
    email = f"{name}@example.test"
    account = {"email": email, "password": PASSWORD, "name": name}
    user = _must(await wire.ask("POST", "/api/users", account))
    return await sign_in(wire, email, PASSWORD, user_id=user["user_id"])


async def sign_in(wire: Wire, email: str, password: str, *, user_id: str = "") -> Customer:
    """A new session of an account."""
    credentials = {"email": email, "password": password}
    session = _must(await wire.ask("POST", "/api/users/sessions", credentials))
    return Customer(email, user_id, session["access_token"], session["refresh_token"])


async def operator(url: str) -> Customer:
    """The operator that every development shop has."""
    wire = Wire(url)
    try:
        return await sign_in(wire, "operator@emporion.test", "emporion-demo-operator")
    finally:
        await wire.close()


async def give_cards(url: str, customers: list[Customer], *, small: int) -> list[Customer]:
    """The same customers, with one gift card for all of them, and so many small ones each."""
    wire, staff = Wire(url), await operator(url)

    async def issue(amount_minor: int) -> str:
        worth = {"amount": {"amount_minor": amount_minor, "currency": "EUR"}}
        return _must(await wire.ask("POST", "/api/gift-cards", worth, headers=staff.headers))[
            "code"
        ]

    try:
        card = await issue(10**9)
        return [
            replace(each, card=card, small_cards=tuple([await issue(100) for _ in range(small)]))
            for each in customers
        ]
    finally:
        await wire.close()


async def put_on_sale(url: str, sku: str, *, stock: int, price_minor: int = 250) -> None:
    """A product of one variant with that many units in the main warehouse."""
    wire, staff = Wire(url), await operator(url)
    product = {
        "name": sku,
        "variants": [
            {"sku": sku, "name": sku, "price": {"amount_minor": price_minor, "currency": "EUR"}}
        ],
    }
    move = {"sku": sku, "warehouse_id": "main", "quantity": stock, "reason": "received"}
    try:
        _must(await wire.ask("POST", "/api/products", product, headers=staff.headers))
        if stock:
            headers = staff.headers | {"Idempotency-Key": f"first-{sku}"}
            _must(await wire.ask("POST", "/api/inventory/movements", move, headers=headers))
    finally:
        await wire.close()


def _must(reply: Reply) -> dict[str, str]:
    assert reply.status < 300, reply
    document: dict[str, str] = reply.document
    return document
