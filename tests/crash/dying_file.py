"""A SQLite file whose every written page is announced first: to die in the middle of many."""

from collections.abc import Callable
from pathlib import Path

import apsw

NAME = "dying"


class _Files(apsw.VFS):
    def __init__(self, on_page: Callable[[], None]) -> None:
        super().__init__(NAME, "")
        self._on_page = on_page

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: apsw.URIFilename | str | None, flags: list[int]
    ) -> apsw.VFSFile:
        is_database = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)
        return _File(name, flags, self._on_page if is_database else None)


class _File(apsw.VFSFile):
    def __init__(self, name: object, flags: list[int], on_page: Callable[[], None] | None) -> None:
        super().__init__("", name, flags)  # type: ignore[arg-type]
        self._on_page = on_page

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if self._on_page is not None:
            self._on_page()
        super().xWrite(data, offset)


_kept: list[_Files] = []


def open_dying_at_a_page(path: Path, on_page: Callable[[], None]) -> apsw.Connection:
    """A connection for checkpoints; `on_page` runs before each page it writes to the file."""
    _kept.append(_Files(on_page))
    connection = apsw.Connection(str(path), vfs=NAME)
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute("PRAGMA synchronous=FULL").fetchall()
    return connection
