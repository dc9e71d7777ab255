"""The vault: keys are made once, destroyed for ever, and of no use without the shop's secret."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.data.sqlite.database import SqliteDatabase, SqliteOptions
from emporion.chassis.sealing.secret import PrivacyKeys, WrongPrivacyKey
from emporion.chassis.testing.databases import CHASSIS, migrations_of, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.vault import KeysOf, PersonErased, PersonOf
from emporion.kernel.ids import UserId
from emporion.services.vault.adapters.aes import AesWrapping
from tests.services.vaults import SECRET, Vault, open_vault, vault_on

ADA = UserId("usr_" + "a" * 32)
BEA = UserId("usr_" + "b" * 32)


@pytest.fixture
async def vault(engine, tmp_path: Path) -> AsyncIterator[Vault]:
    async with open_vault(tmp_path, manual_runtime(), engine) as opened:
        yield opened


async def key(vault: Vault, person: UserId = ADA) -> bytes:
    return (await vault.make_key(PersonOf(person_id=person))).key.key


async def known(vault: Vault) -> dict[UserId, bytes]:
    reply = await vault.keys_of(KeysOf(person_ids=[ADA, BEA]))
    return {each.person_id: each.key for each in reply.keys}


async def test_a_person_has_one_key_however_many_ask_for_it_at_once(vault) -> None:
    keys = await asyncio.gather(*(key(vault) for _ in range(10)))

    assert len(set(keys)) == 1
    assert len(keys[0]) == 64
    assert await known(vault) == {ADA: keys[0]}


async def test_two_people_have_two_keys(vault) -> None:
    assert await key(vault, ADA) != await key(vault, BEA)


async def test_a_destroyed_key_is_gone_and_no_other_takes_its_place(vault) -> None:
    await key(vault)

    first = await vault.destroy_key(PersonOf(person_id=ADA))
    again = await vault.destroy_key(PersonOf(person_id=ADA))

    assert first == again
    assert await known(vault) == {ADA: b""}
    with pytest.raises(PersonErased):
        await key(vault)


async def test_who_was_erased_before_they_had_a_key_never_gets_one(vault) -> None:
    await vault.destroy_key(PersonOf(person_id=ADA))

    with pytest.raises(PersonErased):
        await key(vault)


async def test_a_key_at_rest_is_of_no_use_without_the_secret_or_for_another_person() -> None:
    wrapped = AesWrapping(PrivacyKeys(SECRET)).wrap(ADA, b"k" * 64)

    assert b"kkkk" not in wrapped
    assert AesWrapping(PrivacyKeys(SECRET)).unwrap(ADA, wrapped) == b"k" * 64
    for wrapping, person in (
        (AesWrapping(PrivacyKeys("another")), ADA),
        (AesWrapping(PrivacyKeys(SECRET)), BEA),
    ):
        with pytest.raises(WrongPrivacyKey):
            wrapping.unwrap(person, wrapped)


async def test_with_another_secret_the_vault_is_not_ready(engine, tmp_path: Path) -> None:
    runtime = manual_runtime()
    async with sql_database(
        engine, tmp_path, [migrations_of("vault", engine)], source="vault", runtime=runtime
    ) as database:
        right, wrong = vault_on(database, runtime), vault_on(database, runtime, secret="another")
        await wrong._queries.probe()
        await key(right)

        await right._queries.probe()
        with pytest.raises(WrongPrivacyKey):
            await wrong._queries.probe()


async def test_nothing_of_a_destroyed_key_stays_in_the_files(tmp_path: Path) -> None:
    runtime = manual_runtime(ManualClock())
    path = tmp_path / "vault.sqlite"
    database = SqliteDatabase(
        path,
        source="vault",
        clock=runtime.clock,
        ids=runtime.ids,
        options=SqliteOptions(is_forgetful=True),
    )
    await database.open([CHASSIS, migrations_of("vault")])
    try:
        vault = vault_on(database, runtime)
        wrapped = AesWrapping(PrivacyKeys(SECRET)).wrap(ADA, await key(vault))
        assert wrapped in contents(tmp_path)

        await vault.destroy_key(PersonOf(person_id=ADA))
        await key(vault, BEA)  # the writer empties the log before it takes up another batch

        assert wrapped not in contents(tmp_path)
    finally:
        await database.close()


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
