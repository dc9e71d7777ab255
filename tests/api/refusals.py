"""Requests that must be refused, as tables: what is sent, and what the client is told."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.api.shopfront import JSON

ABSENT = "0" * 32
CROISSANT = {"sku": "croissant", "quantity": 1}
ORDER = {"lines": [CROISSANT], "payment_token": "tok_ok"}
ACCOUNT = {"email": "eve@example.test", "password": "a-long-enough-password", "name": "Eve"}
PRICE = {"amount_minor": 100, "currency": "EUR"}
VARIANT = {"sku": "new-thing", "name": "New", "price": PRICE}
PRODUCT = {"name": "New", "variants": [VARIANT]}
MOVE = {"sku": "croissant", "warehouse_id": "main", "quantity": 1}
ROW = {"line": 1, "sku": "new-thing", "product": "New", "price": "1.00", "currency": "EUR"}


@dataclass(frozen=True, slots=True)
class Refused:
    """A request and the answer it must get.

    Args:
        what: in words, the test's name.
        target: path and query as sent.
        told: status and slug.
        at: the field that the problem document must name.
        who: ann, bob, operator or nobody.
        body: bytes as they are; anything else as JSON; None: no body.
        headers: in place of the usual ones; an empty value takes one away.
    """

    what: str
    target: str
    told: tuple[int, str]
    verb: str = "POST"
    at: str = ""
    who: str = "ann"
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def sent_body(self) -> bytes:
        """What goes over the wire."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def sent_headers(self) -> dict[str, str]:
        """The usual headers of a write, with those of the case."""
        usual = {"content-type": JSON, "idempotency-key": "refused"} if self.verb != "GET" else {}
        sent = {**usual, **self.headers}
        return {name: value for name, value in sent.items() if value != "-"}


