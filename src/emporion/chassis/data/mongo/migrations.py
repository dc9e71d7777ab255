"""Applies numbered, forward-only lists of commands (JSON), each once, each repeatable.

No engine of documents makes collections and indexes inside a transaction. So a file holds only
commands that may be repeated, and is noted when all of them were done: one that fails half-way,
or whose process dies, runs again from its beginning.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from emporion.chassis.data.migrations.runner import MigrationFailed, Migrations
from emporion.chassis.data.mongo.errors import named

REPEATABLE = frozenset({"create", "createIndexes", "collMod", "update"})
"""What a file may do; `update` only with operators that may run twice."""
_COLLECTION_EXISTS = 48
_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.json")
_NOTES = "migration"

_Database = AsyncDatabase[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _File:
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


async def migrate(
    database: _Database, sources: Sequence[Migrations], *, now_ms: int, where: str
) -> None:
    """Bring collections and indexes up to date, component by component, by rising numbers.

    Raises MigrationFailed naming the file, when a command of it fails, when an applied file was
    changed, or when one is misnamed; Unavailable when the engine cannot be reached.
    """
    try:
        notes = {each["_id"]: each["checksum"] async for each in database[_NOTES].find()}
        for source in sources:
            for file in _files(source):
                key = f"{source.component}/{file.number:04d}"
                if key not in notes:
                    await _apply(database, source.component, file)
                    await _note(database, key, file, now_ms=now_ms)
                elif notes[key] != file.checksum:
                    raise MigrationFailed(
                        f"{source.component}/{file.name} was changed after it was applied; restore "
                        "it and put the change into a new file with the next number"
                    )
    except PyMongoError as error:
        raise named(error, where) from error


def _files(source: Migrations) -> list[_File]:
    files: dict[int, _File] = {}
    for entry in sorted(source.folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".json"):
            continue
        match = _FILE.fullmatch(entry.name)
        number = int(match.group(1)) if match else 0
        if not number or number in files:
            raise MigrationFailed(
                f"{source.component}/{entry.name}: name it NNNN_what_it_does.json, "
                "with a new number"
            )
        files[number] = _File(number, entry.name, entry.read_text(encoding="utf-8"))
    return [files[number] for number in sorted(files)]


async def _apply(database: _Database, component: str, file: _File) -> None:
    for command in _commands(component, file):
        try:
            await database.command(command)
        except OperationFailure as error:
            if error.code == _COLLECTION_EXISTS and "create" in command:
                continue  # an attempt before this one made it
            what = f"{component}/{file.name}: {next(iter(command))}"
            raise MigrationFailed(f"{what}: {(error.details or {}).get('errmsg')}") from error


def _commands(component: str, file: _File) -> list[dict[str, Any]]:
    try:
        commands = json.loads(file.text)
    except ValueError as error:
        raise MigrationFailed(f"{component}/{file.name}: {error}") from error
    for command in commands:
        name = next(iter(command), "")
        if name not in REPEATABLE:
            raise MigrationFailed(
                f"{component}/{file.name}: `{name}` is not known to be repeatable"
            )
    return list(commands)


async def _note(database: _Database, key: str, file: _File, *, now_ms: int) -> None:
    note = {"_id": key, "name": file.name, "checksum": file.checksum, "applied_at_ms": now_ms}
    try:
        await database[_NOTES].insert_one(note)
    except DuplicateKeyError:
        return  # another instance that started at the same time did the same
