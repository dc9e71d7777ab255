"""Who may call what, for every method of every contract; each owner method with two people."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from emporion.chassis.surfaces.examples import example_of
from emporion.contracts.contract import Audience, Rpc, path_parameters, rpcs
from emporion.platform.contracts import CONTRACTS
from tests.api import parcels
from tests.api.forge import Forge
from tests.api.refusals import ORDER
from tests.api.shopfront import JSON, NOBODY, PASSWORD, Person, Shopfront, must, slug_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
METHODS: dict[str, Rpc] = {
    f"{contract.NAME}.{rpc.name}": rpc for contract in CONTRACTS for rpc in rpcs(contract).values()
}
PUBLIC = {name: rpc for name, rpc in METHODS.items() if rpc.access.audience is Audience.PUBLIC}
GUARDED = {name: rpc for name, rpc in PUBLIC.items() if rpc.access.scope is not None}
OPEN = {name: rpc for name, rpc in PUBLIC.items() if rpc.access.scope is None}
INTERNAL = {name: rpc for name, rpc in METHODS.items() if rpc.access.audience is Audience.INTERNAL}
EVERY_SCOPE = {rpc.access.scope for rpc in GUARDED.values() if rpc.access.scope}
EXAMPLES = {"sku": "croissant", "warehouse_id": "main", "subscriber": "email"}
"""Values of path parameters that are no ids."""


def address(rpc: Rpc) -> str:
    """The path with its parameters filled in, each in its own form."""
    assert rpc.rest is not None
    types = {field.name: field.type for field in msgspec.structs.fields(rpc.request)}
    filled = rpc.rest.path
    for name in path_parameters(filled):
        value = EXAMPLES.get(name) or str(example_of(types[name]))
        filled = filled.replace(f"{{{name}}}", value)
    return filled


async def call(front: Shopfront, rpc: Rpc, token: str = ""):
    """The method with a body that no method takes: access is looked at before it."""
    assert rpc.rest is not None
    who = Person(token=token)
    headers = {"content-type": JSON, "idempotency-key": "access"}
    body = b'{"?": 1}' if rpc.rest.verb in {"POST", "PUT", "PATCH"} else b""
    return await front.send(who, rpc.rest.verb, address(rpc), headers=headers, body=body)


@pytest.mark.parametrize("name", GUARDED)
async def test_without_a_token_a_guarded_method_says_401(front, name):
    before = await front.still_books()

    answer = await call(front, GUARDED[name])

    assert (answer.status, slug_of(answer)) == (401, "unauthenticated")
    assert front.books() == before


@pytest.mark.parametrize("name", GUARDED)
async def test_with_every_scope_but_its_own_a_method_says_403(front, forge: Forge, name):
    needed = GUARDED[name].access.scope
    before = await front.still_books()

    answer = await call(front, GUARDED[name], forge.token(scope=" ".join(EVERY_SCOPE - {needed})))

    assert (answer.status, slug_of(answer)) == (403, "permission-denied")
    assert answer.json()["scope"] == needed
    assert front.books() == before


@pytest.mark.parametrize("name", GUARDED)
async def test_with_its_own_scope_alone_a_method_lets_in(front, forge: Forge, name):
    answer = await call(front, GUARDED[name], forge.token(scope=GUARDED[name].access.scope))

    assert answer.status not in (401, 403)


@pytest.mark.parametrize("name", OPEN)
async def test_an_open_method_asks_for_no_token_and_looks_at_none(front, name):
    without = await call(front, OPEN[name])
    with_garbage = await call(front, OPEN[name], token="garbage")

    assert without.status == with_garbage.status
    assert slug_of(without) not in {"unauthenticated", "permission-denied", "token-invalid"}


@pytest.mark.parametrize("name", INTERNAL)
async def test_an_internal_method_has_no_address(front, forge: Forge, name):
    service, method = name.split(".")
    rpc, everything = INTERNAL[name], " ".join(EVERY_SCOPE)
    guesses = {
        f"/api/{service}/{method}",
        f"/api/{service}s/{method}",
        f"/api/{service}.{method}",
        f"/{service}/{method}",
        f"/emporion.{service}.v1.{service.capitalize()}Service/{rpc.grpc_name}",
        f"/internal/{service}/{method}",
    }

    assert rpc.rest is None
    for guess in guesses:
        for verb in ("GET", "POST"):
            answer = await front.send(Person(token=forge.token(scope=everything)), verb, guess)
            assert answer.status in (400, 404, 405), (guess, answer)


# --- two people at every method that answers only for one's own things -------------------------

Scenario = Callable[[Shopfront, Person, Person], Awaitable[None]]
"""Ann has things; Bob calls the method; then Ann's things are as before, and Bob saw none."""


