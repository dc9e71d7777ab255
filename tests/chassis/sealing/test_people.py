"""Sealing: a text opens with the key of its person, in its field, and no other way."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.sealing import people as module
from emporion.chassis.sealing.cipher import ERASED, Cipher, SealBroken, is_sealed
from emporion.chassis.sealing.people import REMEMBERED_S, KeyMissing, People
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.vault import PersonOf
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import UserId
from tests.services.vaults import Vault, open_vault

ADA = UserId("usr_" + "a" * 32)
BEA = UserId("usr_" + "b" * 32)
TEXT = "Ada Lovelace, 12 St James's Square \U0001f384"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def vault(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Vault]:
    async with open_vault(tmp_path, manual_runtime(clock)) as opened:
        yield opened


@pytest.fixture
def people(vault: Vault, clock: ManualClock) -> People:
    return People(vault, clock)


def test_a_sealed_text_says_nothing_and_opens_again() -> None:
    cipher = Cipher(ADA, b"k" * 64)

    sealed = cipher.seal("name", TEXT)

    assert is_sealed(sealed)
    assert "Ada" not in sealed
    assert cipher.open("name", sealed) == TEXT
    assert cipher.seal("name", TEXT) == sealed


@pytest.mark.parametrize(
    ("person", "key", "field"),
    [(BEA, b"k" * 64, "name"), (ADA, b"x" * 64, "name"), (ADA, b"k" * 64, "email")],
)
def test_it_opens_for_no_other_person_key_or_field(person, key, field) -> None:
    sealed = Cipher(ADA, b"k" * 64).seal("name", TEXT)

    with pytest.raises(SealBroken):
        Cipher(person, key).open(field, sealed)


def test_a_sealed_text_that_was_changed_does_not_open() -> None:
    cipher = Cipher(ADA, b"k" * 64)
    sealed = cipher.seal("name", TEXT)
    other = "A" if sealed[-9] != "A" else "B"

    for broken in (sealed[:-9] + other + sealed[-8:], sealed[:-4], sealed[:5]):
        with pytest.raises(SealBroken):
            cipher.open("name", broken)


async def test_texts_from_before_stay_readable(people) -> None:
    ring = await people.ring([ADA])

    assert ring.open(ADA, "name", TEXT) == TEXT


async def test_a_lost_key_is_no_erasure(people) -> None:
    sealed = Cipher(ADA, b"k" * 64).seal("name", TEXT)

    ring = await people.ring([ADA])

    with pytest.raises(KeyMissing):
        ring.open(ADA, "name", sealed)
    assert not ring.is_erased(ADA)


async def test_keys_are_asked_for_together_and_remembered_for_a_moment(people, vault, clock):
    await people.newcomer(ADA)
    await people.newcomer(BEA)
    forgetful = People(vault, clock)

    for _ in range(3):
        await forgetful.ring([ADA, BEA, ADA])
    assert vault.asked == 1

    clock.advance(REMEMBERED_S)
    await forgetful.ring([ADA])
    assert vault.asked == 2


async def test_a_person_erased_elsewhere_is_unreadable_here_within_a_minute(
    people, vault, clock
) -> None:
    ring = await people.ring_to_seal([ADA])
    sealed = ring.seal(ADA, "name", TEXT)
    await vault.destroy_key(PersonOf(person_id=ADA))

    clock.advance(REMEMBERED_S)

    ring = await people.ring_to_seal([ADA])
    assert ring.is_erased(ADA)
    assert ring.open(ADA, "name", sealed) == ERASED
    assert ring.seal(ADA, "name", "something new") == ERASED


async def test_it_remembers_no_more_people_than_it_may(people, vault, monkeypatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 1)
    for person in (ADA, BEA):
        await people.ring_to_seal([person])
    vault.asked = 0

    await people.ring([BEA])
    assert vault.asked == 0
    await people.ring([ADA])
    assert vault.asked == 1


async def test_without_the_vault_what_is_remembered_can_be_used(people, vault) -> None:
    await people.newcomer(ADA)
    vault.is_down = True

    assert (await people.ring([ADA])).has(ADA)
    with pytest.raises(Unavailable):
        await people.ring([BEA])
