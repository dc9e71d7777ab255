"""The whole shop behind its HTTP application in this process: people, their tokens, its books."""

import asyncio
import hashlib
import io
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from emporion.chassis.http.app import HttpApp
from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.telemetry.logs import JsonLogs
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.asgi import Answer, AsgiClient
from emporion.platform.audit.run import audit_folder
from emporion.platform.front import http_app
from emporion.platform.process import furnish
from emporion.platform.settings import Settings
from emporion.platform.shop import Shop, open_shop
from emporion.platform.telling.process import Telling
from tests.system.files import open_file
from tests.system.polling import POLL_S, eventually

JSON = "application/json"
PROBLEM = "application/problem+json"
PASSWORD = "a-long-enough-password"
PATIENCE_S = 20.0
TYPE_PREFIX = "urn:emporion:problem:"
BACKGROUND = frozenset({"bus_cursor"})
"""Tables in which delivery notes how far it has read."""
Books = dict[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Person:
    """An account and its session; the anonymous one has none."""

    email: str = ""
    user_id: str = ""
    token: str = ""
    refresh_token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What makes a request this person's."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}


NOBODY = Person()


@dataclass
class Shopfront:
    """A running shop; requests go to its application without a socket."""

    shop: Shop
    app: HttpApp
    folder: Path
    log: io.BytesIO
    operator: Person = NOBODY
    people: dict[str, Person] = field(default_factory=dict)
    _ledgers: dict[str, "Ledger"] = field(default_factory=dict)

    async def send(
        self,
        who: Person,
        verb: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """One request of somebody."""
        sent = {**who.headers, **(headers or {})}
        return await AsgiClient(self.app).send(verb, target, headers=sent, body=body)

    async def json(
        self, who: Person, verb: str, target: str, content: Any, **headers: str
    ) -> Answer:
        """One request with a JSON body; `idempotency_key="k"` gives a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client = AsgiClient(self.app, headers=who.headers)
        return await client.json(verb, target, content, headers=named)

    async def person(self, name: str) -> Person:
        """The customer of that name, signed up and signed in once."""
        if name not in self.people:
            email = f"{name}@example.test"
            account = {"email": email, "password": PASSWORD, "name": name}
            made = must(await self.json(NOBODY, "POST", "/api/users", account))
            self.people[name] = await self.sign_in(email, PASSWORD, user_id=made["user_id"])
        return self.people[name]

    async def sign_in(self, email: str, password: str, *, user_id: str = "") -> Person:
        """A new session."""
        credentials = {"email": email, "password": password}
        session = must(await self.json(NOBODY, "POST", "/api/users/sessions", credentials))
        return Person(email, user_id, session["access_token"], session["refresh_token"])

    async def order(self, who: Person, key: str, *, sku: str = "croissant") -> dict[str, Any]:
        """A paid order of one unit."""
        wanted = {"lines": [{"sku": sku, "quantity": 1}], "payment_token": "tok_ok"}
        return must(await self.json(who, "POST", "/api/orders", wanted, idempotency_key=key))

    async def until_quiet(self) -> None:
        """Wait until every event is delivered and every mail is sent."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self._is_quiet():
                await asyncio.sleep(POLL_S)

    async def _is_quiet(self) -> bool:
        if any(lag.waiting or lag.parked for lag in await self.shop.bus.lag()):
            return False
        with closing(open_file(self.folder / "email.sqlite")) as mails:
            return mails.execute("SELECT 1 FROM mail WHERE status = 'queued'").fetchone() is None

    async def until_no_saga_is_open(self) -> None:
        """Wait until every saga has ended, also those that were unsure about a payment."""
        sql = "SELECT 1 FROM saga WHERE state IN ('running', 'compensating')"

        def is_over() -> bool:
            with closing(open_file(self.folder / "order.sqlite")) as orders:
                return orders.execute(sql).fetchone() is None

        await eventually(is_over, within_s=PATIENCE_S, what="every saga ends")
        await self.until_quiet()

    async def still_books(self) -> Books:
        """The books once nothing is under way: what changes them then is the next request."""
        await self.until_quiet()
        return self.books()

    def books(self, *, without: frozenset[str] = frozenset()) -> Books:
        """Every table of every database: how many rows, and a digest of all of them.

        Args:
            without: tables left out, as `user.session`.
        """
        found: Books = {}
        for name in self.shop.databases:
            if name not in self._ledgers:
                self._ledgers[name] = Ledger(self.folder / f"{name}.sqlite")
            found |= {f"{name}.{table}": it for table, it in self._ledgers[name].read().items()}
        return {table: it for table, it in found.items() if table not in without}

    async def violations(self) -> list[str]:
        """What the audit finds now, beside the running shop."""
        report = await audit_folder(self.folder, wait_s=PATIENCE_S)
        return [f"{each.check}: {each.violations}" for each in report.findings if each.total]


class Ledger:
    """The tables of one database; read again only after somebody has written to it."""

    def __init__(self, path: Path) -> None:
        self._file = open_file(path)
        self._version: object = -1
        self._known: Books = {}

    def read(self) -> Books:
        """How many rows each table has, and a digest of them; without BACKGROUND."""
        ((version,),) = self._file.execute("PRAGMA data_version").fetchall()
        if version != self._version:
            self._version = version
            tables = [table for table in _tables(self._file) if table not in BACKGROUND]
            self._known = {table: _digest(self._file, table) for table in tables}
        return self._known

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def must(answer: Answer) -> dict[str, Any]:
    """The body of a success."""
    assert answer.status < 300, answer
    document: dict[str, Any] = answer.json() if answer.body else {}
    return document


def slug_of(answer: Answer) -> str:
    """The slug of a problem document, which is checked for its form; empty for a success."""
    if answer.status < 400:
        return ""
    assert answer.headers["content-type"] == PROBLEM, answer
    document = answer.json()
    assert document["status"] == answer.status, answer
    assert document["type"].startswith(TYPE_PREFIX), answer
    assert document["title"] and document["detail"], answer
    assert document["trace_id"] == answer.headers["x-trace-id"], answer
    assert len(document["trace_id"]) == 32, answer
    assert b"Traceback" not in answer.body, answer
    slug: str = document["type"].removeprefix(TYPE_PREFIX)
    return slug


@asynccontextmanager
async def open_shopfront(
    folder: Path, *, is_audited: bool = True, is_telling: bool = False, **settings_of: Any
) -> AsyncIterator[Shopfront]:
    """A started shop with its demo catalogue and operator; its books are audited at the end.

    Args:
        folder: where its databases are made.
        is_audited: whether its books must be whole at the end, with no saga left open.
        is_telling: whether its telemetry is kept in a store, as that of a real process is.
        settings_of: further settings, by name.
    """
    settings = Settings(data=str(folder), port=0, **settings_of)
    runtime = system_runtime()
    telemetry = Telemetry(runtime, is_strict=True)
    log = io.BytesIO()
    logs = JsonLogs(telemetry.guard, stream=log)
    with _logging_to(logs):
        async with open_shop(settings, runtime, telemetry) as shop:
            part = Telling(telemetry, logs).part(shop) if is_telling else None
            if part is not None:
                await part.start()
            await shop.start()
            await furnish(shop)
            front = Shopfront(shop, http_app(shop, lambda: ""), folder, log)
            front.operator = await front.sign_in(
                settings.operator_email, settings.operator_password
            )
            try:
                yield front
            finally:
                for ledger in front._ledgers.values():
                    ledger.close()
                await shop.stop()
                if part is not None:
                    await part.stop()
                assert isinstance(runtime.tasks, SystemTasks)
                await runtime.tasks.cancel_all()
    if is_audited:
        report = await audit_folder(folder, wait_s=0)
        assert report.violations == 0, [each for each in report.findings if each.total]


class _logging_to:  # noqa: N801 - reads like a function
    """Every log line of the block goes to the handler too, from DEBUG on."""

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._level = logging.WARNING

    def __enter__(self) -> None:
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(logging.DEBUG)

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
        self._handler.flush()


def _tables(file: apsw.Connection) -> list[str]:
    rows = file.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return sorted(name for (name,) in rows)


def _digest(file: apsw.Connection, table: str) -> tuple[int, str]:
    rows = sorted(map(repr, file.execute(f'SELECT * FROM "{table}"')))
    return len(rows), hashlib.blake2b("\n".join(rows).encode(), digest_size=8).hexdigest()
