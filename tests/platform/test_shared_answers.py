"""What many ask for at once is worked out once, and what changed is not told from memory."""

import asyncio

import pytest

from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.time import (
    ManualClock,
    ManualTasks,
    SeededIds,
    SeededRandomness,
    settle,
)
from emporion.kernel.errors import Unavailable
from emporion.platform.shared_answers import SharedAnswers


class Question:
    """Work that ends when the test says so, and tells how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.error: Exception | None = None

    async def work(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return number


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shared(clock: ManualClock) -> SharedAnswers[str, int]:
    runtime = Runtime(clock, SeededIds(), SeededRandomness(), ManualTasks(clock))
    return SharedAnswers("test", runtime, keep_s=5.0, questions_max=2)


async def test_all_who_ask_at_once_and_for_some_seconds_get_one_answer(clock, shared):
    question = Question()
    asking = [asyncio.ensure_future(shared.get("a", question.work)) for _ in range(3)]
    await settle()
    question.may_end.set()

    assert await asyncio.gather(*asking) == [1, 1, 1]
    clock.advance(4.9)
    assert await shared.get("a", question.work) == 1
    clock.advance(0.2)
    assert await shared.get("a", question.work) == 2


async def test_the_others_get_their_answer_when_the_first_gives_up(shared):
    question = Question()
    first, second = (asyncio.ensure_future(shared.get("a", question.work)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    question.may_end.set()

    assert await second == 1
    assert first.cancelled() and question.begun == 1


async def test_an_error_is_told_to_all_and_not_kept(shared):
    question = Question()
    question.error = Unavailable("gone")
    question.may_end.set()
    told = await asyncio.gather(
        *(shared.get("a", question.work) for _ in range(2)), return_exceptions=True
    )
    assert [type(each) for each in told] == [Unavailable, Unavailable]

    question.error = None
    assert await shared.get("a", question.work) == 2


async def test_nobody_gets_from_memory_what_was_read_before_a_change(shared):
    question = Question()
    before = asyncio.ensure_future(shared.get("a", question.work))
    await settle()
    shared.forget()
    after = asyncio.ensure_future(shared.get("a", question.work))
    await settle()
    question.may_end.set()

    assert (await before, await after) == (1, 2)
    assert await shared.get("a", question.work) == 2


async def test_the_oldest_question_is_forgotten_beyond_the_bound(shared):
    question = Question()
    question.may_end.set()
    answers = [await shared.get(name, question.work) for name in ("a", "b", "c", "c", "a")]
    assert answers == [1, 2, 3, 3, 4]


async def test_an_answer_that_is_not_worth_it_is_not_kept(clock):
    runtime = Runtime(clock, SeededIds(), SeededRandomness(), ManualTasks(clock))
    shared = SharedAnswers[str, int](
        "test", runtime, keep_s=5.0, questions_max=2, is_kept=lambda number: number > 1
    )
    question = Question()
    question.may_end.set()

    assert [await shared.get("a", question.work) for _ in range(3)] == [1, 2, 2]
