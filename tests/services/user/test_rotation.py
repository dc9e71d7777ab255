"""The secret of the index of addresses changes, and everybody is found all the while."""

import asyncio
import itertools

import pytest

from emporion.chassis.sealing.secret import PrivacyKeys, WrongPrivacyKey
from emporion.contracts.user import EmailTaken, EraseMe
from emporion.services.user.commands import indexing
from tests.services.vaults import SECRET

NEW = "the secret from now on"
INDEXING = 3
SEEDS = itertools.count(100)
"""Each start draws other ids."""


def started(world, secret: str = NEW, other: str = SECRET) -> None:
    """The service starts again, with other secrets."""
    world.assembly = world.restarted(seed=next(SEEDS), secret=secret, other=other)


async def index(world) -> None:
    """One batch."""
    await world.serve(world.assembly.alarms[INDEXING])


async def indexed(world) -> list[int]:
    rows = await world.rows("SELECT count(*) FROM account GROUP BY indexed_by")
    return sorted(number for (number,) in rows)


async def ready(world) -> None:
    await world.assembly.probes["privacy key"]()


async def test_everybody_is_found_before_in_the_middle_and_after(world, monkeypatch) -> None:
    monkeypatch.setattr(indexing, "BATCH", 2)
    people = [f"ada{number}@example.test" for number in range(5)]
    for email in people:
        await world.sign_up(email)
    started(world)

    for done in ([5], [2, 3], [1, 4], [5], [5]):
        assert await indexed(world) == done
        for email in people:
            assert await world.sign_in(email)
            with pytest.raises(EmailTaken):
                await world.sign_up(email.upper())
        await ready(world)
        await index(world)
        started(world)  # it was killed

    started(world, NEW, other="")
    await ready(world)
    for email in people:
        assert await world.sign_in(email)
    started(world, SECRET, other="")
    with pytest.raises(WrongPrivacyKey):
        await ready(world)


async def test_the_old_secret_is_missed_while_somebody_could_not_be_found(world) -> None:
    await world.sign_up()

    started(world, NEW, other="")

    with pytest.raises(WrongPrivacyKey):
        await ready(world)


async def test_instances_on_both_sides_of_the_change_give_an_address_one_account(world) -> None:
    sides = [
        world.restarted(seed=11, secret=NEW, other=SECRET),
        world.restarted(seed=12, secret=SECRET, other=NEW),
    ]

    async def sign_up(number: int) -> object:
        world.assembly = sides[number % 2]
        return await world.sign_up()

    outcomes = await asyncio.gather(*map(sign_up, range(10)), return_exceptions=True)

    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 9
    assert await indexed(world) == [1]


async def test_who_was_erased_is_not_indexed_again(world, password) -> None:
    await world.sign_up()
    with world.signed_in(await world.sign_in()):
        await world.api.erase_me(EraseMe(password=password))
    started(world)

    await index(world)

    assert await world.rows("SELECT user_id = email_key, indexed_by FROM account") in (
        [(1, "")],
        [(True, "")],
    )
    started(world, NEW, other="")
    await ready(world)


async def test_accounts_from_before_names_were_kept_are_named(world) -> None:
    await world.sign_up()
    await world.run("UPDATE account SET indexed_by = ''")
    started(world, SECRET, other="")

    await index(world)

    assert await world.rows("SELECT indexed_by FROM account") == [PrivacyKeys(SECRET).names]
    assert await world.sign_in()
