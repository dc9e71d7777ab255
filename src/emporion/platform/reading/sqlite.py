"""A service's SQLite file, read beside the process that writes it."""

from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

import apsw

from emporion.chassis.data.database import Tx
from emporion.chassis.data.sqlite.connection import named, open_reader
from emporion.chassis.data.sqlite.transaction import SqliteTx, drive
from emporion.chassis.runtime.system import SystemClock, SystemIds
from emporion.platform.reading.refusals import ReadOnly

T = TypeVar("T")


class ReadOnlySqlite:
    """Database (the port) on a file that another process may be writing at the same time.

    Every read sees one instant of the file. Raises Unavailable when it cannot be opened.
    """

    engine = "sqlite"

    def __init__(self, path: Path) -> None:
        self._connection = open_reader(path)
        self._tx = SqliteTx(self._connection, path.stem, clock=SystemClock(), ids=SystemIds())
        self._looks = count()

    @property
    def revision(self) -> int:
        """Another one at each look: somebody else may be writing."""
        return next(self._looks)

    async def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Raises ReadOnly."""
        raise ReadOnly

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` on what is committed now; there is no limit on how long it takes."""
        try:
            self._connection.execute("BEGIN")
            try:
                return drive(work, self._tx)
            finally:
                self._connection.execute("COMMIT")
        except apsw.Error as error:
            raise named(error) from error

    async def close(self) -> None:
        """Close the file."""
        self._connection.close()
