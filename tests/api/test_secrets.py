"""Passwords, tokens and addresses planted wherever a client can put them come out nowhere."""

import base64
import itertools
import json
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from emporion.chassis.telemetry.logs import JsonLogs
from emporion.chassis.telemetry.store.records import LogRow
from emporion.chassis.testing.asgi import Answer
from emporion.platform.shop_folder import SERVICES
from emporion.platform.telling.export.emf import EmbeddedMetrics
from emporion.platform.telling.export.otlp import Messages
from emporion.platform.telling.recorder import Batch, Recorder
from emporion.platform.telling.records import FILE
from emporion.platform.telling.store.reading import StoreReader, Wanted
from emporion.platform.telling.store.writing import Limits
from tests.api.refusals import CROISSANT, ORDER, PRODUCT, VARIANT
from tests.api.shopfront import JSON, NOBODY, Person, Shopfront, must, open_shopfront
from tests.system.files import open_file

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASSWORD = "Pa55-planted-in-the-body"
WRONG_PASSWORD = "Pa55-planted-but-wrong"
NEW_PASSWORD = "Pa55-planted-as-the-new-one"
CARD_TOKEN = "tok_planted_4111111111111112"
LOST_CARD_TOKEN = "tok_timeout"
COOKIE = "sid=planted-in-a-cookie"
API_KEY = "planted-in-a-header"
BASIC = base64.b64encode(b"planted:in-basic-auth").decode()
ADDRESS = "planted-address@example.test"
STRANGER = "planted-stranger@example.test"
EVERYWHERE = {
    "cookie": COOKIE,
    "x-api-key": API_KEY,
    "from": ADDRESS,
    "referer": f"https://{ADDRESS}",
}
BODIES = {"payment_token", '"quantity"', '"old_password"', "refresh_token"}
"""Words that stand in bodies alone: where one is, a body is."""
PLACES = (
    "spans",
    "store: traces",
    "store: logs",
    "store: file",
    "otlp traces",
    "otlp logs",
    "otlp metrics",
    "emf",
    "log",
    "metrics",
)


@dataclass
class Planted:
    """A shop that was asked for many things with secrets in them, and all that it answered."""

    front: Shopfront
    secrets: set[str]
    answers: list[Answer]
    told: dict[str, str]

    @property
    def problems(self) -> list[Answer]:
        """The refusals among the answers."""
        return [answer for answer in self.answers if answer.status >= 400]


