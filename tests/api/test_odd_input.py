"""What is unusual but right is taken as it was meant, and other people's things stay unseen."""

import json
from urllib.parse import quote

import pytest

from tests.api.refusals import ACCOUNT, CROISSANT, ORDER, PRODUCT, VARIANT
from tests.api.shopfront import NOBODY, must, slug_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAMES = [
    "Ada",
    "José Ñandú",
    "Jose\u0301",
    "עדה לאבלייס",
    "عائشة\u200e",
    "山田 太郎",
    "👩‍👩‍👧‍👦 Ω",
    "O'Brien; DROP TABLE account--",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} %s %(x)s ${x}",
    "a\u200db",
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_of_any_script_comes_back_as_it_was_given(front, name):
    ann = await front.person("ann")

    must(await front.json(ann, "PATCH", "/api/users/me", {"name": name}))

    kept = must(await front.send(ann, "GET", "/api/users/me"))["name"]
    assert kept.encode() in {name.encode(), "José".encode()}


@pytest.mark.parametrize("search", ["%", "_", "\\", "'", '"', "*", "%%", "[a-z]", "' OR 1=1 --"])
async def test_a_search_finds_what_contains_it_and_nothing_else(front, search):
    sku = f"odd-{search.encode().hex()}"
    name = f"Odd {search} thing"
    product = {**PRODUCT, "name": name, "variants": [{**VARIANT, "sku": sku}]}
    must(await front.json(front.operator, "POST", "/api/products", product))

    found = must(await front.send(NOBODY, "GET", f"/api/products?limit=200&search={quote(search)}"))

    names = [product["name"] for product in found["products"]]
    assert name in names
    assert all(search in name for name in names)


@pytest.mark.parametrize("search", ["croissant\0", "\0", "cro\0issant", "🥐", "\u202e"])
async def test_a_search_for_what_no_product_can_contain_finds_nothing(front, search):
    answer = await front.send(NOBODY, "GET", f"/api/products?search={quote(search)}")

    assert must(answer) == {"products": [], "next_cursor": ""}


async def test_of_a_field_given_twice_the_last_one_counts(front):
    body = b'{"payment_token":"tok_declined",' + json.dumps(ORDER).encode()[1:]
    headers = {"content-type": "application/json", "idempotency-key": "twice"}

    answer = await front.send(
        await front.person("ann"), "POST", "/api/orders", headers=headers, body=body
    )

    assert must(answer)["status"] == "paid"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", 'application/json; charset="UTF-8"'],
)
async def test_json_may_be_called_by_any_of_its_names(front, content_type):
    headers = {"content-type": content_type, "idempotency-key": f"named-{len(content_type)}"}
    body = b" \r\n\t" + json.dumps(ORDER).encode().replace(b"croissant", b"cr\\u006fissant") + b"\n"

    answer = await front.send(
        await front.person("ann"), "POST", "/api/orders", headers=headers, body=body
    )

    assert must(answer)["status"] == "paid"


@pytest.mark.parametrize(
    "key", ["!", "~" * 255, "first-bob", "../../etc", "'; DROP TABLE saga; --"]
)
async def test_a_key_may_be_any_printable_text_and_belongs_to_its_user(front, key):
    ann, compact = await front.person("ann"), key.replace(" ", "")

    orders = [await front.order(ann, compact, sku="baguette") for _ in range(2)]

    assert orders[0] == orders[1]
    assert orders[0]["user_id"] == ann.user_id


