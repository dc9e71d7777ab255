"""What somebody does in a shop, and what others write about her: everything that could name her."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from emporion.chassis.testing.asgi import Answer
from emporion.kernel.ids import OrderId
from emporion.services.payment.adapters.rehearsal import BOOK_FILE
from emporion.services.payment.adapters.signing import signature_of
from emporion.services.payment.domain import refund_key
from tests.api.parcels import delivered
from tests.api.shopfront import NOBODY, PASSWORD, PATIENCE_S, Person, Shopfront, must, slug_of
from tests.services.webhook.desk import Endpoint
from tests.system.files import number, write
from tests.system.polling import eventually

NAME = "somerville"
PLACE = "Jedburgh"
"""Stands in what she writes, and in what others write about her, and nowhere else."""
NEEDLES = (NAME.encode(), PLACE.encode().lower())
WEBHOOK_SECRET = "whsec_of_the_tests"
HOLD_ALL = {
    "based_on": 0,
    "threshold": 1,
    "rules": [
        {
            "name": "anything",
            "kind": "amount",
            "weight": 1000,
            "parameters": {"amount_minor": 1, "currency": "EUR"},
        }
    ],
}
BREAK = "CREATE TRIGGER broken BEFORE INSERT ON mail BEGIN SELECT RAISE(ABORT, '{}' || '{}'); END"
"""In two halves, so that the trigger itself does not name her."""
BURY = "UPDATE parked SET status = 'dead', next_at_ms = NULL"


async def send_back(front: Shopfront, person: Person) -> str:
    """Two orders arrive; one return is refused, one is received and refunded."""
    kept = await delivered(front, person, "to-keep")
    for key in ("refused", "received"):
        order = kept if key == "refused" else await delivered(front, person, "to-send-back")
        line = {"lines": [{"sku": "croissant", "quantity": 1}], "reason": f"too cold for {PLACE}"}
        target = f"/api/orders/{order}/returns"
        asked = must(await front.json(person, "POST", target, line, idempotency_key=key))
        await (_refuse if key == "refused" else _receive)(front, asked["return_id"])
    return kept


async def _refuse(front: Shopfront, return_id: str) -> None:
    note = {"reason": f"the post to {PLACE} is slow"}
    must(await front.json(front.operator, "POST", f"/api/returns/{return_id}/refuse", note))


async def _receive(front: Shopfront, return_id: str) -> None:
    target = f"/api/returns/{return_id}"
    must(await front.send(front.operator, "POST", f"{target}/approve"))
    line = {"sku": "croissant", "quantity": 1, "is_restocked": True}
    places = must(await front.send(front.operator, "GET", "/api/inventory/warehouses"))
    came = {"warehouse_id": places["warehouses"][0]["warehouse_id"], "lines": [line]}
    back = await front.json(
        front.operator, "POST", f"{target}/receive", came, idempotency_key="came"
    )
    assert must(back)["status"] == "refunded"


async def call_off(front: Shopfront, person: Person) -> str:
    """An order, and why she does not want it any more."""
    cancelled = str((await front.order(person, "to-cancel"))["order_id"])
    reason = {"reason": f"I move away from {PLACE}"}
    must(await front.json(person, "POST", f"/api/orders/{cancelled}/cancel", reason))
    return cancelled


async def be_suspected(front: Shopfront, person: Person) -> list[OrderId]:
    """Three orders are held; staff let two of them go and reject one, and say why."""
    must(await front.json(front.operator, "PUT", "/api/fraud/rules", HOLD_ALL))
    orders = [OrderId((await front.order(person, f"held-{n}"))["order_id"]) for n in range(3)]
    await front.until_quiet()
    told = {"reason": f"{NAME} of {PLACE} rang"}
    for order, target in zip(
        orders,
        ("fraud/reviews/{}/release", "fraud/reviews/{}/reject", "shipping/fulfilments/{}/release"),
        strict=True,
    ):
        must(await front.json(front.operator, "POST", f"/api/{target.format(order)}", told))
    return orders


async def be_refunded_again(front: Shopfront, person: Person, order: str) -> None:
    """The provider has lost the refund of an order; it names her, and so do staff."""
    payment: Any = front.shop.assembly("payment").implementation
    book = payment._detectors._provider._inner._book
    kept = [each for each in book.entries() if each.key != refund_key(OrderId(order))]
    (front.folder / BOOK_FILE).write_bytes(b"")
    book.close()
    book.__init__(front.folder / BOOK_FILE)
    for each in kept:
        book.put(each)
    await be_named_by_the_provider(front, person, order)
    healing = {"kind": "refund_lost", "reason": f"{NAME} of {PLACE} waits for her money"}
    target = f"/api/payments/{order}/healing"
    assert must(await front.json(front.operator, "POST", target, healing))["is_healed"]


async def be_named_by_the_provider(front: Shopfront, person: Person, order: str) -> None:
    """Webhooks with her name and address, about her order and about nobody's."""
    her = {"name": NAME, "email": person.email, "address": {"city": PLACE}}
    for at, about in enumerate((order, "ord_" + "0" * 32)):
        told = {"id": f"evt-{at}", "order_id": about, "billing_details": her}
        assert (await _webhook(front, json.dumps(told).encode())).status == 204


