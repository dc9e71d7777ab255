"""Two instances of the user service on one PostgreSQL database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.testing.databases import migrations_of, postgres_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.user import EmailTaken, TooManySignIns, WrongCredentials
from tests.services.user.conftest import PlainHasher, UserWorld
from tests.services.vaults import open_vault


@pytest.fixture
async def worlds(tmp_path: Path) -> AsyncIterator[list[UserWorld]]:
    clock, tables = ManualClock(), [migrations_of("user", "postgres")]
    runtime = manual_runtime(clock)
    async with (
        postgres_database(tmp_path, tables, source="user", runtime=runtime) as one,
        postgres_database(tmp_path, tables, source="user", runtime=runtime) as two,
        open_vault(tmp_path, runtime) as vault,
    ):
        other = UserWorld(two, clock, PlainHasher(), vault)
        other.assembly = other.restarted(seed=2)
        yield [UserWorld(one, clock, PlainHasher(), vault), other]


async def test_both_sign_with_one_key_from_the_first_moment(worlds) -> None:
    rotations = [world.assembly.alarms[0] for world in worlds]
    await asyncio.gather(
        *(world.serve(alarm) for world, alarm in zip(worlds, rotations, strict=True))
    )

    assert await worlds[0].rows("SELECT count(*) FROM signing_key") == [(1,)]
    assert worlds[0].assembly.public_keys() == worlds[1].assembly.public_keys()


async def test_an_address_gets_one_account(worlds) -> None:
    outcomes = await asyncio.gather(
        *(world.sign_up() for world in worlds * 5), return_exceptions=True
    )
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 9


async def test_guesses_at_both_are_throttled_as_guesses_at_one(worlds) -> None:
    await worlds[0].sign_up()
    outcomes = await asyncio.gather(
        *(world.sign_in(password="a wrong one, at length") for world in worlds * 20),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {WrongCredentials, TooManySignIns}
    looked_at = sum(isinstance(outcome, WrongCredentials) for outcome in outcomes)
    assert await worlds[0].rows("SELECT failures FROM sign_in_attempt") == [(looked_at,)]
    assert looked_at == sum(world.hasher.work for world in worlds) - 1  # less the sign-up's


async def test_a_refresh_token_is_good_for_one_of_them(worlds) -> None:
    await worlds[0].sign_up()
    session = await worlds[0].sign_in()
    outcomes = await asyncio.gather(
        *(world.refresh(session) for world in worlds), return_exceptions=True
    )
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
