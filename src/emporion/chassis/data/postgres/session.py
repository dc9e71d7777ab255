"""One connection to PostgreSQL, with the time limits that keep it from waiting for ever."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from emporion.chassis.data.database import Value
from emporion.chassis.data.postgres.arrays import Form, Kind, over_arrays
from emporion.chassis.data.postgres.dialect import translated
from emporion.chassis.data.postgres.errors import CANNOT_CONNECT, ERRORS, Lost, named, place, reason
from emporion.chassis.data.postgres.transaction import Ask, Verb
from emporion.kernel.errors import Unavailable

STATEMENTS_CACHED = 512
GRACE_S = 5.0
"""How much longer than the server's own limit we wait for its answer."""
IDLE_IN_TRANSACTION_S = 30.0
"""A process that stopped in the middle of a transaction loses its locks after so long."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a connection may take, in seconds."""

    connect_s: float
    statement_s: float


_INSERTS = (Kind.INSERT, Kind.INSERT_NEW)
_FETCHES = (Verb.FETCH, Verb.FETCH_ONE)


class Unclear(Exception):
    """Several asked at once, and the answer does not tell whose it is."""


class Session:
    """A connection. What it raises is named; after Lost it is of no use."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self.connection = connection
        self._over_arrays: dict[str, str] = {}

    @property
    def is_lost(self) -> bool:
        """Whether it can answer no more."""
        return self.connection.is_closed()

    async def control(self, sql: str) -> str:
        """Run BEGIN, COMMIT, SAVEPOINT and the like, several at once if need be; what was done."""
        try:
            return await self.connection.execute(sql)
        except ERRORS as error:
            raise self._named(error) from error

    async def answer(self, ask: Ask) -> Any:
        """Run a statement. Raises what Tx raises, Collision and Lost."""
        text = translated(ask.sql).text
        try:
            match ask.verb:
                case Verb.EXECUTE:
                    return _rows(await self.connection.execute(text, *ask.args))
                case Verb.FETCH_ONE:
                    row = await self.connection.fetchrow(text, *ask.args)
                    return None if row is None else tuple(row)
                case Verb.FETCH:
                    return [tuple(row) for row in await self.connection.fetch(text, *ask.args)]
                case Verb.EACH:
                    return await self._execute_each(text, ask.args, is_new_only=False)
                case Verb.MANY:
                    form = over_arrays(text) if len(ask.args) > 1 else None
                    if form is None or form.kind not in _INSERTS:
                        return await self.connection.executemany(text, ask.args)
                    await self.connection.execute(
                        await self._typed(text, form), *zip(*ask.args, strict=True)
                    )
        except ERRORS as error:
            raise self._named(error) from error

    async def answer_each(
        self, verb: Verb, sql: str, asked: Sequence[Sequence[Any]]
    ) -> Sequence[Any]:
        """Run a statement for several who ask it, if possible once; an answer for each.

        Raises Unclear when only asking one by one would tell, and what `answer` raises.
        """
        text = translated(sql).text
        try:
            if verb is Verb.EXECUTE:
                return await self._execute_each(text, asked, is_new_only=True)
            form = over_arrays(text) if len(asked) > 1 and verb in _FETCHES else None
            if form is not None and form.kind is Kind.SELECT:
                found = await self._fetch_each(text, form, asked)
                return found if verb is Verb.FETCH else [next(iter(rows), None) for rows in found]
        except ERRORS as error:
            raise self._named(error) from error
        if verb is Verb.MANY:
            await self.answer(Ask(verb, sql, [row for rows in asked for row in rows]))
            return [None] * len(asked)
        return [await self.answer(Ask(verb, sql, args)) for args in asked]

    async def _execute_each(
        self, text: str, rows: Sequence[Sequence[Value]], *, is_new_only: bool
    ) -> list[int]:
        """Raises Unclear, if `is_new_only`, when an INSERT met rows that were there."""
        form = over_arrays(text) if len(rows) > 1 else None
        is_single = form is None or form.kind is Kind.SELECT
        if form is None or is_single or (form.kind is Kind.INSERT_NEW and not is_new_only):
            return [_rows(await self.connection.execute(text, *row)) for row in rows]
        typed = await self._typed(text, form)
        if form.kind is Kind.UPDATE:
            return await self._update_each(text, typed, rows)
        status = await self.connection.execute(typed, *zip(*rows, strict=True))
        if _rows(status) < len(rows):
            raise Unclear("not every row was new")
        return [1] * len(rows)

    async def _update_each(
        self, text: str, typed: str, rows: Sequence[Sequence[Value]]
    ) -> list[int]:
        """Whoever changed nothing beside the others is asked again alone: they may have met."""
        changed = [0] * len(rows)
        for (number,) in await self.connection.fetch(typed, *zip(*rows, strict=True)):
            changed[number - 1] += 1
        for index, row in enumerate(rows):
            if not changed[index]:
                changed[index] = _rows(await self.connection.execute(text, *row))
        return changed

    async def _fetch_each(
        self, text: str, form: Form, asked: Sequence[Sequence[Any]]
    ) -> list[list[tuple[Any, ...]]]:
        answers: list[list[tuple[Any, ...]]] = [[] for _ in asked]
        typed = await self._typed(text, form)
        for number, *row in await self.connection.fetch(typed, *zip(*asked, strict=True)):
            answers[number - 1].append(tuple(row))
        return answers

    async def _typed(self, text: str, form: Form) -> str:
        """A statement over arrays; the server says what its parameters are, once."""
        typed = self._over_arrays.get(text)
        if typed is None:
            single = await self.connection.prepare(text)
            types = [f"{kind.schema}.{kind.name}" for kind in single.get_parameters()]
            typed = self._over_arrays[text] = form.text(types)
        return typed

    async def close(self) -> None:
        """Say good-bye; a connection that cannot is cut."""
        try:
            await self.connection.close(timeout=GRACE_S)
        except ERRORS:
            self.connection.terminate()

    def cut(self) -> None:
        """End it at once: whatever it was doing is rolled back by the server."""
        self.connection.terminate()

    def _named(self, error: Exception) -> Exception:
        found = named(error, is_closed=self.connection.is_closed())
        if isinstance(found, Lost):
            self.connection.terminate()
        return found


def _rows(status: str) -> int:
    """The number at the end of a command tag: `UPDATE 3`, `INSERT 0 1`."""
    number = status.rpartition(" ")[2]
    return int(number) if number.isdigit() else 0


BY_KEY = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off"}
"""A transaction changes rows that it names. A plan made while the tables were empty would read
them whole, and is kept: so the connections that write prefer an index, whatever they know."""


async def connect(dsn: str, *, source: str, limits: Limits, is_read_only: bool = False) -> Session:
    """A new connection. Raises Unavailable naming engine, host and database, and why."""
    statement_ms = round(limits.statement_s * 1000)
    settings = {
        "application_name": f"emporion {source}",
        "statement_timeout": str(statement_ms),
        "lock_timeout": str(statement_ms),
        "idle_in_transaction_session_timeout": str(round(IDLE_IN_TRANSACTION_S * 1000)),
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "on" if is_read_only else "off",
        "synchronous_commit": "on",
        "jit": "off",
        **({} if is_read_only else BY_KEY),
    }
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=limits.connect_s,
            command_timeout=limits.statement_s + GRACE_S if limits.statement_s else None,
            statement_cache_size=STATEMENTS_CACHED,
            max_cached_statement_lifetime=0,
            server_settings=settings,
        )
    except CANNOT_CONNECT as error:
        why = reason(error, dsn) or f"no answer within {limits.connect_s:g} s"
        raise Unavailable(f"cannot open {place(dsn)}: {why}") from error
    return Session(connection)


class Link:
    """A connection that is made again when it was lost.

    Args:
        connect: makes one; raises Unavailable.
    """

    def __init__(self, connect: Callable[[], Awaitable[Session]]) -> None:
        self._connect = connect
        self._session: Session | None = None
        self._is_away = False

    async def session(self) -> Session:
        """The connection, a new one after a loss.

        Raises Unavailable, which may reach clients: where the database is stands in the log only.
        """
        if self._session is None or self._session.is_lost:
            self._session = None
            try:
                self._session = await self._connect()
            except Unavailable as error:
                if not self._is_away:
                    _log.warning("%s", error.detail)
                self._is_away = True
                raise Unavailable("the database cannot be reached now") from error
            self._is_away = False
        return self._session

    def cut(self) -> None:
        """End it at once."""
        if self._session is not None:
            self._session.cut()

    async def close(self) -> None:
        """Say good-bye."""
        session, self._session = self._session, None
        if session is not None and not session.is_lost:
            await session.close()