async def _webhook(front: Shopfront, body: bytes) -> Answer:
    signature = signature_of(body, WEBHOOK_SECRET, at_s=int(time.time()))
    headers = {"stripe-signature": signature, "content-type": "application/json"}
    target = "/api/payments/webhooks/rehearsal"
    return await front.send(NOBODY, "POST", target, headers=headers, body=body)


async def pay_with_a_card(front: Shopfront, person: Person) -> None:
    """A gift card: codes that are none, and one that pays."""
    worth = {"amount": {"amount_minor": 100, "currency": "EUR"}}
    code = must(await front.json(front.operator, "POST", "/api/gift-cards", worth))["code"]
    for key, tried in (("guess", "0000-0000-0000-0000-0000"), ("by-card", code)):
        wanted = {
            "lines": [{"sku": "croissant", "quantity": 1}],
            "payment_token": "tok_ok",
            "gift_cards": [tried],
        }
        answer = await front.json(person, "POST", "/api/orders", wanted, idempotency_key=key)
        assert slug_of(answer) == ("unknown-gift-card" if key == "guess" else "")


async def mistake(front: Shopfront, person: Person) -> None:
    """Whatever is refused, with her name and place in it."""
    wrong = {"email": person.email, "password": f"{PLACE}-{PLACE}"}
    assert slug_of(await front.json(NOBODY, "POST", "/api/users/sessions", wrong))
    again = {"email": person.email.upper(), "password": PASSWORD, "name": NAME}
    assert slug_of(await front.json(NOBODY, "POST", "/api/users", again)) == "email-taken"
    for content in (
        {"email": f"{NAME} of {PLACE}", "password": PASSWORD, "name": NAME},
        {"email": person.email, "password": PASSWORD, "name": f"{NAME}\n{PLACE}"},
        {"email": person.email, NAME: PLACE},
    ):
        assert slug_of(await front.json(NOBODY, "POST", "/api/users", content))
    wanted = {"lines": [{"sku": PLACE, "quantity": 1}], "payment_token": "tok_ok"}
    unknown = await front.json(person, "POST", "/api/orders", wanted, idempotency_key="in-vain")
    assert slug_of(unknown) == "unknown-sku"
    assert slug_of(await front.send(person, "GET", f"/api/orders/{NAME}?{PLACE}={NAME}"))
    item = {"sku": "croissant", "quantity": 1}
    must(await front.json(person, "POST", "/api/cart/items", item, idempotency_key="cart"))
    must(await front.json(person, "PATCH", "/api/users/me", {"name": f"{NAME} of {PLACE}"}))
    worth = {"amount": {"amount_minor": 100, "currency": "EUR"}, "note": f"for {person.email}"}
    assert slug_of(await front.json(front.operator, "POST", "/api/gift-cards", worth))
    staff = {"reason": f"{NAME} asked"}
    target = f"/api/users/{person.user_id}/erasure"
    assert slug_of(await front.json(front.operator, "POST", target, staff)) == "invalid-argument"


@asynccontextmanager
async def merchant(front: Shopfront, person: Person) -> AsyncIterator[Endpoint]:
    """An endpoint that is told of every order, and answers the first time with her address."""
    endpoint = Endpoint()
    async with endpoint.open():
        endpoint.answers.append(web.Response(status=500, text=f"who is {person.email}?"))
        hook = {"url": endpoint.url, "events": ["orders.created"]}
        must(await front.json(front.operator, "POST", "/api/webhooks", hook))
        yield endpoint


async def be_told_of(front: Shopfront, person: Person) -> None:
    """A merchant's endpoint answers with her address; her mail is a dead letter, for her address.

    Both stay so: the merchant is told again in a while, the dead letter waits for `redrive`.
    """
    mails = front.folder / "email.sqlite"
    refusals = "SELECT count(*) FROM hook_attempt WHERE error <> ''"
    async with merchant(front, person):
        write(mails, BREAK.format(person.email[:5], person.email[5:]))
        await front.order(person, "told")
        await eventually(
            lambda: number(front.folder, "webhook", refusals) > 0,
            within_s=PATIENCE_S,
            what="the merchant refuses it",
        )
        await eventually(
            lambda: number(front.folder, "email", "SELECT count(*) FROM parked") > 0,
            within_s=PATIENCE_S,
            what="the mail is parked",
        )
    write(mails, "DROP TRIGGER broken", BURY)


async def redrive(front: Shopfront) -> None:
    """What was a dead letter is delivered."""
    target = "/api/operations/subscribers/email/redrive"
    told = must(await front.json(front.operator, "POST", target, {"reason": "mended"}))
    assert told["events"] > 0
    await front.until_quiet()
