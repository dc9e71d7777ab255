"""A shop in a dictionary behind a real HTTP server: what the clients are tested against."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

NOW = "2026-11-01T12:00:00Z"


@dataclass
class FakeShop:
    """Answers as the contracts say. Faults are counted down: each takes one order request."""

    prices: dict[str, int] = field(default_factory=lambda: {"bread": 250, "coffee": 300})
    users: dict[str, str] = field(default_factory=dict)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    movements: dict[str, dict[str, Any]] = field(default_factory=dict)
    warehouses: dict[str, str] = field(default_factory=dict)
    imported: list[dict[str, Any]] = field(default_factory=list)
    offers: dict[str, dict[str, Any]] = field(default_factory=dict)
    valid_tokens: set[str] = field(default_factory=set)
    busy: int = 0
    dropped: int = 0
    dropped_after: int = 0
    pending: int = 0
    sold_out: set[str] = field(default_factory=set)
    url: str = ""

    def problem(self, status: int, slug: str, **fields: Any) -> web.Response:
        body = {"type": f"urn:emporion:problem:{slug}", "title": slug, "status": status}
        return web.json_response(
            body | {"detail": f"it is {slug}"} | fields,
            status=status,
            content_type="application/problem+json",
        )

    async def sign_up(self, request: web.Request) -> web.Response:
        sent = await request.json()
        if sent["email"] in self.users:
            return self.problem(409, "email-taken")
        self.users[sent["email"]] = sent["password"]
        return web.json_response(self.user(sent["email"]), status=201)

    def user(self, email: str) -> dict[str, Any]:
        return {
            "user_id": f"usr_{list(self.users).index(email):032x}",
            "email": email,
            "name": "x",
            "scopes": [],
            "preferences": {},
            "created_at": NOW,
        }

    async def sign_in(self, request: web.Request) -> web.Response:
        sent = await request.json()
        if self.users.get(sent["email"]) != sent["password"]:
            return self.problem(401, "wrong-credentials")
        return self.session(sent["email"])

    async def refresh(self, request: web.Request) -> web.Response:
        token = (await request.json())["refresh_token"]
        return self.session(token.removeprefix("r-"))

    def session(self, email: str) -> web.Response:
        self.seen["sessions"] += 1
        token = f"t{self.seen['sessions']}-{email}"
        self.valid_tokens.add(token)
        body = {
            "access_token": token,
            "refresh_token": f"r-{email}",
            "expires_in_s": 900,
            "user_id": self.user(email)["user_id"],
        }
        return web.json_response(body, status=201)

    def caller(self, request: web.Request) -> str | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return token.partition("-")[2] if token in self.valid_tokens else None

    async def list_products(self, request: web.Request) -> web.Response:
        products = [
            {
                "product_id": "prd_" + f"{number:032x}",
                "name": sku,
                "description": "",
                "category": "",
                "variants": [
                    {"sku": sku, "name": sku, "price": {"amount_minor": price, "currency": "EUR"}}
                ],
                "is_archived": False,
                "updated_at": NOW,
            }
            for number, (sku, price) in enumerate(self.prices.items())
        ]
        start = int(request.query.get("cursor") or 0)
        page = products[start : start + 50]
        cursor = str(start + 50) if start + 50 < len(products) else ""
        return web.json_response({"products": page, "next_cursor": cursor})

    async def put_offer(self, request: web.Request) -> web.Response:
        """A delivery, a promotion or taxes, by path."""
        self.offers[request.path] = sent = await request.json()
        if request.path.startswith("/api/promotions"):
            made = {"promotion_id": request.match_info["key"], "uses": 0, "is_archived": False}
            return web.json_response(sent | made)
        return web.json_response({"deliveries": [], "countries": []})

    async def import_products(self, request: web.Request) -> web.Response:
        if self.caller(request) is None:
            return self.problem(401, "unauthenticated")
        sent = await request.json()
        errors = [
            {"line": row["line"], "column": "price", "message": "is not an amount"}
            for row in sent["rows"]
            if not row["price"].replace(".", "").isdigit()
        ]
        if not errors and not sent["is_dry_run"]:
            self.imported += sent["rows"]
            for row in sent["rows"]:
                self.prices[row["sku"]] = round(float(row["price"]) * 100)
        created = 0 if errors else len({row["product"] for row in sent["rows"]})
        return web.json_response(
            {"created": created, "updated": 0, "unchanged": 0, "errors": errors}
        )

    async def list_warehouses(self, request: web.Request) -> web.Response:
        known = [{"warehouse_id": i, "name": n, "priority": 1} for i, n in self.warehouses.items()]
        return web.json_response({"warehouses": known})

    async def put_warehouse(self, request: web.Request) -> web.Response:
        sent = await request.json()
        self.warehouses[request.match_info["id"]] = sent["name"]
        return web.json_response({"warehouse_id": request.match_info["id"], **sent})

    async def move_stock(self, request: web.Request) -> web.Response:
        sent = (await request.json())["movements"]
        for movement in sent:
            self.movements.setdefault(movement["movement_key"], movement)
        return web.json_response({"movements": [m | {"moved_at": NOW} for m in sent]}, status=201)

    async def place_order(self, request: web.Request) -> web.StreamResponse:
        self.seen["order requests"] += 1
        body, key = await request.read(), request.headers["Idempotency-Key"]
        email = self.caller(request)
        if email is None:
            return self.problem(401, "unauthenticated")
        if self.busy > 0:
            self.busy -= 1
            return self.problem(503, "unavailable")
        if self.dropped > 0:
            self.dropped -= 1
            return self.hang_up(request)
        answer = self.decide(email, key, body, await request.json())
        if self.dropped_after > 0:
            self.dropped_after -= 1
            return self.hang_up(request)
        return answer

    def hang_up(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def decide(self, email: str, key: str, body: bytes, sent: dict[str, Any]) -> web.Response:
        known = self.keys.get((email, key))
        if known is not None:
            if known[0] != body:
                return self.problem(422, "idempotency-key-reused")
            return web.json_response(self.orders[known[1]], status=201)
        if sent["payment_token"] == "tok_declined":
            return self.problem(402, "payment-declined")
        if {line["sku"] for line in sent["lines"]} & self.sold_out:
            return self.problem(409, "out-of-stock", shortages=[])
        order_id = f"ord_{len(self.orders):032x}"
        self.keys[email, key] = (body, order_id)
        total = sum(self.prices[line["sku"]] * line["quantity"] for line in sent["lines"])
        self.orders[order_id] = {
            "order_id": order_id,
            "user_id": self.user(email)["user_id"],
            "owner": email,
            "status": "paid",
            "lines": sent["lines"],
            "total": {"amount_minor": total, "currency": "EUR"},
            "created_at": NOW,
            "updated_at": NOW,
        }
        if self.pending > 0:
            self.pending -= 1
            pending = self.orders[order_id] | {"status": "pending"}
            return web.json_response(pending, status=202)
        return web.json_response(self.orders[order_id], status=201)

    async def get_order(self, request: web.Request) -> web.Response:
        return web.json_response(self.orders[request.match_info["id"]])

    async def list_orders(self, request: web.Request) -> web.Response:
        mine = [o for o in self.orders.values() if o["owner"] == self.caller(request)]
        page = [
            {
                "order_id": o["order_id"],
                "status": o["status"],
                "total": o["total"],
                "units": sum(line["quantity"] for line in o["lines"]),
                "created_at": NOW,
            }
            for o in mine
        ]
        return web.json_response({"orders": page, "next_cursor": ""})

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/api/users", self.sign_up)
        app.router.add_post("/api/users/sessions", self.sign_in)
        app.router.add_post("/api/users/sessions/refresh", self.refresh)
        app.router.add_get("/api/products", self.list_products)
        app.router.add_put("/api/{kind:deliveries|promotions|taxes}/{key}", self.put_offer)
        app.router.add_post("/api/products/import", self.import_products)
        app.router.add_get("/api/inventory/warehouses", self.list_warehouses)
        app.router.add_put("/api/inventory/warehouses/{id}", self.put_warehouse)
        app.router.add_post("/api/inventory/movements/batch", self.move_stock)
        app.router.add_post("/api/orders", self.place_order)
        app.router.add_get("/api/orders", self.list_orders)
        app.router.add_get("/api/orders/{id}", self.get_order)
        return app


@contextlib.asynccontextmanager
async def fake_shop(**state: Any) -> AsyncIterator[FakeShop]:
    """A fake shop that listens on a free port of this machine."""
    shop = FakeShop(**state)
    shop.users["operator@emporion.test"] = "emporion-demo-operator"
    runner = web.AppRunner(shop.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert isinstance(site._server, asyncio.Server)
    shop.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    try:
        yield shop
    finally:
        await runner.cleanup()
