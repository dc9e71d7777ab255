"""A person in a shop on PostgreSQL, MongoDB and NATS: no row, document or file names her."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from pymongo import AsyncMongoClient

from emporion.chassis.testing.asgi import Answer
from emporion.platform.audit.stored import stored_lags
from emporion.platform.privacy_standing import standing
from emporion.platform.reading.processes import services_in
from emporion.platform.shop_folder import SERVICES
from emporion.platform.topology.kinds import Engine
from tests.api.shopfront import PASSWORD, Person, Shopfront, must
from tests.engines.mongodb import sockets_collected
from tests.platform.audit.split_shop import dsn_of, running, until_delivered
from tests.platform.privacy.lives import (
    NAME,
    NEEDLES,
    WEBHOOK_SECRET,
    be_named_by_the_provider,
    be_suspected,
    call_off,
    merchant,
    mistake,
    pay_with_a_card,
    send_back,
)

__all__ = ["sockets_collected"]
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("sockets_collected")]
START_S_MAX = 60.0


class DistantFront(Shopfront):
    """The same requests over HTTP, of a shop in other processes."""

    def __init__(self, url: str, folder: Path, session: aiohttp.ClientSession) -> None:
        elsewhere: Any = None
        super().__init__(elsewhere, elsewhere, folder, io.BytesIO())
        self._url = url
        self._session = session

    async def send(
        self,
        who: Person,
        verb: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        sent = {**who.headers, **(headers or {})}
        async with self._session.request(
            verb, self._url + target, headers=sent, data=body or None
        ) as answer:
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, lower, await answer.read())

    async def json(
        self, who: Person, verb: str, target: str, content: Any, **headers: str
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(
            verb, self._url + target, headers={**who.headers, **named}, json=content
        ) as answer:
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, lower, await answer.read())

    async def until_quiet(self) -> None:
        await until_delivered(lambda: stored_lags(self.folder))
        until_s = time.monotonic() + START_S_MAX
        while must(await self.send(self.operator, "GET", "/api/mails?status=queued"))["mails"]:
            assert time.monotonic() < until_s
            await asyncio.sleep(0.05)


async def everything(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Every table and collection of every service, and what is in it."""
    for service, held in services_in(folder, SERVICES).items():
        if held.engine is Engine.MONGODB:
            async with AsyncMongoClient[dict[str, Any]](dsn_of(folder, service)) as client:
                documents = client[service]
                for name in await documents.list_collection_names():
                    found = [str(each) async for each in documents[name].find()]
                    yield f"{service}.{name}", "\n".join(found)
        else:
            connection = await asyncpg.connect(dsn_of(folder, service))
            try:
                for (table,) in await connection.fetch(
                    "SELECT tablename FROM pg_tables WHERE schemaname NOT IN"
                    " ('pg_catalog', 'information_schema')"
                ):
                    rows = await connection.fetch(f'SELECT * FROM "{table}"')
                    yield f"{service}.{table}", "\n".join(str(tuple(row)) for row in rows)
            finally:
                await connection.close()


def names_her(content: bytes) -> bool:
    return any(needle in content.lower() for needle in NEEDLES)


async def naming(folder: Path, person: Person) -> list[str]:
    """The tables and collections that name her; that all are looked at is proved by her id."""
    found = {name: text.encode() async for name, text in everything(folder)}
    with_her_id = {
        name.partition(".")[0] for name, text in found.items() if person.user_id.encode() in text
    }
    assert {"user", "vault", "order", "payment", "email", "fraud", "shipping"} <= with_her_id
    assert any(name.startswith("inventory.") and text for name, text in found.items())
    return [name for name, text in found.items() if names_her(text)]


def naming_files(folder: Path) -> list[str]:
    """The files below a folder that name her: tables, write-ahead logs, streams, logs."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 1_000
    return [str(path.relative_to(folder)) for path in files if names_her(path.read_bytes())]


async def test_no_row_document_or_file_names_her_before_or_after_she_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPORION_PAYMENT_WEBHOOK_SECRET", WEBHOOK_SECRET)
    folder = tmp_path / "shop"
    with running(folder) as url:
        async with aiohttp.ClientSession() as session:
            front = DistantFront(url, folder, session)
            front.operator = await front.sign_in("operator@emporion.test", "emporion-demo-operator")
            person = await front.person(NAME)
            async with merchant(front, person):
                kept = await send_back(front, person)
                await call_off(front, person)
            await pay_with_a_card(front, person)
            held = await be_suspected(front, person)
            await be_named_by_the_provider(front, person, kept)
            await mistake(front, person)
            await front.until_quiet()
            target = f"/api/fraud/reviews/{held[0]}"
            said = must(await front.send(front.operator, "GET", target))["reason"]

            assert NAME in said
            assert await naming(folder, person) == []

            erased = await front.json(
                person, "POST", "/api/users/me/erasure", {"password": PASSWORD}
            )
            assert must(erased)["erased_at"]
            await front.until_quiet()
            assert await naming(folder, person) == []
            assert [each.what for each in await standing(folder) if each.to_do] == []
    assert naming_files(folder) == []

    with running(folder) as url:  # nobody remembers her key any more
        async with aiohttp.ClientSession() as session:
            front = DistantFront(url, folder, session)
            staff = await front.sign_in("operator@emporion.test", "emporion-demo-operator")
            assert must(await front.send(staff, "GET", target))["reason"] == "erased"