async def test_units_of_one_sku_over_many_lines_are_one_demand(front):
    ann, bob = await front.person("ann"), await front.person("bob")
    left = must(await front.send(NOBODY, "GET", "/api/inventory/availability/scone"))["available"]
    many = -(-left // 10_000)
    too_many = {**ORDER, "lines": [{"sku": "scone", "quantity": 10_000}] * (many + 1)}

    answer = await front.json(bob, "POST", "/api/orders", too_many, idempotency_key="scones")

    assert (answer.status, slug_of(answer)) == (409, "out-of-stock")
    assert answer.json()["shortages"] == [
        {"sku": "scone", "wanted": 10_000 * (many + 1), "available": left}
    ]
    assert (await front.order(ann, "one-scone", sku="scone"))["status"] == "paid"


@pytest.mark.parametrize("path", ["orders/{}", "payments/{}"])
async def test_another_customers_order_looks_exactly_like_none(front, path):
    ann, bob = await front.person("ann"), await front.person("bob")
    order = await front.order(ann, "anns-own")

    theirs = await front.send(bob, "GET", "/api/" + path.format(order["order_id"]))
    absent = await front.send(bob, "GET", "/api/" + path.format("ord_" + "0" * 32))

    assert (theirs.status, slug_of(theirs)) == (404, "not-found")
    assert shape(theirs) == shape(absent)


async def test_cancelling_another_customers_order_looks_exactly_like_none(front):
    ann, bob = await front.person("ann"), await front.person("bob")
    order = await front.order(ann, "anns-own")

    theirs = await front.send(bob, "POST", f"/api/orders/{order['order_id']}/cancel")
    absent = await front.send(bob, "POST", f"/api/orders/ord_{'0' * 32}/cancel")

    assert shape(theirs) == shape(absent)
    mine = must(await front.send(ann, "GET", f"/api/orders/{order['order_id']}"))
    assert mine["status"] == "paid"


async def test_a_wrong_password_looks_exactly_like_an_unknown_address(front):
    await front.person("ann")
    known = {"email": "ann@example.test", "password": "not-her-password"}
    unknown = {"email": "nobody@example.test", "password": "not-her-password"}

    answers = [
        await front.json(NOBODY, "POST", "/api/users/sessions", credentials)
        for credentials in (known, unknown)
    ]

    assert slug_of(answers[0]) == "wrong-credentials"
    assert shape(answers[0]) == shape(answers[1])


@pytest.mark.parametrize(
    ("path", "verbs"),
    [
        ("/api/orders", "GET, HEAD, OPTIONS, POST"),
        ("/api/cart/items/croissant", "DELETE, OPTIONS, PUT"),
        ("/api/payments/ledger/balances", "GET, HEAD, OPTIONS"),
        ("/readyz", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_lists_the_verbs_and_asks_for_no_token(front, path, verbs):
    answer = await front.send(NOBODY, "OPTIONS", path)

    assert (answer.status, answer.headers["allow"], answer.body) == (204, verbs, b"")


@pytest.mark.parametrize("path", ["/api/products", "/api/orders", "/openapi.json", "/metrics"])
async def test_head_tells_what_get_would_and_sends_no_body(front, path):
    ann = await front.person("ann")

    head, get = await front.send(ann, "HEAD", path), await front.send(ann, "GET", path)

    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/metrics":
        assert int(head.headers["content-length"]) == len(get.body)


async def test_every_account_and_order_answer_forbids_to_be_kept(front):
    ann = await front.person("ann")

    for target in ("/api/users/me", "/api/orders", "/api/cart"):
        answer = await front.send(ann, "GET", target)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_good_order_does_change_the_books(front):
    before = await front.still_books()

    await front.order(await front.person("bob"), "changes-the-books")

    assert front.books() != before


async def test_an_account_can_be_opened_under_an_odd_but_right_address(front):
    for address in ("o'hara+shop@sub.example.test", "ä@müller.example", "a@b"):
        account = {**ACCOUNT, "email": address}
        must(await front.json(NOBODY, "POST", "/api/users", account))


async def test_a_cart_survives_a_refused_checkout(front):
    bob = await front.person("bob")
    must(await front.json(bob, "PUT", "/api/cart/items/espresso", {"quantity": 2}))

    answer = await front.json(
        bob, "POST", "/api/cart/checkout", {"payment_token": "tok_declined"}, idempotency_key="no"
    )

    assert (answer.status, slug_of(answer)) == (402, "payment-declined")
    assert must(await front.send(bob, "GET", "/api/cart"))["lines"] == [
        {**CROISSANT, "sku": "espresso", "quantity": 2}
    ]
    must(await front.send(bob, "DELETE", "/api/cart/items/espresso"))


def shape(answer) -> tuple[int, bytes, set[str]]:
    """Everything a stranger could tell two answers apart by, except their traces."""
    trace_id = answer.json()["trace_id"].encode()
    return answer.status, answer.body.replace(trace_id, b""), set(answer.headers)
