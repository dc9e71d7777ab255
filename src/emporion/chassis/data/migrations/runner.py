"""Applies numbered, forward-only SQL files, each once, each whole or not at all."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import apsw

from emporion.kernel.errors import Internal

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    component TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL,
    PRIMARY KEY (component, number)
) STRICT, WITHOUT ROWID"""


class MigrationFailed(Internal):
    """A schema change could not be applied; the database is as it was before it."""

    slug = "migration-failed"
    title = "A schema change could not be applied"


@dataclass(frozen=True, slots=True)
class Migrations:
    """The migrations of one component (`chassis`, or a service's name): a folder of SQL files."""

    component: str
    folder: Traversable


@dataclass(frozen=True, slots=True)
class _File:
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrate(connection: apsw.Connection, sources: Sequence[Migrations], *, now_ms: int) -> None:
    """Bring the schema up to date, component by component, in the order of the numbers.

    Raises MigrationFailed naming the file: when its SQL fails (nothing of it is kept), when an
    applied file was changed afterwards, or when numbers are doubled or misnamed.
    """
    connection.execute(_TABLE)
    for source in sources:
        applied: dict[Any, Any] = dict(
            connection.execute(
                "SELECT number, checksum FROM migration WHERE component = ?", (source.component,)
            )
        )
        for file in _files(source):
            if file.number not in applied:
                _apply(connection, source.component, file, now_ms=now_ms)
            elif applied[file.number] != file.checksum:
                raise MigrationFailed(
                    f"{source.component}/{file.name} was changed after it was applied; restore it "
                    "and put the change into a new file with the next number"
                )


def _files(source: Migrations) -> list[_File]:
    files: dict[int, _File] = {}
    for entry in sorted(source.folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(entry.name)
        number = int(match.group(1)) if match else 0
        if not number or number in files:
            raise MigrationFailed(
                f"{source.component}/{entry.name}: name it NNNN_what_it_does.sql, with a new number"
            )
        files[number] = _File(number, entry.name, entry.read_text(encoding="utf-8"))
    return [files[number] for number in sorted(files)]


def _apply(connection: apsw.Connection, component: str, file: _File, *, now_ms: int) -> None:
    try:
        with connection:
            connection.execute(file.sql)
            connection.execute(
                "INSERT INTO migration VALUES (?, ?, ?, ?, ?)",
                (component, file.number, file.name, file.checksum, now_ms),
            )
    except apsw.Error as error:
        raise MigrationFailed(f"{component}/{file.name}: {error}") from error