def order(what: str, told: tuple[int, str], body: Any, *, at: str = "", **headers: str) -> Refused:
    """An order that is refused."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refused(what, "/api/orders", told, at=at, body=body, headers=named)


def read(
    what: str, target: str, told: tuple[int, str], *, at: str = "", who: str = "ann"
) -> Refused:
    """A GET that is refused."""
    return Refused(what, target, told, verb="GET", at=at, who=who)


INVALID = (422, "invalid-body")
MALFORMED = (400, "malformed-body")
PARAMETER = (400, "invalid-parameter")
UNKNOWN_PARAMETER = (400, "unknown-parameter")
CURSOR = (400, "unknown-cursor")
NO_ROUTE = (404, "no-such-route")
NOT_FOUND = (404, "not-found")
ARGUMENT = (400, "invalid-argument")
DEEP = b'{"lines":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
PLAIN = json.dumps(ORDER).encode()


def lines(**changes: Any) -> dict[str, Any]:
    """An order of one line that is a little different."""
    return {**ORDER, "lines": [{**CROISSANT, **changes}]}


def quantity(text: str) -> bytes:
    """An order whose quantity is written so."""
    return PLAIN.replace(b'"quantity": 1', b'"quantity": ' + text.encode())


BODIES = [
    order("lines are a text", INVALID, {**ORDER, "lines": "croissant"}, at="lines"),
    order("a line is a text", INVALID, {**ORDER, "lines": ["croissant"]}, at="lines[0]"),
    order("a quantity is a text", INVALID, lines(quantity="1"), at="lines[0].quantity"),
    order("a quantity is true", INVALID, lines(quantity=True), at="lines[0].quantity"),
    order("a quantity is null", INVALID, lines(quantity=None), at="lines[0].quantity"),
    order("a quantity has a fraction", INVALID, lines(quantity=1.5), at="lines[0].quantity"),
    order("a SKU is a number", INVALID, lines(sku=7), at="lines[0].sku"),
    order("no lines", INVALID, {"payment_token": "tok_ok"}, at="lines"),
    order("no payment", (400, "no-payment-token"), {"lines": [CROISSANT]}),
    order(
        "no quantity", INVALID, {**ORDER, "lines": [{"sku": "croissant"}]}, at="lines[0].quantity"
    ),
    order("an empty order", INVALID, {**ORDER, "lines": []}, at="lines"),
    order("201 lines", INVALID, {**ORDER, "lines": [CROISSANT] * 201}, at="lines"),
    order("minus one unit", INVALID, lines(quantity=-1), at="lines[0].quantity"),
    order("no unit", INVALID, lines(quantity=0), at="lines[0].quantity"),
    order("10,001 units", INVALID, lines(quantity=10_001), at="lines[0].quantity"),
    order("more than 64 bits", INVALID, quantity("9223372036854775808"), at="lines[0].quantity"),
    order("400 digits", INVALID, quantity("1" * 400), at="lines[0].quantity"),
    order("an endless exponent", INVALID, quantity("1e999"), at="lines[0].quantity"),
    order("NaN", MALFORMED, quantity("NaN")),
    order("Infinity", MALFORMED, quantity("-Infinity")),
    order("hexadecimal", INVALID, quantity("0x1"), at="lines[0].quantity"),
    order("leading zero", MALFORMED, quantity("01")),
    order("a total from the client", INVALID, {**ORDER, "total": PRICE}, at="total"),
    order("a price from the client", INVALID, lines(unit_price=PRICE), at="lines[0].unit_price"),
    order("a currency from the client", INVALID, {**ORDER, "currency": "USD"}, at="currency"),
    order("an order for another", INVALID, {**ORDER, "user_id": "usr_" + "1" * 32}, at="user_id"),
    order("a paid order", INVALID, {**ORDER, "status": "paid"}, at="status"),
    order("an id of one's own", INVALID, {**ORDER, "order_id": "ord_" + "1" * 32}, at="order_id"),
    order("the key in the body", INVALID, {**ORDER, "idempotency_key": "k"}, at="idempotency_key"),
    order(
        "a card number with blanks",
        INVALID,
        {**ORDER, "payment_token": "4111 1111 1111 1111"},
        at="payment_token",
    ),
    order(
        "201 characters of token",
        INVALID,
        {**ORDER, "payment_token": "t" * 201},
        at="payment_token",
    ),
    order("an unknown SKU", (404, "unknown-sku"), lines(sku="nothing-of-ours")),
    order("a SKU that is an injection", (404, "unknown-sku"), lines(sku="x' OR '1'='1")),
    order("a SKU with a NUL", (404, "unknown-sku"), lines(sku="croissant\0")),
    order("a SKU of another case", (404, "unknown-sku"), lines(sku="CROISSANT")),
    order("65 characters of SKU", INVALID, lines(sku="s" * 65), at="lines[0].sku"),
    order("no body", MALFORMED, b""),
    order("null", INVALID, b"null"),
    order("a list", INVALID, b"[]"),
    order("a text", INVALID, b'"order"'),
    order("half a body", MALFORMED, PLAIN[:-1]),
    order("two bodies", MALFORMED, PLAIN + PLAIN),
    order("a comma too many", MALFORMED, PLAIN.replace(b"}]", b"},]")),
    order("single quotes", MALFORMED, PLAIN.replace(b'"', b"'")),
    order("a comment", MALFORMED, b"/* hello */" + PLAIN),
    order("a byte order mark", MALFORMED, b"\xef\xbb\xbf" + PLAIN),
    order("UTF-16", MALFORMED, PLAIN.decode().encode("utf-16")),
    order("a byte that is no UTF-8", MALFORMED, PLAIN.replace(b"croissant", b"croiss\xff")),
    order("an overlong NUL", MALFORMED, PLAIN.replace(b"croissant", b"croiss\xc0\x80")),
    order("a surrogate in UTF-8", MALFORMED, PLAIN.replace(b"croissant", b"\xed\xa0\x80")),
    order("half a surrogate pair", MALFORMED, PLAIN.replace(b"croissant", b"\\ud83e")),
    order("a raw line feed", MALFORMED, PLAIN.replace(b"croissant", b"croi\nssant")),
    order("100,000 brackets", INVALID, DEEP, at="lines[0]"),
    order("100,000 unknown brackets", INVALID, DEEP.replace(b"lines", b"depth"), at="depth"),
    order("a megabyte", (413, "body-too-large"), b" " * 2**20 + PLAIN),
    order(
        "one byte too many", (413, "body-too-large"), PLAIN + b" " * (256 * 1024 + 1 - len(PLAIN))
    ),
    order("another key twice", INVALID, PLAIN[:-1] + b',"lines":[],"lines":[]}', at="lines"),
    Refused(
        "an import of more than it takes",
        "/api/products/import",
        (413, "body-too-large"),
        who="operator",
        body=b" " * (2 * 2**20 + 1),
    ),
]

HEADERS = [
    order("no content type", (415, "unsupported-media-type"), ORDER, content_type="-"),
    order("a text as content", (415, "unsupported-media-type"), ORDER, content_type="text/plain"),
    order(
        "a form",
        (415, "unsupported-media-type"),
        ORDER,
        content_type="multipart/form-data; boundary=x",
    ),
    order(
        "another character set",
        (415, "unsupported-media-type"),
        ORDER,
        content_type="application/json; charset=utf-16",
    ),
    order(
        "two content types",
        (415, "unsupported-media-type"),
        ORDER,
        content_type="application/json, text/plain",
    ),
    order("compressed", (415, "unsupported-media-type"), ORDER, content_encoding="gzip"),
    order("no key", (400, "idempotency-key-required"), ORDER, idempotency_key="-"),
    order("an empty key", PARAMETER, ORDER, at="Idempotency-Key", idempotency_key=""),
    order(
        "256 characters of key", PARAMETER, ORDER, at="Idempotency-Key", idempotency_key="k" * 256
    ),
    order("a key with a blank", PARAMETER, ORDER, at="Idempotency-Key", idempotency_key="a b"),
    order(
        "a key with a letter of Latin-1",
        PARAMETER,
        ORDER,
        at="Idempotency-Key",
        idempotency_key="cl\xe9",
    ),
    order("a key with a NUL", PARAMETER, ORDER, at="Idempotency-Key", idempotency_key="a\0b"),
    order(
        "a key used for another order",
        (422, "idempotency-key-reused"),
        lines(quantity=2),
        idempotency_key="first-ann",
    ),
    order(
        "a key used with another token",
        (422, "idempotency-key-reused"),
        {**ORDER, "payment_token": "tok_twice"},
        idempotency_key="first-ann",
    ),
    Refused(
        "a key of an order for a checkout",
        "/api/cart/checkout",
        (422, "idempotency-key-reused"),
        body={"payment_token": "tok_ok"},
        headers={"idempotency-key": "first-ann"},
    ),
    order(
        "patience of nothing", PARAMETER, ORDER, at="X-Request-Timeout-S", x_request_timeout_s="0"
    ),
    order(
        "patience that is no number",
        PARAMETER,
        ORDER,
        at="X-Request-Timeout-S",
        x_request_timeout_s="nan",
    ),
    order("no patience at all", (504, "deadline-exceeded"), ORDER, x_request_timeout_s="0.0000001"),
]

ADDRESSES = [
    read("two slashes", "//api/orders", NO_ROUTE),
    read("two slashes inside", "/api//orders", NO_ROUTE),
    read("a last slash", "/api/orders/", NO_ROUTE),
    read("a dot", "/api/./orders", NO_ROUTE),
    read("two dots", "/api/users/../orders", NO_ROUTE),
    read("two dots as an id", "/api/orders/..", PARAMETER, at="order_id"),
    read("encoded dots", "/api/users/%2e%2e/orders", NO_ROUTE),
    read("an encoded slash", "/api%2forders", NO_ROUTE),
    read("an encoded slash in an id", f"/api/orders/ord_{ABSENT}%2f..", PARAMETER, at="order_id"),
    read("a backslash", "/api\\orders", NO_ROUTE),
    read("other capitals", "/API/Orders", NO_ROUTE),
    read("a path parameter of old", "/api/orders;v=1", NO_ROUTE),
    read("an encoded NUL", f"/api/orders/ord_{ABSENT}%00", PARAMETER, at="order_id"),
    read("an encoded line feed", f"/api/orders/ord_{ABSENT}%0a", PARAMETER, at="order_id"),
    read("bytes that are no UTF-8", "/api/orders/%ff%fe", NO_ROUTE),
    read("half an escape", "/api/orders/%4", PARAMETER, at="order_id"),
    read("very long", "/api/" + "a" * 20_000, NO_ROUTE),
    read("very deep", "/a" * 5_000, NO_ROUTE),
    read("an id of another kind", f"/api/orders/pay_{ABSENT}", PARAMETER, at="order_id"),
    read("capitals in an id", f"/api/orders/ord_{'A' * 32}", PARAMETER, at="order_id"),
    read("an address elsewhere", "http://example.test/api/orders", NO_ROUTE),
    read("a stray page", "/favicon.ico", NO_ROUTE),
    read("a service's health that is none", "/readyz/nothing", NOT_FOUND),
    Refused("HEAD of nothing", "/api/nothing", NO_ROUTE, verb="HEAD"),
    Refused("OPTIONS of nothing", "/api/nothing", NO_ROUTE, verb="OPTIONS"),
]

QUERIES = [
    read("an unknown parameter", "/api/orders?page=2", UNKNOWN_PARAMETER, at="page"),
    read(
        "an unknown parameter of an id", f"/api/orders/ord_{ABSENT}?x=1", UNKNOWN_PARAMETER, at="x"
    ),
    read("an empty page", "/api/orders?limit=0", PARAMETER, at="limit"),
    read("a page of -1", "/api/orders?limit=-1", PARAMETER, at="limit"),
    read("a page of 201", "/api/orders?limit=201", PARAMETER, at="limit"),
    read("a page of letters", "/api/orders?limit=ten", PARAMETER, at="limit"),
    read("a page of Arabic digits", "/api/orders?limit=%D9%A1", PARAMETER, at="limit"),
    read("a page of 1.5", "/api/orders?limit=1.5", PARAMETER, at="limit"),
    read("a page of nothing", "/api/orders?limit=", PARAMETER, at="limit"),
    read("two limits", "/api/orders?limit=1&limit=2", PARAMETER, at="limit"),
    read("a status that is none", "/api/orders?status=lost", PARAMETER, at="status"),
    read("33 parameters", "/api/orders?" + "&".join(f"a{n}=1" for n in range(33)), PARAMETER),
    read("a query that is no UTF-8", "/api/orders?status=%ff", PARAMETER),
    read("201 characters of cursor", "/api/orders?cursor=" + "c" * 201, PARAMETER, at="cursor"),
    read("101 characters of search", "/api/products?search=" + "s" * 101, PARAMETER, at="search"),
    *(
        read(
            f"{path} from {cursor!r}",
            f"/api/{path}?cursor={cursor}",
            CURSOR,
            at="cursor",
            who="operator",
        )
        for path in (
            "orders",
            "products",
            "payments",
            "mails",
            "inventory/movements",
            "inventory/levels",
            "inventory/reservations",
        )
        for cursor in ("zzz", "%00", "9" * 30, "ord_1", "'%20OR%201=1%20--")
    ),
]

VERBS = [
    Refused(f"{verb} {path}", path, (405, "method-not-allowed"), verb=verb)
    for verb, path in (
        ("PUT", "/api/orders"),
        ("DELETE", "/api/orders"),
        ("PATCH", f"/api/orders/ord_{ABSENT}"),
        ("TRACE", "/api/orders"),
        ("CONNECT", "/api/orders"),
        ("BREW", "/api/orders"),
        ("post", "/api/orders"),
        ("GET", "/api/users/sessions"),
        ("HEAD", "/api/users/sessions"),
        ("POST", "/openapi.json"),
        ("DELETE", "/metrics"),
        ("POST", "/api/users/me"),
    )
]

OTHERS = [
    read("an order that is not there", f"/api/orders/ord_{ABSENT}", NOT_FOUND),
    read("a payment that is not there", f"/api/payments/ord_{ABSENT}", NOT_FOUND),
    read("a product that is not there", f"/api/products/prd_{ABSENT}", NOT_FOUND),
    read("a mail beyond all numbers", f"/api/mails/mail_{'f' * 32}", NOT_FOUND, who="operator"),
    Refused("cancelling what is not there", f"/api/orders/ord_{ABSENT}/cancel", NOT_FOUND),
    Refused(
        "archiving what is not there",
        f"/api/products/prd_{ABSENT}",
        NOT_FOUND,
        verb="DELETE",
        who="operator",
    ),
    Refused(
        "an empty cart",
        "/api/cart/checkout",
        (409, "empty-cart"),
        who="bob",
        body={"payment_token": "tok_ok"},
    ),
    Refused(
        "an unknown SKU in the cart",
        "/api/cart/items",
        (404, "unknown-sku"),
        body={"sku": "nothing-of-ours"},
    ),
    Refused(
        "a cart line of 10,001",
        "/api/cart/items/croissant",
        INVALID,
        verb="PUT",
        at="quantity",
        body={"quantity": 10_001},
    ),
    Refused(
        "a cart line of -1",
        "/api/cart/items/croissant",
        INVALID,
        verb="PUT",
        at="quantity",
        body={"quantity": -1},
    ),
    Refused(
        "a cart line under two SKUs",
        "/api/cart/items/croissant",
        INVALID,
        verb="PUT",
        at="sku",
        body={"sku": "baguette", "quantity": 1},
    ),
    Refused(
        "a cart line with a price",
        "/api/cart/items",
        INVALID,
        at="price",
        body={"sku": "croissant", "price": PRICE},
    ),
]
