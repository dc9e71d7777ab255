"""What a test makes go wrong in a whole shop."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import apsw

from emporion.chassis.data.database import Row
from emporion.chassis.data.sqlite.connection import open_reader
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.kernel.errors import EmporionError
from tests.defects.books import Books


class Faults(Books):
    """Breaks and mends parts of an open shop, and watches it at its commits."""

    _opened: AsyncExitStack

    def refuse_step(self, name: str, refusal: Callable[[], EmporionError]) -> None:
        """From now on, until a restart, a step of the order sagas is refused."""

        async def refuse(*_: object) -> None:
            raise refusal()

        for saga in self.shop.assembly("order").sagas:
            for step in saga.steps:
                if step.name == name:
                    object.__setattr__(step, "do", refuse)

    async def break_mails(self) -> None:
        """From now on no mail can be queued: the reaction fails at its write."""
        await self.write(
            "email",
            "CREATE TRIGGER broken BEFORE INSERT ON mail BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )

    async def mend_mails(self) -> None:
        """Mails can be queued again."""
        await self.write("email", "DROP TRIGGER broken")

    def watch_commits(self, service: str, sql: str) -> list[Row]:
        """The first row of a query at the very instant after each commit of a service, to come."""
        database = self.shop.databases[service]
        assert isinstance(database, SqliteDatabase)
        seen: list[Row] = []
        reader = open_reader(database.path)

        def committed(connection: apsw.Connection, name: str, pages: int) -> int:
            seen.append(reader.execute(sql).fetchall()[0])
            return database._log_grew(connection, name, pages)

        database._connections[0].set_wal_hook(committed)
        self._opened.callback(reader.close)
        return seen
