"""Requests whose texts and numbers must be refused: names, notes, addresses, prices, files."""

from typing import Any

from tests.api.refusals import (
    ACCOUNT,
    ARGUMENT,
    INVALID,
    MALFORMED,
    MOVE,
    PRICE,
    PRODUCT,
    ROW,
    VARIANT,
    Refused,
)

NAMES = {
    "nothing": "",
    "blanks": "   ",
    "wide blanks": "\u3000\u00a0",
    "a NUL": "Eve\0",
    "a line feed": "Eve\nBcc: mallory@example.test",
    "a carriage return": "Eve\rBcc: mallory@example.test",
    "an escape": "\x1b[31mEve",
    "a line separator": "Eve\u2028Adam",
    "a C1 control": "Eve\x85Adam",
    "text turned round": "Eve\u202egnp.exe",
    "an isolate left open": "Eve\u2067",
    "201 characters": "E" * 201,
}
ADDRESSES = {
    "no at": "eve",
    "two ats": "eve@adam@example.test",
    "no name": "@example.test",
    "no host": "eve@",
    "a header": "eve@example.test\r\nBcc: mallory@example.test",
    "a leading header": "\nBcc: mallory@example.test",
    "a list": "eve@example.test,mallory@example.test",
    "a name around": "Eve <eve@example.test>",
    "quotes": '"eve eve"@example.test',
    "a NUL": "eve\0@example.test",
    "a blank": "e ve@example.test",
    "65 characters": f"{'e' * 65}@example.test",
    "190 of host": f"eve@{'e' * 190}",
    "text turned round": "eve\u202e@example.test",
    "nothing to see": "eve\u200b@example.test",
}


def sign_up(what: str, *, at: str, told: tuple[int, str] = INVALID, **changes: Any) -> Refused:
    """A sign-up that is refused."""
    body = {**ACCOUNT, **changes}
    return Refused(f"account: {what}", "/api/users", told, who="nobody", at=at, body=body)


def product(what: str, told: tuple[int, str] = INVALID, *, at: str = "", **changes: Any) -> Refused:
    """A product that is refused."""
    body = {**PRODUCT, **changes}
    return Refused(f"product: {what}", "/api/products", told, who="operator", at=at, body=body)


def variant(what: str, told: tuple[int, str] = INVALID, *, at: str = "", **changes: Any) -> Refused:
    """A product whose only variant is refused."""
    return product(what, told, at=at, variants=[{**VARIANT, **changes}])


def price(what: str, told: tuple[int, str] = INVALID, *, at: str = "", **changes: Any) -> Refused:
    """A product whose price is refused."""
    return variant(what, told, at=at, price={**PRICE, **changes})


def move(what: str, told: tuple[int, str] = INVALID, *, at: str = "", **changes: Any) -> Refused:
    """A movement of stock that is refused."""
    body = {**MOVE, **changes}
    target = "/api/inventory/movements"
    return Refused(f"stock: {what}", target, told, who="operator", at=at, body=body)


def put(what: str, target: str, body: Any, *, at: str, told: tuple[int, str] = INVALID) -> Refused:
    """A PUT of Ann's that is refused."""
    return Refused(what, target, told, verb="PUT", at=at, body=body)


ACCOUNTS = [
    *(sign_up(f"a name of {what}", at="name", name=name) for what, name in NAMES.items()),
    *(sign_up(f"an address with {what}", at="email", email=it) for what, it in ADDRESSES.items()),
    sign_up("9 characters of password", at="password", password="p" * 9),
    sign_up("201 characters of password", at="password", password="p" * 201),
    sign_up("a number as password", at="password", password=1_234_567_890),
    sign_up("an operator", at="role", role="operator"),
    sign_up("scopes of choice", at="scopes", scopes=["catalog:write"]),
    sign_up("an id of choice", at="user_id", user_id="usr_" + "1" * 32),
    sign_up("a taken address", at="", told=(409, "email-taken"), email="ann@example.test"),
    sign_up("a taken one in capitals", at="", told=(409, "email-taken"), email="ANN@EXAMPLE.TEST"),
    *(
        Refused(
            f"profile: a name of {what}",
            "/api/users/me",
            INVALID,
            verb="PATCH",
            at="name",
            body={"name": name},
        )
        for what, name in NAMES.items()
    ),
    Refused(
        "profile: an operator",
        "/api/users/me",
        INVALID,
        verb="PATCH",
        at="role",
        body={"role": "operator"},
    ),
    Refused(
        "profile: another address",
        "/api/users/me",
        INVALID,
        verb="PATCH",
        at="email",
        body={"email": "x@example.test"},
    ),
    *(
        put(
            f"a time zone of {zone!r}",
            "/api/users/me/preferences",
            {"time_zone": zone},
            at="time_zone",
            told=ARGUMENT,
        )
        for zone in (
            "",
            "Mars/Olympus",
            "Europe",
            "../../etc/passwd",
            "/etc/localtime",
            "UTC\0",
            "europe/vienna",
        )
    ),
    *(
        put(f"a locale of {locale!r}", "/api/users/me/preferences", {"locale": locale}, at="locale")
        for locale in ("", "english", "../de", "de_AT", "DE", "de\n")
    ),
    Refused(
        "a short new password",
        "/api/users/me/password",
        INVALID,
        at="new_password",
        body={"old_password": "x", "new_password": "short"},
    ),
]