class Planter:
    """Sends requests with secrets in every header, and keeps what came back."""

    def __init__(self, front: Shopfront) -> None:
        self.front = front
        self.answers: list[Answer] = []
        self.secrets = {
            PASSWORD, WRONG_PASSWORD, NEW_PASSWORD, CARD_TOKEN, COOKIE, API_KEY, BASIC, STRANGER,
        }  # fmt: skip
        self._keys = itertools.count()

    async def json(self, who: Person, verb: str, target: str, content: object = None) -> Answer:
        """One request with secrets in its headers."""
        headers = {**EVERYWHERE, "idempotency_key": f"planted-{next(self._keys)}"}
        answer = await self.front.json(who, verb, target, content, **headers)
        self.answers.append(answer)
        return answer

    async def get(self, who: Person, target: str, **headers: str) -> Answer:
        """One GET with secrets in its headers."""
        sent = {**EVERYWHERE, **headers}
        answer = await self.front.send(who, "GET", target, headers=sent)
        self.answers.append(answer)
        return answer

    async def accounts(self) -> Person:
        """Sign up, sign in rightly and wrongly, refresh, change the password."""
        account = {"email": ADDRESS, "password": PASSWORD, "name": "Planted"}
        must(await self.json(NOBODY, "POST", "/api/users", account))
        await self.json(NOBODY, "POST", "/api/users", account)
        await self.json(NOBODY, "POST", "/api/users", {**account, "name": ""})
        await self.json(NOBODY, "POST", "/api/users", {**account, "password": [PASSWORD]})
        for email in (ADDRESS, STRANGER, f"{STRANGER} {STRANGER}"):
            wrong = {"email": email, "password": WRONG_PASSWORD}
            await self.json(NOBODY, "POST", "/api/users/sessions", wrong)
        session = {"email": ADDRESS, "password": PASSWORD}
        first = must(await self.json(NOBODY, "POST", "/api/users/sessions", session))
        token = {"refresh_token": first["refresh_token"]}
        second = must(await self.json(NOBODY, "POST", "/api/users/sessions/refresh", token))
        await self.json(NOBODY, "POST", "/api/users/sessions/refresh", {"refresh_token": [token]})
        third = must(await self.json(NOBODY, "POST", "/api/users/sessions", session))
        for name, given in itertools.product(
            ("access_token", "refresh_token"), (first, second, third)
        ):
            self.secrets.add(given[name])
        who = Person(ADDRESS, third["user_id"], third["access_token"], third["refresh_token"])
        words = {"old_password": WRONG_PASSWORD, "new_password": NEW_PASSWORD}
        await self.json(who, "POST", "/api/users/me/password", words)
        await self.json(who, "PATCH", "/api/users/me", {"password": NEW_PASSWORD})
        return who

    async def orders(self, who: Person) -> None:
        """Orders that are paid, declined, late, refused and malformed."""
        for token in ("tok_ok", CARD_TOKEN, "tok_declined", LOST_CARD_TOKEN, "tok_twice"):
            await self.json(who, "POST", "/api/orders", {**ORDER, "payment_token": token})
        for broken in (f"{CARD_TOKEN} {CARD_TOKEN}", [CARD_TOKEN], {"number": CARD_TOKEN}, None):
            await self.json(who, "POST", "/api/orders", {**ORDER, "payment_token": broken})
        for sku in (STRANGER, PASSWORD + "!", API_KEY + "/"):
            lines = [{**CROISSANT, "sku": sku}]
            await self.json(who, "POST", "/api/orders", {**ORDER, "lines": lines})
            await self.json(who, "POST", "/api/cart/items", {"sku": sku})
        must(await self.json(who, "POST", "/api/cart/items", {"sku": "croissant"}))
        for token in (CARD_TOKEN, "tok_ok"):
            await self.json(who, "POST", "/api/cart/checkout", {"payment_token": token})
        for order in must(await self.get(who, "/api/orders"))["orders"]:
            await self.get(who, f"/api/orders/{order['order_id']}")
            await self.get(who, f"/api/payments/{order['order_id']}")
            await self.json(who, "POST", f"/api/orders/{order['order_id']}/cancel", {})

    async def odd_places(self, who: Person) -> None:
        """Secrets in addresses, queries, other headers and bodies that cannot be read."""
        for target in ("/api/orders", "/api/products", "/api/mails", "/metrics", "/readyz", "/"):
            await self.get(who, f"{target}?status={STRANGER}&access_token={who.token}")
            await self.get(who, f"{target}?search={STRANGER}&limit={PASSWORD}")
            await self.get(NOBODY, target, authorization=f"Basic {BASIC}")
            await self.get(NOBODY, target, authorization=f"Bearer {CARD_TOKEN}")
        await self.get(who, "/api/orders", **{"x-request-timeout-s": PASSWORD})
        await self.get(who, "/api/orders", traceparent=f"00-{API_KEY}-{API_KEY}-01")
        for body in (f'{{"password": "{PASSWORD}"', f'"{CARD_TOKEN}"', f"{STRANGER}={PASSWORD}"):
            for content_type in (JSON, "text/plain"):
                headers = {"content-type": content_type, **EVERYWHERE}
                for target in ("/api/users/sessions", "/api/orders"):
                    answer = await self.front.send(
                        who, "POST", target, headers=headers, body=body.encode()
                    )
                    self.answers.append(answer)
        product = {**PRODUCT, "variants": [{**VARIANT, "sku": STRANGER}]}
        await self.json(self.front.operator, "POST", "/api/products", product)
        await self.json(who, "PUT", "/api/users/me/preferences", {"time_zone": STRANGER})
        await self.json(who, "PUT", "/api/users/me/preferences", {"locale": PASSWORD})

    async def failures(self, who: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        """Requests that end in an error nobody expected."""
        api: Any = self.front.shop.assembly("order").implementation
        user: Any = self.front.shop.assembly("user").implementation

        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("planted defect")

        with monkeypatch.context() as patch:
            patch.setattr(api._orders, "take", fail)
            patch.setattr(user._signing_in._credentials, "prove", fail)
            await self.json(who, "POST", "/api/orders", {**ORDER, "payment_token": CARD_TOKEN})
            session = {"email": ADDRESS, "password": PASSWORD}
            await self.json(NOBODY, "POST", "/api/users/sessions", session)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planted(tmp_path_factory):
    """The shop after all that, with nothing under way any more."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with open_shopfront(tmp_path_factory.mktemp("secrets") / "data") as front:
            planter = Planter(front)
            who = await planter.accounts()
            await planter.orders(who)
            await planter.odd_places(who)
            await planter.failures(who, monkeypatch)
            await front.until_quiet()
            await front.until_no_saga_is_open()
            told = await everything_told(front)
            yield Planted(front, planter.secrets, planter.answers, told)


async def everything_told(front: Shopfront) -> dict[str, str]:
    """What the shop has told of itself by now: in memory, in its store, and to others."""
    telemetry, clock = front.shop.telemetry, front.shop.runtime.clock
    (handler,) = (one for one in logging.getLogger().handlers if isinstance(one, JsonLogs))
    logs = deque(rows_of(front.log.getvalue(), at_ms=clock.now_ms()))
    batches: list[Batch] = []
    lines: list[str] = []
    path = front.folder / FILE
    recorder = Recorder(
        telemetry,
        front.shop.runtime,
        path=path,
        limits=Limits(bytes_max=10**8, hours=24),
        logs=logs,
        exports=[batches.append],
    )
    handler.flush()
    await recorder.flush()
    await recorder.stop()
    reader, messages = StoreReader(path), Messages(place={}, started_ns=1)
    EmbeddedMetrics(telemetry.metrics, "shop", lines.append, place={}).tell(clock.now_ms())
    traces = reader.traces(Wanted(limit=100_000))
    spans = [span for batch in batches for span in batch.spans]
    rows = [row for batch in batches for row in batch.logs]
    assert len(spans) > 50
    assert rows
    assert len(traces) > 50
    return {
        "spans": repr(spans),
        "store: traces": repr(traces) + repr([reader.spans(one.trace_id) for one in traces]),
        "store: logs": repr(reader.logs(Wanted(limit=1_000))),
        "store: file": path.read_bytes().decode("latin-1"),
        "otlp traces": messages.traces(spans, epoch_us=1).decode("latin-1"),
        "otlp logs": messages.logs(rows).decode("latin-1"),
        "otlp metrics": messages.metrics(telemetry.metrics, now_ns=1).decode("latin-1"),
        "emf": repr(lines),
        "log": front.log.getvalue().decode(),
        "metrics": telemetry.metrics.exposition().decode(),
    }


def rows_of(log: bytes, *, at_ms: int) -> Iterator[LogRow]:
    """The lines of a log as the store takes them."""
    for line in log.splitlines():
        read = json.loads(line)
        yield LogRow(at_ms, read.get("trace_id", ""), read["level"], read["service"], line)


def found(text: str, secrets: set[str]) -> list[str]:
    """Which secrets stand in a text."""
    return [secret for secret in secrets if secret in text]


def cells(front: Shopfront, database: str) -> dict[str, str]:
    """Everything that stands in each table of a database, as text."""
    with closing(open_file(front.folder / f"{database}.sqlite")) as file:
        tables = [
            name
            for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        return {
            f"{database}.{table}": repr(file.execute(f'SELECT * FROM "{table}"').fetchall())
            for table in tables
        }


async def test_the_requests_met_successes_and_refusals_of_many_kinds(planted):
    statuses = {answer.status for answer in planted.answers}

    assert {200, 201, 400, 401, 402, 403, 404, 409, 415, 422, 500} <= statuses
    assert len(planted.problems) > 50


async def test_no_problem_document_repeats_a_secret(planted):
    secrets = planted.secrets | {ADDRESS}

    for answer in planted.problems:
        assert found(answer.body.decode(), secrets) == [], answer
        assert found(repr(answer.headers), secrets) == [], answer


async def test_no_log_line_tells_a_secret(planted):
    log = planted.front.log.getvalue().decode()

    assert "planted defect" in log
    assert found(log, planted.secrets | {ADDRESS}) == []


async def test_no_metric_tells_a_secret(planted):
    metrics = await planted.front.send(NOBODY, "GET", "/metrics")

    assert b"http_request_seconds" in metrics.body
    assert found(metrics.body.decode(), planted.secrets | {ADDRESS}) == []


@pytest.mark.parametrize("place", PLACES)
async def test_nothing_that_is_told_kept_or_exported_holds_a_secret_or_a_body(planted, place):
    text = planted.told[place]

    assert len(text) > 100
    assert found(text, planted.secrets | {ADDRESS}) == []
    assert found(text, BODIES) == []


async def test_all_that_is_told_is_searched(planted):
    assert set(planted.told) == set(PLACES)
    assert "place_order" in planted.told["otlp traces"]
    assert "planted defect" in planted.told["otlp logs"]
    assert "POST /api/orders" in planted.told["store: traces"]


@pytest.mark.parametrize("database", SERVICES)
async def test_no_table_keeps_a_secret_once_everything_is_over(planted, database):
    for table, text in cells(planted.front, database).items():
        assert found(text, planted.secrets | {ADDRESS}) == [], table


@pytest.mark.parametrize("table", ["outbox", "event", "saga", "inbox", "parked"])
async def test_nothing_is_kept_in_the_tables_of_the_chassis_but_there_is_something(planted, table):
    texts = {
        name: text
        for database in planted.front.shop.databases
        for name, text in cells(planted.front, database).items()
        if name.endswith(f".{table}")
    }

    assert len(texts) == len(planted.front.shop.databases)
    for name, text in texts.items():
        assert found(text, planted.secrets | {ADDRESS}) == [], name


async def test_the_finder_finds(planted):
    assert found(f"x{PASSWORD}x", planted.secrets) == [PASSWORD]
    assert found(str([answer.body for answer in planted.answers]), {ADDRESS}) == [ADDRESS]
    assert "refunded" in cells(planted.front, "payment")["payment.payment"]
