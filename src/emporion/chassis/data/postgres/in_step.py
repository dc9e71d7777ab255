"""Several works walk in step: where they ask the same statement, it is asked once for all.

Each round takes from every work what it asks next, and groups that by its statement. A work that
fails leaves the others as they are; a statement that fails, or that cannot be asked for several,
ends the walk, and nothing of it may stand.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any, Final

from emporion.chassis.data.database import Tx
from emporion.chassis.data.postgres.dialect import translated
from emporion.chassis.data.postgres.transaction import Ask, PostgresTx, Verb
from emporion.kernel.errors import EmporionError, Internal

AnswerEach = Callable[[Verb, str, Sequence[Sequence[Any]]], Awaitable[Sequence[Any]]]
LOCKS: Final = ("FOR UPDATE", "pg_advisory")


class Locking(Exception):
    """A work locks something: it has to be alone between that and its end."""


class TooManyRounds(Exception):
    """A work asked once more than it may."""


class Walk:
    """A work on its way.

    Attributes:
        ask: what it asks next; None: it has ended, with `result` or with `error`.
    """

    __slots__ = ("_context", "_running", "ask", "error", "result", "tx")

    def __init__(
        self, work: Callable[[Tx], Awaitable[Any]], tx: PostgresTx, *, context: Context
    ) -> None:
        self.tx = tx
        self.ask: Ask | None = None
        self.result: Any = None
        self.error: Exception | None = None
        self._context = context
        tx.begin_work()
        try:
            self._running: Any = context.run(work, tx).__await__()
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the work
            self.error = error
        else:
            self.go_on(None)

    def go_on(self, answer: Any) -> None:
        """Take the answer, up to the next statement or the end."""
        self._step(self._running.send, answer)

    def fail(self, error: EmporionError) -> None:
        """Take what became of the statement instead."""
        self.tx.failure = self.tx.failure or error
        self._step(self._running.throw, error)

    def _step(self, step: Callable[[Any], Any], given: Any) -> None:
        try:
            ask = self._context.run(step, given)
        except StopIteration as end:
            self.ask, self.result = None, end.value
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the work
            self.ask, self.error = None, error
        else:
            if type(ask) is Ask:
                self.ask = ask
                return
            self._running.close()
            self.ask, self.error = None, Internal("a transaction awaited something not its own")

    def give_up(self) -> None:
        """Leave it where it is."""
        if self.ask is not None:
            self._running.close()


async def walk(
    walks: Sequence[Walk], answer_each: AnswerEach, *, rounds_max: int | None = None
) -> None:
    """Bring all to their end.

    Raises what `answer_each` raises (to one that walks by itself it is told), Locking unless it
    walks by itself, and TooManyRounds. Then those on their way are given up.
    """
    rounds = 0
    try:
        while groups := _asked(walks):
            if rounds == rounds_max:
                raise TooManyRounds
            rounds += 1
            for (verb, sql), group in groups.items():
                await _round(group, verb, sql, answer_each=answer_each, is_alone=len(walks) == 1)
    finally:
        for each in walks:
            each.give_up()


def _asked(walks: Sequence[Walk]) -> dict[tuple[Verb, str], list[Walk]]:
    """Those on their way, by what they ask."""
    groups: dict[tuple[Verb, str], list[Walk]] = {}
    for each in walks:
        if each.ask is not None:
            groups.setdefault((each.ask.verb, each.ask.sql), []).append(each)
    return groups


async def _round(
    group: list[Walk], verb: Verb, sql: str, *, answer_each: AnswerEach, is_alone: bool
) -> None:
    if not is_alone and any(word in translated(sql).text for word in LOCKS):
        raise Locking
    try:
        await _answer(group, verb, sql, answer_each=answer_each)
    except EmporionError as error:
        if not is_alone:
            raise
        group[0].fail(error)


async def _answer(group: list[Walk], verb: Verb, sql: str, *, answer_each: AnswerEach) -> None:
    statement = translated(sql)
    asked = [each.ask.args for each in group if each.ask is not None]
    answers = await answer_each(verb, sql, asked)
    for each, answer in zip(group, answers, strict=True):
        each.tx.writes += statement.is_write
        each.go_on(answer)
