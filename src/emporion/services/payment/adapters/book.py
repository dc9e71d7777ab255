"""The rehearsal provider's own book: what it did, one JSON line each, append-only.

A line is handed to the operating system before the answer leaves, so that the book survives a
SIGKILL of this process. It is not forced to the disk: a power cut may lose its last lines.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from emporion.kernel.errors import Unavailable
from emporion.kernel.money import Money

LINE_BYTES_MAX = 1_024
REMEMBERED_MAX = 10_000
"""Entries whose place is kept in memory; older ones are looked for in the file."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One effect at the provider: money taken, given back, held, or let go of."""

    kind: Literal["charge", "refund", "hold", "void"]
    key: str
    reference: str
    amount: Money


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


class Book:
    """The entries by key; on a file, or in memory without a path.

    Memory holds a few numbers for each of the newest REMEMBERED_MAX entries. Order ids sort by
    time, so that a key of a newer order than any forgotten one is not looked for in vain; one of
    an older order costs a look through the file. A last line that was cut off is removed when the
    book is opened: its effect was never answered. Raises Unavailable when the file cannot be
    opened.

    Args:
        path: the file.
        is_shared: whether other processes write it too, as while payment is rolled.
    """

    def __init__(self, path: Path | None = None, *, is_shared: bool = False) -> None:
        self._path = path
        self._is_shared = is_shared
        self._lines: list[bytes] = []
        self._where: dict[str, int] = {}
        self._refunds: dict[str, list[int]] = {}
        self._newest_forgotten = ""
        self._end = 0
        self._file = -1
        if path is not None:
            self._open(path)

    def find(self, key: str) -> Entry | None:
        """The entry with that key, or None."""
        with self._alone():
            return self._known(key)

    def _known(self, key: str) -> Entry | None:
        where = self._where.get(key)
        if where is not None:
            return _decode(self._line(where))
        if self._path is None or _about(key) > self._newest_forgotten:
            return None
        return _found(key, self._path)

    def returned_minor(self, order_id: str) -> int:
        """How much was given back for an order, under whatever keys."""
        return sum(entry.amount.amount_minor for entry in self.refunds_of(order_id))

    def refunds_of(self, order_id: str) -> list[Entry]:
        """What was given back for an order, in order."""
        with self._alone():
            if self._path is None or order_id > self._newest_forgotten:
                return [_decode(self._line(at)) for at in self._refunds.get(order_id, ())]
            return [
                entry
                for entry in entries_in(self._path)
                if entry.kind == "refund" and _order_of(entry.key) == order_id
            ]

    def entries(self) -> list[Entry]:
        """All of it, in order."""
        with self._alone():
            if self._path is None:
                return [_decode(line.rstrip()) for line in self._lines]
            return list(entries_in(self._path))

    def put(self, entry: Entry) -> Entry:
        """The entry of that key: this one, unless some process has written one before.

        Raises Unavailable when it cannot be written: then it is not there.
        """
        if not self._is_shared:
            return self._put(entry)
        with self._alone():
            return self._put(entry)

    def _put(self, entry: Entry) -> Entry:
        found = self._known(entry.key)
        if found is None:
            self._append(entry)
        return found or entry

    def _append(self, entry: Entry) -> None:
        line = _encode(entry) + b"\n"
        where = self._end
        if self._file < 0:
            self._lines.append(line)
            self._end += 1
        else:
            try:
                written = os.write(self._file, line)
            except OSError as error:
                raise Unavailable(f"the provider's book cannot be written: {error}") from error
            if written != len(line):
                os.ftruncate(self._file, where)
                raise Unavailable("the provider's book cannot be written: no space")
            self._end += written
        self._remember(entry, where)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _remember(self, entry: Entry, where: int) -> None:
        self._where[entry.key] = where
        if entry.kind == "refund":
            self._refunds.setdefault(_order_of(entry.key), []).append(where)
        if len(self._where) > REMEMBERED_MAX and self._path is not None:
            oldest = next(iter(self._where))
            del self._where[oldest]
            self._refunds.pop(_order_of(oldest), None)
            self._newest_forgotten = max(self._newest_forgotten, _about(oldest))

    def _line(self, where: int) -> bytes:
        if self._file < 0:
            return self._lines[where]
        return os.pread(self._file, LINE_BYTES_MAX, where).partition(b"\n")[0]

    def _open(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with self._alone():
                self._read_on(path)
                os.ftruncate(self._file, self._end)
        except OSError as error:
            raise Unavailable(f"the provider's book cannot be opened: {error}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile, and what others wrote is known."""
        if not self._is_shared or self._file < 0 or self._path is None:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            if os.fstat(self._file).st_size > self._end:
                self._read_on(self._path)
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _read_on(self, path: Path) -> None:
        for where, line in _whole_lines(path, self._end):
            self._remember(_decode(line), where)
            self._end = where + len(line)


def _about(key: str) -> str:
    """The order that a key is about: what stands behind its first hyphen."""
    return key.partition("-")[2] or key


def _order_of(key: str) -> str:
    """The order that a key is about, without the id of a part of it."""
    return _about(key).partition("-")[0]


def _found(key: str, path: Path) -> Entry | None:
    sought = key.encode()
    for _, line in _whole_lines(path):
        if sought in line and (entry := _decode(line)).key == key:
            return entry
    return None


def entries_in(path: Path) -> Iterator[Entry]:
    """The entries of a book file in order, also while a provider appends to it.

    A missing file is an empty book. Raises msgspec.ValidationError on a line that is no entry.
    """
    if path.exists():
        for _, line in _whole_lines(path):
            yield _decode(line)


def _whole_lines(path: Path, where: int = 0) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        file.seek(where)
        for line in file:
            if line.endswith(b"\n"):
                yield where, line
            where += len(line)
