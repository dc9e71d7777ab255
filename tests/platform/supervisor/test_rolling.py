"""A running shop is rolled when another process asks, one roll at a time; the answer is told."""

import asyncio
import os

import pytest

from emporion.kernel.errors import Unavailable
from emporion.platform.data_folder import DataFolder
from emporion.platform.reading.processes import process_paths
from emporion.platform.supervisor.rolling import (
    FILE,
    NothingToRoll,
    RollFailed,
    Rolling,
    ask_to_roll,
)


class Shop:
    """Something to roll."""

    def __init__(self) -> None:
        self.rolls = 0
        self.problem = ""
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def roll(self) -> None:
        """Counts; fails when it shall."""
        self.rolls += 1
        await self.may_end.wait()
        if self.problem:
            raise Unavailable(self.problem)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def data(tmp_path, shop):
    run = tmp_path / "run"
    run.mkdir()
    rolling = Rolling(shop, run)
    with DataFolder(tmp_path):
        rolling.open()
        yield tmp_path
        rolling.close()


async def test_whoever_asks_hears_when_it_is_done(data, shop):
    took_s = await asyncio.to_thread(ask_to_roll, data)

    assert shop.rolls == 1
    assert took_s > 0


async def test_what_the_supervisor_notes_is_never_taken_for_a_process_file(data):
    assert (data / "run" / FILE).exists()
    assert process_paths(data) == []


async def test_whoever_asks_hears_why_it_was_not_done(data, shop):
    shop.problem = "order-1b is not ready"

    with pytest.raises(RollFailed, match="order-1b is not ready"):
        await asyncio.to_thread(ask_to_roll, data)


async def test_a_second_request_joins_the_roll_under_way(data, shop):
    shop.may_end.clear()
    asking = [asyncio.create_task(asyncio.to_thread(ask_to_roll, data)) for _ in range(2)]
    while not shop.rolls:
        await asyncio.sleep(0)
    shop.may_end.set()
    await asyncio.gather(*asking)

    assert 1 <= shop.rolls <= 2


async def test_a_folder_without_a_running_shop_has_nothing_to_roll(tmp_path):
    with pytest.raises(NothingToRoll):
        await asyncio.to_thread(ask_to_roll, tmp_path)


async def test_what_a_killed_shop_left_is_not_signalled(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / FILE).write_text(f'{{"pid":{os.getpid()},"rolls":1}}')

    with pytest.raises(NothingToRoll):
        await asyncio.to_thread(ask_to_roll, tmp_path)
