"""Seals: how far every stream reached when it was proved, kept apart from what they seal.

Whoever deletes the last events of a stream and makes the rows agree leaves a chain that is
whole. The seal says that it was longer.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.eventstore.store import NO_HASH
from emporion.chassis.runtime.system import SystemClock, SystemIds

PAGE = 1_000
FILE = "trail-seals.sqlite"
_LAST = (
    "SELECT number, at_ms, streams, events, digest FROM sealing WHERE service = ?"
    " ORDER BY number DESC LIMIT 1"
)
_SEALS = (
    "SELECT stream, version, hash FROM seal WHERE service = ? AND sealing = ? AND stream > ?"
    " ORDER BY stream LIMIT ?"
)
_ADD = "INSERT INTO seal (service, sealing, stream, version, hash) VALUES (?, ?, ?, ?, ?)"
_FINISH = "INSERT INTO sealing VALUES (?, ?, ?, ?, ?, ?)"
_FORGET = (
    "DELETE FROM seal WHERE service = ?1 AND sealing <> ?2 AND stream IN (SELECT stream FROM seal"
    " WHERE service = ?1 AND sealing <> ?2 LIMIT ?3)"
)


class Seal(NamedTuple):
    """A stream had `version` events, the last of them with this hash."""

    stream: str
    version: int
    hash: bytes


class Sealing(NamedTuple):
    """What was sealed of a service at an instant; number 0: nothing yet."""

    number: int
    at_ms: int
    streams: int
    events: int
    digest: bytes


class Digest:
    """The digest of a sealing, over the one before it and its seals in order."""

    def __init__(self, service: str, before: bytes) -> None:
        self._hash = sha256(before + service.encode())

    def add(self, seal: Seal) -> None:
        """The next seal."""
        self._hash.update(f"{seal.stream}\n{seal.version}\n".encode() + seal.hash)

    def bytes(self) -> bytes:
        """The digest of all so far."""
        return self._hash.digest()


class Seals:
    """The seals of a shop, in a file of their own. Its methods raise what the database raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self, service: str) -> Sealing:
        """The newest sealing of a service."""

        async def work(tx: Tx) -> Row | None:
            return await tx.fetch_one(_LAST, service)

        row = await self._database.read(work)
        return Sealing(*row) if row else Sealing(0, 0, 0, 0, NO_HASH)

    async def before(self, service: str, number: int) -> bytes:
        """The digest of the sealing before that one."""

        async def work(tx: Tx) -> Row | None:
            sql = "SELECT digest FROM sealing WHERE service = ? AND number = ?"
            return await tx.fetch_one(sql, service, number - 1)

        row = await self._database.read(work)
        digest: bytes = row[0] if row else NO_HASH
        return digest

    async def of(self, service: str, number: int) -> AsyncIterator[Seal]:
        """The seals of a sealing, by stream."""
        after = ""
        while page := await self._page(service, number, after):
            for seal in page:
                yield seal
            after = page[-1].stream

    async def _page(self, service: str, number: int, after: str) -> list[Seal]:
        async def work(tx: Tx) -> list[Seal]:
            return [Seal(*row) for row in await tx.fetch(_SEALS, service, number, after, PAGE)]

        return await self._database.read(work)

    async def begin(self, service: str, last: Sealing) -> None:
        """Forget what a sealing left that was cut off."""
        await self._forget_all_but(service, last.number)

    async def add(self, service: str, number: int, seals: Sequence[Seal]) -> None:
        """Write a part of a sealing."""
        rows = [(service, number, *seal) for seal in seals]

        async def work(tx: Tx) -> None:
            await tx.execute_many(_ADD, rows)

        await self._database.transaction(work)

    async def finish(self, service: str, sealing: Sealing) -> None:
        """The sealing is whole, and counts from here on."""

        async def work(tx: Tx) -> None:
            await tx.execute(_FINISH, service, *sealing)

        await self._database.transaction(work)
        await self._forget_all_but(service, sealing.number)

    async def _forget_all_but(self, service: str, number: int) -> None:
        async def work(tx: Tx) -> int:
            return await tx.execute(_FORGET, service, number, PAGE)

        while await self._database.transaction(work):
            pass


@asynccontextmanager
async def open_seals(path: Path) -> AsyncIterator[Seals]:
    """The seals in a file, made if it is not there. Raises Unavailable."""
    database = SqliteDatabase(path, source="trail", clock=SystemClock(), ids=SystemIds())
    await database.open([Migrations("trail", files("emporion.platform.audit") / "migrations")])
    try:
        yield Seals(database)
    finally:
        await database.close()