async def _place_order(front: Shopfront, ann: Person, bob: Person) -> None:
    anns, bobs = [await front.order(who, "the-same-key") for who in (ann, bob)]
    assert anns["order_id"] != bobs["order_id"]
    assert (anns["user_id"], bobs["user_id"]) == (ann.user_id, bob.user_id)


async def _list_orders(front: Shopfront, ann: Person, bob: Person) -> None:
    order = await front.order(ann, "to-be-listed")
    for query in ("", f"?cursor={order['order_id']}", "?status=paid", "?cursor=ord_" + "f" * 32):
        page = must(await front.send(bob, "GET", f"/api/orders{query}"))
        assert order["order_id"] not in {each["order_id"] for each in page["orders"]}


async def _why_order_price(front: Shopfront, ann: Person, bob: Person) -> None:
    target = f"/api/orders/{(await front.order(ann, 'why-so-much'))['order_id']}/why-price"
    assert (await front.send(bob, "GET", target)).status == 404
    assert must(await front.send(ann, "GET", target))["is_changed"] is False


async def _split_total(front: Shopfront, ann: Person, bob: Person) -> None:
    worth = {"amount": {"amount_minor": 100, "currency": "EUR"}}
    code = must(await front.json(front.operator, "POST", "/api/gift-cards", worth))["code"]
    wanted = {"total": {"amount_minor": 250, "currency": "EUR"}, "gift_cards": [code]}
    split = must(await front.json(ann, "POST", "/api/cart/gift-cards", wanted))
    assert split["rest"]["amount_minor"] == 150
    wrong = wanted | {"gift_cards": ["0000-0000-0000-0000-0000"]}
    refused = [await front.json(bob, "POST", "/api/cart/gift-cards", wrong) for _ in range(6)]
    assert slug_of(refused[-1]) == "too-many-gift-card-codes"
    assert must(await front.json(ann, "POST", "/api/cart/gift-cards", wanted)) == split


async def _get_order(front: Shopfront, ann: Person, bob: Person) -> None:
    order = await front.order(ann, "to-be-seen")
    assert (await front.send(bob, "GET", f"/api/orders/{order['order_id']}")).status == 404
    assert (await front.send(ann, "GET", f"/api/orders/{order['order_id']}")).status == 200


async def _cancel_order(front: Shopfront, ann: Person, bob: Person) -> None:
    order = await front.order(ann, "to-be-kept")
    target = f"/api/orders/{order['order_id']}"
    for who in (bob, front.operator):
        assert (await front.send(who, "POST", f"{target}/cancel")).status == 404
    assert must(await front.send(ann, "GET", target))["status"] == "paid"
    assert must(await front.send(ann, "POST", f"{target}/cancel"))["status"] == "cancelled"


async def _get_payment(front: Shopfront, ann: Person, bob: Person) -> None:
    order = await front.order(ann, "to-be-paid")
    target = f"/api/payments/{order['order_id']}"
    assert (await front.send(bob, "GET", target)).status == 404
    assert must(await front.send(ann, "GET", target))["user_id"] == ann.user_id


async def _cart_of(front: Shopfront, who: Person) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = must(await front.send(who, "GET", "/api/cart"))["lines"]
    return lines


async def _fill(front: Shopfront, who: Person) -> list[dict[str, Any]]:
    must(await front.json(who, "PUT", "/api/cart/items/cappuccino", {"quantity": 3}))
    return await _cart_of(front, who)


async def _get_cart(front: Shopfront, ann: Person, bob: Person) -> None:
    await _fill(front, ann)
    assert await _cart_of(front, bob) == []


async def _add_to_cart(front: Shopfront, ann: Person, bob: Person) -> None:
    await _fill(front, ann)
    item = {"sku": "cappuccino", "quantity": 1}
    for who in (ann, bob):
        must(await front.json(who, "POST", "/api/cart/items", item, idempotency_key="same"))
    assert await _cart_of(front, ann) == [{"sku": "cappuccino", "quantity": 4}]
    assert await _cart_of(front, bob) == [item]


async def _set_cart_line(front: Shopfront, ann: Person, bob: Person) -> None:
    before = await _fill(front, ann)
    must(await front.json(bob, "PUT", "/api/cart/items/cappuccino", {"quantity": 0}))
    assert await _cart_of(front, ann) == before


async def _remove_from_cart(front: Shopfront, ann: Person, bob: Person) -> None:
    before = await _fill(front, ann)
    must(await front.send(bob, "DELETE", "/api/cart/items/cappuccino"))
    assert await _cart_of(front, ann) == before


