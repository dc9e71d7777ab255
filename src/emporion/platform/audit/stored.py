"""What a shop's databases say of its events and sagas, for commands that find it not running."""

from collections.abc import Sequence
from pathlib import Path

from emporion.platform.audit.traffic import (
    Lag,
    OpenSaga,
    all_open_sagas,
    dead_letters,
    lags,
)
from emporion.platform.audit.traffic_port import DeadLetter
from emporion.platform.reading.shop import open_for_reading


async def stored_lags(folder: Path) -> Sequence[Lag]:
    """How far each subscriber is. Raises as `open_for_reading` does."""
    async with open_for_reading(folder) as shop:
        return await lags(shop.databases)


async def stored_dead_letters(folder: Path, limit: int) -> Sequence[DeadLetter]:
    """What was given up, at most `limit` of each subscriber. Raises as `open_for_reading` does."""
    async with open_for_reading(folder) as shop:
        return await dead_letters(shop.databases, limit)


async def stored_sagas(folder: Path) -> Sequence[OpenSaga]:
    """The sagas that are not over. Raises as `open_for_reading` does."""
    async with open_for_reading(folder) as shop:
        return await all_open_sagas(shop.databases)
