"""How the user service is put together."""

import pytest

from emporion.contracts.contract import rpcs
from emporion.contracts.user import UserService
from emporion.kernel.errors import Unavailable
from emporion.services.user.adapters import zones
from emporion.services.user.adapters.argon2 import Argon2Settings
from emporion.services.user.service import argon2_settings


async def test_it_answers_every_method_of_its_contract(world) -> None:
    implementation = type(world.assembly.implementation)

    for name in rpcs(UserService):
        assert name in vars(implementation)


async def test_it_is_ready_once_its_keys_can_be_had(world) -> None:
    assert world.assembly.public_keys() == ()

    for probe in world.assembly.probes.values():
        await probe()

    assert len(world.assembly.public_keys()) == 1


async def test_without_its_database_it_is_not_ready(world) -> None:
    await world.database.close()

    with pytest.raises(Unavailable):
        await world.assembly.probes["signing keys"]()


async def test_without_a_time_zone_database_it_says_so(monkeypatch) -> None:
    monkeypatch.setattr(zones, "available_timezones", set)

    with pytest.raises(Unavailable, match="tzdata"):
        await zones.InstalledZones().probe()


def test_settings_are_read_from_text() -> None:
    assert argon2_settings({"argon2_threads": "4"}) == Argon2Settings(threads=4)
    assert argon2_settings({}) == Argon2Settings()


@pytest.mark.parametrize("wrong", [{"argon_threads": "4"}, {"argon2_threads": "many"}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"unknown settings|invalid literal"):
        argon2_settings(wrong)
