"""Every named error reaches the client as a problem document that says what to do next."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from emporion.chassis.http.problem import problem_response, status_of
from emporion.chassis.testing.asgi import Answer, AsgiClient
from emporion.contracts.operations import SagaIsOver
from emporion.contracts.order_carts import CartChanged
from emporion.contracts.refusals import HistoryPruned
from emporion.kernel.errors import EmporionError
from tests.api import triggers
from tests.api.problems import named_refusals, told_to_clients
from tests.api.refusals import ACCOUNT, ORDER, PRICE, PRODUCT, VARIANT
from tests.api.shopfront import NOBODY, TYPE_PREFIX, Shopfront, must, slug_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOLD = told_to_clients()
STATUSES = {400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 503, 504}


@pytest.mark.parametrize("slug", sorted(TOLD))
async def test_an_error_is_told_by_status_type_title_and_trace(slug):
    error = TOLD[slug]()

    response = problem_response(error, "ab" * 16)

    document = msgspec.json.decode(response.body)
    assert response.status in STATUSES
    assert document["type"] == TYPE_PREFIX + slug
    assert document["status"] == response.status
    assert document["title"] == error.title
    assert document["detail"]
    assert document["trace_id"] == "ab" * 16


@pytest.mark.parametrize("slug", sorted(TOLD))
async def test_a_status_says_whether_to_try_again(slug):
    kind = TOLD[slug]
    retried = {408, 429, 500, 503, 504}

    assert (status_of(kind) in retried) == kind.is_retryable
    headers = dict(problem_response(kind(), "ab" * 16).headers)
    assert (b"retry-after" in headers) == (status_of(kind) in (429, 503))


@pytest.mark.parametrize("slug", sorted(TOLD))
async def test_only_a_fault_of_ours_is_a_5xx(slug):
    ours = {"Internal", "Unavailable", "DeadlineExceeded"}

    is_ours = TOLD[slug].category in ours and not TOLD[slug].is_outcome_known
    if status_of(TOLD[slug]) >= 500:
        assert is_ours or slug == "too-many-connections"
    else:
        assert not is_ours


# --- each named refusal of the contracts, as a client meets it -----------------------------------

Trigger = Callable[[Shopfront], Awaitable[Answer]]


async def _order(
    front: Shopfront, key: str, sku: str = "croissant", token: str = "tok_ok"
) -> Answer:
    ann = await front.person("ann")
    wanted = {"lines": [{"sku": sku, "quantity": 1}], "payment_token": token}
    return await front.json(ann, "POST", "/api/orders", wanted, idempotency_key=key)


async def _mixed_currencies(front: Shopfront) -> Answer:
    euro, dollar = [
        {**VARIANT, "sku": f"mixed-{code}", "price": {**PRICE, "currency": code}}
        for code in ("EUR", "USD")
    ]
    await front.json(
        front.operator, "POST", "/api/products", {**PRODUCT, "variants": [euro, dollar]}
    )
    lines = [{"sku": each["sku"], "quantity": 1} for each in (euro, dollar)]
    ann = await front.person("ann")
    return await front.json(
        ann, "POST", "/api/orders", {**ORDER, "lines": lines}, idempotency_key="mixed"
    )


async def _out_of_stock(front: Shopfront) -> Answer:
    await front.json(
        front.operator,
        "POST",
        "/api/products",
        {**PRODUCT, "variants": [{**VARIANT, "sku": "never-there"}]},
    )
    return await _order(front, "never-there", "never-there")


async def _taken_sku(front: Shopfront) -> Answer:
    variant = {**VARIANT, "sku": "croissant"}
    return await front.json(
        front.operator, "POST", "/api/products", {**PRODUCT, "variants": [variant]}
    )


async def _free_of_charge(front: Shopfront) -> Answer:
    free = [{**VARIANT, "sku": "free", "price": {**PRICE, "amount_minor": 0}}]
    return await front.json(front.operator, "POST", "/api/products", {**PRODUCT, "variants": free})


async def _ringing_text(front: Shopfront) -> Answer:
    rings = {**PRODUCT, "description": "a bell: \x07"}
    return await front.json(front.operator, "POST", "/api/products", rings)


async def _doubled_sku(front: Shopfront) -> Answer:
    twice = [{**VARIANT, "sku": "twice"}] * 2
    return await front.json(front.operator, "POST", "/api/products", {**PRODUCT, "variants": twice})


async def _wrong_old_password(front: Shopfront) -> Answer:
    words = {"old_password": "not the one", "new_password": "another-new-one"}
    return await front.json(await front.person("bob"), "POST", "/api/users/me/password", words)


async def _full_cart(front: Shopfront) -> Answer:
    eve = await front.person("eve")
    must(await front.json(eve, "PUT", "/api/cart/items/croissant", {"quantity": 10_000}))
    return await front.json(eve, "POST", "/api/cart/items", {"sku": "croissant"})


async def _empty_cart(front: Shopfront) -> Answer:
    bob = await front.person("bob")
    return await front.json(
        bob, "POST", "/api/cart/checkout", {"payment_token": "tok_ok"}, idempotency_key="empty"
    )


async def _reused_key(front: Shopfront) -> Answer:
    return await _order(front, "first-ann", "baguette")


async def _taken_address(front: Shopfront) -> Answer:
    ann = await front.person("ann")
    return await front.json(NOBODY, "POST", "/api/users", {**ACCOUNT, "email": ann.email})


async def _wrong_password(front: Shopfront, name: str = "bob") -> Answer:
    who = await front.person(name)
    words = {"email": who.email, "password": "wrong"}
    return await front.json(NOBODY, "POST", "/api/users/sessions", words)


async def _too_many_sign_ins(front: Shopfront) -> Answer:
    for _ in range(5):
        await _wrong_password(front, "forgetful")
    return await _wrong_password(front, "forgetful")


async def _bad_refresh_token(front: Shopfront) -> Answer:
    return await front.json(
        NOBODY, "POST", "/api/users/sessions/refresh", {"refresh_token": "no.token"}
    )


async def _unknown_cursor(front: Shopfront) -> Answer:
    return await front.send(NOBODY, "GET", "/api/products?cursor=none")


async def _unknown_subscriber(front: Shopfront) -> Answer:
    return await front.json(front.operator, "POST", "/api/operations/subscribers/nobody/pause", {})


async def _saga_is_over(front: Shopfront) -> Answer:
    order = await front.order(await front.person("ann"), "first-ann")
    return await front.json(
        front.operator, "POST", f"/api/operations/sagas/{order['order_id']}/retry", {}
    )


TRIGGERS: dict[str, Trigger] = {
    **triggers.TRIGGERS,
    "out-of-stock": _out_of_stock,
    "payment-declined": lambda front: _order(front, "declined", token="tok_declined"),
    "unknown-sku": lambda front: _order(front, "unknown", "nothing-of-ours"),
    "idempotency-key-reused": _reused_key,
    "currency-mismatch": _mixed_currencies,
    "sku-taken": _taken_sku,
    "duplicate-sku": _doubled_sku,
    "bad-price": _free_of_charge,
    "bad-text": _ringing_text,
    "cart-full": _full_cart,
    "empty-cart": _empty_cart,
    "email-taken": _taken_address,
    "wrong-credentials": _wrong_password,
    "wrong-old-password": _wrong_old_password,
    "invalid-refresh-token": _bad_refresh_token,
    "too-many-sign-ins": _too_many_sign_ins,
    "unknown-cursor": _unknown_cursor,
    "unknown-subscriber": _unknown_subscriber,
    SagaIsOver.slug: _saga_is_over,
}
ELSEWHERE = {
    **triggers.ELSEWHERE,
    HistoryPruned.slug: "needs months of events: tests/chassis/events",
    CartChanged.slug: "needs somebody quick, three times: tests/services/order",
}


async def test_every_named_refusal_has_a_request_that_meets_it():
    named = {kind.slug for kind in named_refusals()}

    assert set(TRIGGERS) | set(ELSEWHERE) == named


@pytest.mark.parametrize("slug", TRIGGERS)
async def test_a_named_refusal_is_told_by_its_own_slug_and_status(front, slug):
    answer = await TRIGGERS[slug](front)

    assert (slug_of(answer), answer.status) == (slug, status_of(TOLD[slug]))
    if answer.status == 429:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["retry_after_s"] >= 1


async def test_an_error_that_nobody_named_is_told_as_its_category(front, monkeypatch):
    class Odd(EmporionError):
        slug = "odd"
        category = "Conflict"
        title = "Odd"

    async def fail(*_):
        raise Odd("a detail for people")

    monkeypatch.setattr(front.shop.assembly("order").implementation._queries, "list", fail)

    answer = await front.send(await front.person("ann"), "GET", "/api/orders")

    assert (answer.status, slug_of(answer)) == (409, "conflict")
    assert answer.json()["detail"] == "a detail for people"


async def test_an_unexpected_error_is_told_by_its_trace_only_and_logged(front, monkeypatch):
    async def fail(*_):
        raise KeyError("the secret detail")

    monkeypatch.setattr(front.shop.assembly("order").implementation._queries, "list", fail)

    answer = await front.send(await front.person("ann"), "GET", "/api/orders")

    assert (answer.status, slug_of(answer)) == (500, "internal")
    assert b"secret" not in answer.body
    logged = front.log.getvalue().decode()
    assert answer.json()["trace_id"] in logged
    assert "the secret detail" in logged


@pytest.mark.parametrize(
    ("target", "content", "status", "host"),
    [
        ("/api/users/sessions/refresh", {"refresh_token": "no.token"}, 401, 10),
        ("/api/gift-cards/balance", {"code": "0000-0000-0000-0000-0000"}, 404, 20),
    ],
)
async def test_too_many_guesses_from_one_address_are_told_when_to_come_back(
    front, target, content, status, host
):
    stranger = AsgiClient(front.app, address=f"203.0.113.{host}")

    answers = [await stranger.json("POST", target, content) for _ in range(60)]

    refused = [answer for answer in answers if answer.status == 429]
    assert refused and slug_of(refused[-1]) == "too-many-requests"
    assert int(refused[-1].headers["retry-after"]) >= 1
    neighbour = AsgiClient(front.app, address=f"203.0.113.{host + 1}")
    assert (await neighbour.json("POST", target, content)).status == status