async def _checkout(front: Shopfront, ann: Person, bob: Person) -> None:
    before = await _fill(front, ann)
    paying = {"payment_token": "tok_ok"}
    answer = await front.json(bob, "POST", "/api/cart/checkout", paying, idempotency_key="cart")
    assert slug_of(answer) == "empty-cart"
    assert await _cart_of(front, ann) == before


async def _me(front: Shopfront, ann: Person, bob: Person) -> None:
    for who in (ann, bob):
        found = must(await front.send(who, "GET", "/api/users/me"))
        assert (found["user_id"], found["email"]) == (who.user_id, who.email)


async def _change_profile(front: Shopfront, ann: Person, bob: Person) -> None:
    before = must(await front.send(ann, "GET", "/api/users/me"))
    must(await front.json(bob, "PATCH", "/api/users/me", {"name": "Mallory"}))
    assert must(await front.send(ann, "GET", "/api/users/me")) == before


async def _set_preferences(front: Shopfront, ann: Person, bob: Person) -> None:
    before = must(await front.send(ann, "GET", "/api/users/me"))
    must(await front.json(bob, "PUT", "/api/users/me/preferences", {"locale": "de"}))
    assert must(await front.send(ann, "GET", "/api/users/me")) == before


async def _change_password(front: Shopfront, ann: Person, bob: Person) -> None:
    words = {"old_password": PASSWORD, "new_password": "another-long-password"}
    must(await front.json(bob, "POST", "/api/users/me/password", words))
    assert (await front.sign_in(ann.email, PASSWORD)).token
    must(
        await front.json(
            NOBODY, "POST", "/api/users/sessions/refresh", {"refresh_token": ann.refresh_token}
        )
    )
    ended = await front.json(
        NOBODY, "POST", "/api/users/sessions/refresh", {"refresh_token": bob.refresh_token}
    )
    assert slug_of(ended) == "invalid-refresh-token"


async def _erase_me(front: Shopfront, ann: Person, bob: Person) -> None:
    before = must(await front.send(ann, "GET", "/api/users/me"))
    erased = must(await front.json(bob, "POST", "/api/users/me/erasure", {"password": PASSWORD}))
    assert erased["user_id"] == bob.user_id
    assert must(await front.send(ann, "GET", "/api/users/me")) == before
    assert slug_of(await front.send(bob, "GET", "/api/users/me")) == "unauthenticated"


async def _own_data(front: Shopfront, ann: Person, bob: Person) -> None:
    for who in (ann, bob):
        found = must(await front.send(who, "GET", "/api/users/me/data"))
        assert (found["user"]["email"], len(found["sessions"])) == (who.email, 1)


OWNED: dict[str, Scenario] = {
    **parcels.OWNED,
    "user.me": _me,
    "user.own_data": _own_data,
    "user.change_profile": _change_profile,
    "user.set_preferences": _set_preferences,
    "user.change_password": _change_password,
    "user.erase_me": _erase_me,
    "order.place_order": _place_order,
    "order.list_orders": _list_orders,
    "order.get_order": _get_order,
    "order.why_order_price": _why_order_price,
    "order.cancel_order": _cancel_order,
    "order.get_cart": _get_cart,
    "order.add_to_cart": _add_to_cart,
    "order.set_cart_line": _set_cart_line,
    "order.remove_from_cart": _remove_from_cart,
    "order.checkout": _checkout,
    "order.split_total": _split_total,
    "payment.get_payment": _get_payment,
}


async def test_every_owner_method_has_a_scenario_of_two_people():
    owned = {name for name, rpc in METHODS.items() if rpc.access.is_owner_checked}

    assert set(OWNED) == owned


@pytest.mark.parametrize("name", OWNED)
async def test_nobody_sees_or_changes_what_is_anothers(front, name):
    method = name.partition(".")[2].replace("_", "-")
    ann, bob = [await front.person(f"{who}-{method}") for who in ("ann", "bob")]

    await OWNED[name](front, ann, bob)


@pytest.mark.parametrize("name", sorted(name for name in GUARDED if name not in OWNED))
async def test_what_belongs_to_the_shop_is_not_open_to_customers(front, name):
    answer = await call(front, GUARDED[name], (await front.person("ann")).token)

    assert (answer.status, slug_of(answer)) == (403, "permission-denied")


async def test_an_order_asked_for_under_anothers_key_is_an_order_of_ones_own(front):
    ann, bob = await front.person("ann"), await front.person("bob")
    await front.order(ann, "a-shared-key")

    answer = await front.json(
        bob,
        "POST",
        "/api/orders",
        {**ORDER, "payment_token": "tok_twice"},
        idempotency_key="a-shared-key",
    )

    assert must(answer)["user_id"] == bob.user_id


async def test_the_books_are_whole_after_all_that(front):
    await front.until_quiet()

    assert await front.violations() == []
