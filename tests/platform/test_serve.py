"""A process that starts beside those it asks."""

import asyncio

import pytest

from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.kernel.errors import Internal, Unavailable
from emporion.platform.serve import when_they_answer


class Neighbour:
    """Answers from the third time on, or never."""

    def __init__(self, error: Exception, *, answers_at: int = 3) -> None:
        self.asked = 0
        self._error = error
        self._answers_at = answers_at

    async def ask(self) -> None:
        self.asked += 1
        if self.asked < self._answers_at:
            raise self._error


async def test_what_needs_a_service_that_is_not_up_yet_is_tried_again():
    clock = ManualClock()
    vault = Neighbour(Unavailable("no instance of vault can be asked"))
    done = asyncio.ensure_future(when_they_answer(manual_runtime(clock), vault.ask, within_s=60))
    await clock.run(1)
    assert done.done()
    assert vault.asked == 3


@pytest.mark.parametrize("error", [Unavailable("nobody is there"), Internal()])
async def test_a_service_that_never_comes_or_is_broken_ends_the_start(error):
    clock = ManualClock()
    vault = Neighbour(error, answers_at=10_000)
    done = asyncio.ensure_future(when_they_answer(manual_runtime(clock), vault.ask, within_s=60))
    await clock.run(61)
    with pytest.raises(type(error)):
        await done
    assert (vault.asked > 100) is isinstance(error, Unavailable)
