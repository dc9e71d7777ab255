"""A shop in which an operator has something to do, and the operator who does it in a browser."""

import itertools
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page

from emporion.chassis.data.database import Tx
from tests.api.parcels import WANTED, delivered
from tests.api.shopfront import Person, Shopfront, must

_keys = (f"scene-{number}" for number in itertools.count())
_BREAK_MAILS = (
    "CREATE TRIGGER broken BEFORE INSERT ON mail "
    "BEGIN SELECT RAISE(ABORT, 'the disk of the mails is full'); END"
)
_MEND_MAILS = "DROP TRIGGER broken"
_GIVE_UP = "UPDATE parked SET status = 'dead', attempts = 9, next_at_ms = NULL"
"""What three days of failing lead to, at once."""
_DOUBTFUL = {
    "name": "large-first-order",
    "kind": "amount",
    "weight": 60,
    "parameters": {"amount_minor": 200, "currency": "EUR"},
}
_HASTY = {
    "name": "account-of-minutes",
    "kind": "new_account",
    "weight": 55,
    "parameters": {"age_s": 3600},
}


@dataclass(frozen=True)
class Scene:
    """Ids of orders, each in its own trouble, and of a return that was asked for."""

    returned: str
    return_id: str
    stuck: list[str]
    held: list[str]
    ready: str
    dead: list[str]


async def set_scene(front: Shopfront) -> Scene:
    """Orders that arrived, are stuck, held or to be shipped, and some whose mails were given up."""
    ann, bob = [await front.person(name) for name in ("ann", "bob")]
    for number, sku in enumerate(("croissant", "scone", "baguette", "croissant", "espresso")):
        _ = await _order(front, (ann, bob)[number % 2], sku=sku, quantity=number + 1)
    _ = await _order(front, bob, token="tok_declined")
    returned = await delivered(front, ann, next(_keys))
    asked = await front.json(
        ann, "POST", f"/api/orders/{returned}/returns", WANTED, idempotency_key=next(_keys)
    )
    held = await _held(front, bob)
    ready = (await _order(front, ann, quantity=3))["order_id"]
    await front.until_quiet()
    stuck = [(await _order(front, it, token="tok_never"))["order_id"] for it in (ann, bob)]
    return Scene(
        returned=returned,
        return_id=must(asked)["return_id"],
        stuck=stuck,
        held=held,
        ready=ready,
        dead=await _dead(front, ann),
    )


async def _order(
    front: Shopfront,
    who: Person,
    *,
    sku: str = "croissant",
    quantity: int = 1,
    token: str = "tok_ok",
) -> dict[str, Any]:
    wanted = {"lines": [{"sku": sku, "quantity": quantity}], "payment_token": token}
    answer = await front.json(who, "POST", "/api/orders", wanted, idempotency_key=next(_keys))
    document: dict[str, Any] = answer.json()
    return document


async def _held(front: Shopfront, who: Person) -> list[str]:
    """Orders that the rules of a moment hold."""
    before = must(await front.send(front.operator, "GET", "/api/fraud/rules"))
    strict = {"based_on": before["version"], "threshold": 100, "rules": [_DOUBTFUL, _HASTY]}
    told = must(await front.json(front.operator, "PUT", "/api/fraud/rules", strict))
    ids = [(await _order(front, who, quantity=5))["order_id"] for _ in range(3)]
    await front.until_quiet()
    mild = {"based_on": told["version"], "threshold": 100, "rules": []}
    _ = must(await front.json(front.operator, "PUT", "/api/fraud/rules", mild))
    return ids


async def _dead(front: Shopfront, who: Person) -> list[str]:
    """Orders whose confirmation was given up."""
    mails = front.shop.databases["email"]

    async def write(sql: str) -> None:
        async def work(tx: Tx) -> None:
            _ = await tx.execute(sql)

        await mails.transaction(work)

    async def failed() -> int:
        return sum(lag.parked for lag in await front.shop.bus.lag() if lag.subscriber == "email")

    await write(_BREAK_MAILS)
    ids = [(await _order(front, who))["order_id"] for _ in range(3)]
    parked = 0
    while parked < len(ids):
        await front.shop.runtime.tasks.sleep(0.02)
        parked = await failed()
    await write(_GIVE_UP)
    await write(_MEND_MAILS)
    return ids


async def do(page: Page, title: str, button: str, *, why: str, clicks: int = 1) -> None:
    """Open an action, say why, and press its button; twice, if somebody is impatient."""
    deed = page.locator("details.deed", has=page.get_by_text(title, exact=True)).first
    await deed.locator("summary").click()
    await deed.get_by_label("Reason").fill(why)
    await deed.get_by_role("button", name=button, exact=True).click(click_count=clicks)