PRODUCTS = [
    *(product(f"a name of {what}", at="name", name=name) for what, name in NAMES.items()),
    *(
        variant(f"a variant's name of {what}", at="variants[0].name", name=name)
        for what, name in NAMES.items()
    ),
    product("a NUL in the description", (400, "bad-text"), at="description", description="a\0b"),
    product("an escape in the category", (400, "bad-text"), at="category", category="\x1b[2J"),
    product("4,001 characters of description", at="description", description="d" * 4_001),
    product("no variant", at="variants", variants=[]),
    product("101 variants", at="variants", variants=[VARIANT] * 101),
    product("the same SKU twice", (400, "duplicate-sku"), variants=[VARIANT, VARIANT]),
    product("half a surrogate pair", MALFORMED, name="\ud83e"),
    product("somebody else's SKU", (409, "sku-taken"), variants=[{**VARIANT, "sku": "croissant"}]),
    variant("a colour", at="variants[0].colour", colour="red"),
    variant("a SKU with a blank", at="variants[0].sku", sku="a b"),
    variant("a SKU with a slash", at="variants[0].sku", sku="a/b"),
    variant("a SKU of another script", at="variants[0].sku", sku="\u0441roissant"),
    variant("a SKU with a line feed", at="variants[0].sku", sku="croissant\n"),
    price("an unknown currency", at="variants[0].price", currency="XXX"),
    price("a small currency", at="variants[0].price", currency="eur"),
    price("a currency's sign", at="variants[0].price", currency="\u20ac"),
    price("nothing", (400, "bad-price"), amount_minor=0),
    price("less than nothing", (400, "bad-price"), amount_minor=-100),
    price("a fraction", at="variants[0].price.amount_minor", amount_minor=0.5),
    price("a text", at="variants[0].price.amount_minor", amount_minor="100"),
    price("beyond all money", at="variants[0].price", amount_minor=10**15 + 1),
    price("beyond 64 bits", at="variants[0].price", amount_minor=10**40),
    price("more than a price can be", (400, "bad-price"), amount_minor=10**12),
    price("a rate", at="variants[0].price.rate", rate=2),
    Refused(
        "import: nothing",
        "/api/products/import",
        INVALID,
        who="operator",
        at="rows",
        body={"rows": []},
    ),
    Refused(
        "import: 1,001 lines",
        "/api/products/import",
        INVALID,
        who="operator",
        at="rows",
        body={"rows": [ROW] * 1_001},
    ),
    Refused(
        "import: line 0",
        "/api/products/import",
        INVALID,
        who="operator",
        at="rows[0].line",
        body={"rows": [{**ROW, "line": 0}]},
    ),
    Refused(
        "import: a line beyond numbers",
        "/api/products/import",
        INVALID,
        who="operator",
        at="rows[0].line",
        body={"rows": [{**ROW, "line": 10**20}]},
    ),
    Refused(
        "import: a price as number",
        "/api/products/import",
        INVALID,
        who="operator",
        at="rows[0].price",
        body={"rows": [{**ROW, "price": 1.0}]},
    ),
    Refused(
        "import: another column",
        "/api/products/import",
        INVALID,
        who="operator",
        at="rows[0].colour",
        body={"rows": [{**ROW, "colour": "red"}]},
    ),
]

STOCK = [
    move("of nothing", ARGUMENT, at="quantity", quantity=0),
    move("too much at once", at="quantity", quantity=10**9 + 1),
    move("more than there is", (409, "failed-precondition"), quantity=-(10**9)),
    move("an unknown warehouse", (404, "not-found"), warehouse_id="nowhere"),
    move("a warehouse in capitals", at="warehouse_id", warehouse_id="MAIN"),
    move("an unknown reason", at="reason", reason="stolen"),
    move("a note of lines", at="note", note="a\nb"),
    move("a note with a NUL", at="note", note="a\0"),
    move("201 characters of note", at="note", note="n" * 201),
    Refused(
        "stock: a batch of nothing",
        "/api/inventory/movements/batch",
        INVALID,
        who="operator",
        at="movements",
        body={"movements": []},
    ),
    Refused(
        "stock: half a batch",
        "/api/inventory/movements/batch",
        (404, "not-found"),
        who="operator",
        body={
            "movements": [
                {**MOVE, "movement_key": "half-1"},
                {**MOVE, "movement_key": "half-2", "warehouse_id": "nowhere"},
            ]
        },
    ),
    Refused(
        "stock: one key for two",
        "/api/inventory/movements/batch",
        (422, "idempotency-key-reused"),
        who="operator",
        body={
            "movements": [
                {**MOVE, "movement_key": "one"},
                {**MOVE, "movement_key": "one", "quantity": 2},
            ]
        },
    ),
    *(
        Refused(
            f"warehouse: a name of {what}",
            "/api/inventory/warehouses/second",
            INVALID,
            verb="PUT",
            who="operator",
            at="name",
            body={"name": name},
        )
        for what, name in NAMES.items()
    ),
    Refused(
        "warehouse: a priority of -1",
        "/api/inventory/warehouses/second",
        INVALID,
        verb="PUT",
        who="operator",
        at="priority",
        body={"name": "Second", "priority": -1},
    ),
    Refused(
        "warehouse: an id in capitals",
        "/api/inventory/warehouses/SECOND",
        (400, "invalid-parameter"),
        verb="PUT",
        who="operator",
        at="warehouse_id",
        body={"name": "Second"},
    ),
]
