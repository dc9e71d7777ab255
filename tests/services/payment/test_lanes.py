"""Lanes: one at a time for each order, in order, and nobody is forgotten."""

import asyncio

from emporion.kernel.ids import OrderId
from emporion.services.payment.commands.lanes import Lanes

ORDER = OrderId("ord_" + "1" * 32)


async def test_those_in_one_lane_take_turns_in_the_order_in_which_they_came() -> None:
    lanes, told = Lanes(), list[str]()

    async def drive(name: str) -> None:
        async with lanes.of(ORDER):
            told.append(f"{name} in")
            await asyncio.sleep(0)
            told.append(f"{name} out")

    await asyncio.gather(*(drive(name) for name in "abc"))

    assert told == ["a in", "a out", "b in", "b out", "c in", "c out"]


async def test_lanes_of_different_orders_do_not_wait_for_each_other() -> None:
    lanes, told = Lanes(), list[str]()
    async with asyncio.timeout(10), lanes.of(ORDER), lanes.of(OrderId("ord_" + "2" * 32)):
        told.append("both in")

    assert told == ["both in"]


async def test_the_turn_of_one_who_gives_up_goes_to_the_next() -> None:
    lanes = Lanes()
    done: list[int] = []

    async def drive(number: int) -> None:
        async with lanes.of(ORDER):
            done.append(number)

    async with lanes.of(ORDER):
        waiting = [asyncio.ensure_future(drive(number)) for number in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # its turn has come already, and it has not noticed
    await asyncio.wait(waiting)

    assert done == [2]


async def test_a_lane_that_nobody_is_in_takes_no_memory() -> None:
    lanes = Lanes()
    async with lanes.of(ORDER):
        pass

    assert not lanes._waiting
