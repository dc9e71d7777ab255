"""Numbered, forward-only SQL files: which of them are still to be applied. Engines apply them."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from emporion.kernel.errors import Internal

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


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
class File:
    """A numbered SQL file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What is kept of an applied file, to see that it stays as it was."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def missing(source: Migrations, applied: Mapping[int, str]) -> Iterator[File]:
    """The files that are not applied yet, in the order of their numbers.

    Args:
        source: a component and its files.
        applied: the checksums of its applied files by number.

    Raises MigrationFailed naming the file: when an applied file was changed afterwards, or when
    numbers are doubled or misnamed.
    """
    for file in _files(source):
        if file.number not in applied:
            yield file
        elif applied[file.number] != file.checksum:
            raise MigrationFailed(
                f"{source.component}/{file.name} was changed after it was applied; restore it "
                "and put the change into a new file with the next number"
            )


def _files(source: Migrations) -> list[File]:
    files: dict[int, File] = {}
    for entry in sorted(source.folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(entry.name)
        number = int(match.group(1)) if match else 0
        if not number or number in files:
            raise MigrationFailed(
                f"{source.component}/{entry.name}: name it NNNN_what_it_does.sql, with a new number"
            )
        files[number] = File(number, entry.name, entry.read_text(encoding="utf-8"))
    return [files[number] for number in sorted(files)]
