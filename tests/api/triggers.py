"""How a client meets the named refusals of prices, figures and the past."""

from collections.abc import Awaitable, Callable
from typing import Any

from emporion.chassis.testing.asgi import Answer
from tests.api.refusals import CROISSANT, ORDER
from tests.api.shopfront import NOBODY, Shopfront, must

Trigger = Callable[[Shopfront], Awaitable[Answer]]
PERCENT = {"name": "Ten percent", "kind": "percent", "percent_bp": 1_000}


async def _promotion(front: Shopfront, name: str, **fields: Any) -> Answer:
    content = PERCENT | fields
    return await front.json(front.operator, "PUT", f"/api/promotions/{name}", content)


async def _priced(front: Shopfront, **wishes: Any) -> Answer:
    return await front.json(NOBODY, "POST", "/api/prices", {"lines": [CROISSANT], **wishes})


async def _promotion_of_nothing(front: Shopfront) -> Answer:
    return await _promotion(front, "nothing", percent_bp=0)


async def _idle_code(front: Shopfront) -> Answer:
    must(await _promotion(front, "elsewhere", code="ELSEWHERE", categories=["nothing of ours"]))
    return await _priced(front, codes=["elsewhere"])


async def _spent_code(front: Shopfront) -> Answer:
    must(await _promotion(front, "once", code="ONCE", uses_max=1))
    wanted = {**ORDER, "codes": ["ONCE"]}
    await front.json(
        await front.person("ann"), "POST", "/api/orders", wanted, idempotency_key="once"
    )
    return await _priced(front, codes=["ONCE"])


async def _past_of_order(front: Shopfront, instant: str) -> Answer:
    ann = await front.person("ann")
    order = await front.order(ann, "first-ann")
    return await front.send(ann, "GET", f"/api/orders/{order['order_id']}?as_of={instant}")


async def _figures(front: Shopfront, **asked: str) -> Answer:
    words = "&".join(f"{name}={value}" for name, value in asked.items())
    return await front.send(front.operator, "GET", f"/api/analytics/figures?{words}")


async def _hook(front: Shopfront, url: str, event: str) -> Answer:
    wanted = {"url": url, "events": [event]}
    return await front.json(front.operator, "POST", "/api/webhooks", wanted)


async def _gift_card(front: Shopfront, amount_minor: int = 100) -> dict[str, Any]:
    amount = {"amount_minor": amount_minor, "currency": "EUR"}
    issued: dict[str, Any] = must(
        await front.json(front.operator, "POST", "/api/gift-cards", {"amount": amount})
    )
    return issued


async def _worthless_gift_card(front: Shopfront) -> Answer:
    amount = {"amount_minor": 0, "currency": "EUR"}
    return await front.json(front.operator, "POST", "/api/gift-cards", {"amount": amount})


async def _unknown_gift_card(front: Shopfront) -> Answer:
    code = {"code": "0000-0000-0000-0000-0000"}
    return await front.json(NOBODY, "POST", "/api/gift-cards/balance", code)


async def _unpaid(front: Shopfront) -> Answer:
    card = await _gift_card(front)
    wanted = {"lines": ORDER["lines"], "gift_cards": [card["code"]]}
    ann = await front.person("ann")
    return await front.json(ann, "POST", "/api/orders", wanted, idempotency_key="unpaid")


async def _guessed_gift_cards(front: Shopfront) -> Answer:
    guesser = await front.person("guesser")
    wanted = {**ORDER, "gift_cards": ["0000-0000-0000-0000-0000"]}
    answers = [
        await front.json(guesser, "POST", "/api/orders", wanted, idempotency_key=f"guess-{number}")
        for number in range(6)
    ]
    return answers[-1]


async def _adjusted(front: Shopfront, *, is_void: bool, key: str) -> Answer:
    target = f"/api/gift-cards/{(await _gift_card(front))['card']['card_id']}"
    if is_void:
        must(await front.json(front.operator, "POST", f"{target}/void", {"reason": "a test"}))
    change = {"amount": {"amount_minor": -101, "currency": "EUR"}, "reason": "a test"}
    return await front.json(
        front.operator, "POST", f"{target}/adjustments", change, idempotency_key=key
    )


async def _heal(front: Shopfront) -> Answer:
    order = await front.order(await front.person("ann"), "first-ann")
    target = f"/api/payments/{order['order_id']}/healing"
    wanted = {"kind": "captured_twice", "reason": "a test"}
    return await front.json(front.operator, "POST", target, wanted)


async def _fault(front: Shopfront) -> Answer:
    target = "/api/operations/faults/email"
    return await front.json(front.operator, "PUT", target, {"kind": "hang"})


TRIGGERS: dict[str, Trigger] = {
    "faults-not-allowed": _fault,
    "nothing-to-heal": _heal,
    "bad-gift-card": _worthless_gift_card,
    "too-many-gift-card-codes": _guessed_gift_cards,
    "unknown-gift-card": _unknown_gift_card,
    "no-payment-token": _unpaid,
    "gift-card-void": lambda front: _adjusted(front, is_void=True, key="void"),
    "gift-card-not-enough": lambda front: _adjusted(front, is_void=False, key="enough"),
    "unusable-url": lambda front: _hook(front, "http://192.0.2.1/hook", "orders.created"),
    "unknown-event-type": lambda front: _hook(front, "https://example.test/", "orders.imagined"),
    "bad-promotion": _promotion_of_nothing,
    "unknown-code": lambda front: _priced(front, codes=["NOTHING"]),
    "code-not-applicable": _idle_code,
    "code-used-up": _spent_code,
    "no-delivery": lambda front: _priced(front, delivery="boat"),
    "did-not-exist-yet": lambda front: _past_of_order(front, "2001-01-01T00:00:00Z"),
    "in-the-future": lambda front: _past_of_order(front, "2201-01-01T00:00:00Z"),
    "bad-period": lambda front: _figures(
        front, since="2026-01-02T00:00:00Z", until="2026-01-01T00:00:00Z"
    ),
    "unknown-time-zone": lambda front: _figures(front, time_zone="Moon/Tranquility"),
}
ELSEWHERE = {
    slug: f"needs an order on its way: tests/services/{where}"
    for where, slugs in {
        "shipping": (
            "fulfilment-over",
            "not-cleared",
            "not-shipped",
            "not-there-to-ship",
            "stock-not-settled",
            "too-many-shipments",
        ),
        "order": (
            "already-shipping",
            "not-expected",
            "not-returnable",
            "order-called-off",
            "too-many-returns",
        ),
        "fraud": ("bad-rules", "review-already-decided", "rules-changed"),
        "inventory": ("not-recorded",),
        "webhook": ("too-many-webhooks",),
        "giftcard": ("gift-card-expired", "no-gift-card-key"),
        "payment": ("refund-exceeds-capture", "refund-refused", "webhook-refused"),
    }.items()
    for slug in slugs
}
