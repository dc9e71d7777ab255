"""Calls that are gathered: one batch at a time, and each caller gets what is its own."""

import asyncio

import pytest

from emporion.chassis.data.gathered import BATCH_MAX, WAITING_MAX, Gathered
from emporion.chassis.testing.time import settle
from emporion.kernel.errors import NotFound, ResourceExhausted, Unavailable


class Engine:
    """Works on batches, each of which stays on its way until it is let go."""

    def __init__(self):
        self.batches = []
        self.is_open = asyncio.Event()

    async def work(self, items):
        self.batches.append(list(items))
        await self.is_open.wait()
        if "broken" in items:
            raise Unavailable("the engine is gone")
        return [NotFound(item) if item == "nobody" else item.upper() for item in items]


async def test_whoever_asks_while_a_batch_is_on_its_way_is_in_the_next_one():
    engine = Engine()
    gathered = Gathered(engine.work)
    first = gathered.run("a")
    await settle()
    others = [gathered.run(each) for each in "bcd"]
    await settle()
    assert engine.batches == [["a"]]

    engine.is_open.set()

    assert await asyncio.gather(first, *others) == ["A", "B", "C", "D"]
    assert engine.batches == [["a"], ["b", "c", "d"]]


async def test_a_batch_has_an_upper_size():
    engine = Engine()
    engine.is_open.set()
    gathered = Gathered(engine.work)

    await asyncio.gather(*(gathered.run(str(number)) for number in range(BATCH_MAX + 1)))

    assert [len(batch) for batch in engine.batches] == [BATCH_MAX, 1]


async def test_one_caller_s_error_is_not_its_neighbour_s():
    engine = Engine()
    engine.is_open.set()
    gathered = Gathered(engine.work)

    outcomes = await asyncio.gather(
        gathered.run("a"), gathered.run("nobody"), return_exceptions=True
    )

    assert outcomes[0] == "A"
    assert isinstance(outcomes[1], NotFound)


async def test_an_engine_that_is_gone_is_told_to_all_and_the_next_batch_is_tried():
    engine = Engine()
    engine.is_open.set()
    gathered = Gathered(engine.work)
    outcomes = await asyncio.gather(
        gathered.run("a"), gathered.run("broken"), return_exceptions=True
    )

    assert [type(each) for each in outcomes] == [Unavailable, Unavailable]
    assert await gathered.run("b") == "B"


async def test_a_caller_who_gives_up_stops_nobody():
    engine = Engine()
    gathered = Gathered(engine.work)
    impatient, patient = gathered.run("a"), gathered.run("b")
    await settle()
    impatient.cancel()

    engine.is_open.set()

    assert await patient == "B"


async def test_no_more_than_a_bounded_number_waits():
    engine = Engine()
    gathered = Gathered(engine.work)
    waiting = [gathered.run("a") for _ in range(WAITING_MAX)]

    with pytest.raises(ResourceExhausted):
        await gathered.run("one too many")

    engine.is_open.set()
    await asyncio.gather(*waiting)
