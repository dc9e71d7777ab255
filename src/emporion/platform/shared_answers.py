"""Answers that several ask for at the same time: worked out once, and kept for some seconds."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from emporion.chassis.runtime.ports import Runtime

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
NEVER_S = float("inf")


@dataclass(slots=True, eq=False)
class _Asked(Generic[V]):
    """A question, and until when (monotonic) its answer is kept."""

    answer: asyncio.Future[V]
    until_s: float = NEVER_S


class SharedAnswers(Generic[K, V]):
    """What was answered lately, by question; of one question one is worked out at a time.

    Args:
        name: what the tasks are called that work answers out.
        runtime: time and tasks.
        keep_s: how long an answer is given again.
        questions_max: so many are kept; beyond them the oldest is forgotten.
        is_kept: whether an answer is worth being kept; others go to those who wait for it only.

    Working an answer out goes on when whoever asked first gives up: others wait for it. It has no
    deadline of its own, so what is asked has to have a bound. Errors are told to all who wait,
    and not kept.
    """

    def __init__(
        self,
        name: str,
        runtime: Runtime,
        *,
        keep_s: float,
        questions_max: int,
        is_kept: Callable[[V], bool] = lambda _: True,
    ) -> None:
        self._name = name
        self._runtime = runtime
        self._keep_s = keep_s
        self._questions_max = questions_max
        self._is_kept = is_kept
        self._asked: dict[K, _Asked[V]] = {}

    async def get(self, question: K, work: Callable[[], Awaitable[V]]) -> V:
        """The answer of at most `keep_s` ago, or a new one by `work`. Raises what that raises."""
        asked = self._asked.get(question)
        if asked is None or asked.until_s <= self._runtime.clock.monotonic_s():
            asked = self._begin(question, work)
        return await asyncio.shield(asked.answer)

    def forget(self) -> None:
        """Something was changed: whoever asks from now on gets a new answer."""
        self._asked.clear()

    def _begin(self, question: K, work: Callable[[], Awaitable[V]]) -> _Asked[V]:
        self._asked.pop(question, None)
        while len(self._asked) >= self._questions_max:
            del self._asked[next(iter(self._asked))]
        asked = _Asked[V](asyncio.get_running_loop().create_future())
        self._asked[question] = asked
        _ = self._runtime.tasks.spawn(self._name, self._work(question, asked, work))
        return asked

    async def _work(self, question: K, asked: _Asked[V], work: Callable[[], Awaitable[V]]) -> None:
        try:
            answer = await work()
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            asked.answer.set_exception(error)
        else:
            asked.answer.set_result(answer)
            if self._is_kept(answer):
                asked.until_s = self._runtime.clock.monotonic_s() + self._keep_s
        finally:
            asked.answer.cancel()  # the process drains; does nothing to one that is answered
            if asked.until_s == NEVER_S and self._asked.get(question) is asked:
                del self._asked[question]
