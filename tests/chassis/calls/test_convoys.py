"""Requests of one method set out when they are as many as those on their way, or soon."""

import asyncio

import pytest

from emporion.chassis.calls.convoys import Convoys
from emporion.chassis.testing.time import settle

LONG_S = 60.0


class Travellers:
    """Requests on their journeys; each ends when it is told to.

    Attributes:
        convoys: the numbers of those that set out in the same turn of the loop.
    """

    def __init__(self, *, hold_s: float = LONG_S) -> None:
        self.convoys: list[list[int]] = []
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self._convoys = Convoys(ahead=1, hold_s=hold_s)
        self._ends: dict[int, asyncio.Future[None]] = {}
        self._open: list[int] | None = None

    async def come(self, *numbers: int) -> None:
        """Requests come in one turn of the loop."""
        for number in numbers:
            self._ends[number] = asyncio.get_running_loop().create_future()
            self.tasks[number] = asyncio.create_task(self._travel(number))
        await settle()

    async def end(self, *numbers: int) -> None:
        """They get their answers."""
        for number in numbers:
            self._ends[number].set_result(None)
        await settle()

    async def end_all(self) -> None:
        """Whoever is on the way arrives, until nobody waits."""
        while not all(task.done() for task in self.tasks.values()):
            await self.end(*(n for n, end in self._ends.items() if not end.done()))

    async def _travel(self, number: int) -> None:
        async with self._convoys.journey():
            if self._open is None:
                self._open = []
                self.convoys.append(self._open)
                asyncio.get_running_loop().call_soon(self._close)
            self._open.append(number)
            await self._ends[number]

    def _close(self) -> None:
        self._open = None


async def test_a_lone_request_sets_out_at_once() -> None:
    travellers = Travellers()
    await travellers.come(1)

    assert travellers.convoys == [[1]]
    await travellers.end_all()


async def test_all_of_one_turn_set_out_together() -> None:
    travellers = Travellers()
    await travellers.come(1, 2, 3)

    assert travellers.convoys == [[1, 2, 3]]
    await travellers.end_all()


async def test_who_comes_waits_for_as_many_as_are_on_their_way() -> None:
    travellers = Travellers()
    await travellers.come(1, 2, 3)
    await travellers.come(4)
    await travellers.come(5)
    assert travellers.convoys == [[1, 2, 3]]

    await travellers.come(6)

    assert travellers.convoys == [[1, 2, 3], [4, 5, 6]]
    await travellers.end_all()


async def test_arrivals_let_those_who_wait_set_out() -> None:
    travellers = Travellers()
    await travellers.come(1, 2, 3, 4)
    await travellers.come(5, 6)
    assert travellers.convoys == [[1, 2, 3, 4]]

    await travellers.end(1)
    assert len(travellers.convoys) == 1
    await travellers.end(2)

    assert travellers.convoys == [[1, 2, 3, 4], [5, 6]]
    await travellers.end_all()


async def test_nobody_waits_for_long_for_those_who_hang() -> None:
    travellers = Travellers(hold_s=0.01)
    await travellers.come(1, 2, 3, 4)
    await travellers.come(5)
    assert len(travellers.convoys) == 1

    async with asyncio.timeout(LONG_S):
        while len(travellers.convoys) == 1:
            await asyncio.sleep(0)

    assert travellers.convoys == [[1, 2, 3, 4], [5]]
    await travellers.end_all()


@pytest.mark.parametrize("has_set_out", [False, True])
async def test_who_gives_up_is_not_counted(*, has_set_out: bool) -> None:
    travellers = Travellers()
    await travellers.come(1, 2)
    await travellers.come(3)
    gone = 1 if has_set_out else 3
    travellers.tasks[gone].cancel()
    await asyncio.wait([travellers.tasks[gone]])
    await settle()

    await travellers.come(4)
    if not has_set_out:
        assert travellers.convoys == [[1, 2]]
        await travellers.end(1)

    expected = [[3]] if has_set_out else [[4]]
    assert travellers.convoys == [[1, 2], *expected]
    del travellers.tasks[gone]
    await travellers.end_all()


async def test_a_journey_that_fails_has_ended() -> None:
    convoys = Convoys(hold_s=LONG_S)
    for _ in range(2):
        with pytest.raises(LookupError):
            async with asyncio.timeout(LONG_S), convoys.journey():
                raise LookupError
