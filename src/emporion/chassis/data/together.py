"""Concurrent calls of one kind as one transaction, each with a result or an error of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import Generic, TypeVar

import msgspec

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.data.watch import watch_answer

A = TypeVar("A")
R = TypeVar("R")
TOGETHER_MAX = 128


class _Caller(msgspec.Struct, Generic[A, R], eq=False):
    item: A
    context: Context
    answer: asyncio.Future[R]


class Together(Generic[A, R]):
    """Gathers the calls of one turn of the loop, so that their statements can be set-based.

    `work(tx, items)` returns a result for each item, in order. When it raises for several, nothing
    of it stands, and each item is worked on again in a transaction of its own: one caller's
    refusal is not its neighbours'. It must be repeatable, as all work is, and it runs as no
    caller in particular unless it has a single item: it must not ask who calls.

    Args:
        database: where the transactions run.
        work: what is done.
    """

    def __init__(
        self, database: Database, work: Callable[[Tx, Sequence[A]], Awaitable[Sequence[R]]]
    ) -> None:
        self._database = database
        self._work = work
        self._waiting: list[_Caller[A, R]] = []

    def run(self, item: A) -> asyncio.Future[R]:
        """The result of one item once it is durable. Raises what `work` and `transaction` raise.

        Whoever gives up waiting does not stop it.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._start, context=Context())
        caller: _Caller[A, R] = _Caller(item, copy_context(), loop.create_future())
        self._waiting.append(caller)
        return caller.answer

    def _start(self) -> None:
        callers, self._waiting = self._waiting, []
        for first in range(0, len(callers), TOGETHER_MAX):
            some = callers[first : first + TOGETHER_MAX]
            if len(some) > 1:
                for caller in some:
                    caller.context.run(self._watch, caller, len(some))
                self._transact(some, self._answer)
            else:
                some[0].context.run(self._transact, some, self._tell)

    def _watch(self, caller: _Caller[A, R], together: int) -> None:
        """Their transaction is in no trace: each tells of its own answer."""
        waiting = watch_answer(self._database, caller.answer, self._work)
        if waiting is not None:
            waiting.begin(together)

    def _transact(
        self,
        callers: list[_Caller[A, R]],
        answer: Callable[[list[_Caller[A, R]], asyncio.Future[Sequence[R]]], None],
    ) -> None:
        items = [caller.item for caller in callers]
        try:
            done = asyncio.ensure_future(
                self._database.transaction(lambda tx: self._work(tx, items))
            )
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            for caller in callers:
                if not caller.answer.done():
                    caller.answer.set_exception(error)
            return
        done.add_done_callback(partial(answer, callers))

    def _answer(self, callers: list[_Caller[A, R]], done: asyncio.Future[Sequence[R]]) -> None:
        if done.cancelled() or done.exception() is not None:
            for caller in callers:
                caller.context.run(self._transact, [caller], self._tell)
            return
        for caller, result in zip(callers, done.result(), strict=True):
            if not caller.answer.done():
                caller.answer.set_result(result)

    def _tell(self, callers: list[_Caller[A, R]], done: asyncio.Future[Sequence[R]]) -> None:
        """The end of an item that was worked on alone."""
        answer = callers[0].answer
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(done.result()[0])
