"""The secret changes: every key is wrapped anew, wherever that is cut off."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.data.sqlite.database import SqliteDatabase, SqliteOptions
from emporion.chassis.sealing.secret import PrivacyKeys, WrongPrivacyKey
from emporion.chassis.testing.databases import CHASSIS, migrations_of, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.vault import KeysOf, PersonOf
from emporion.kernel.ids import UserId
from emporion.services.vault import commands
from emporion.services.vault.adapters.aes import AesWrapping
from emporion.services.vault.adapters.sql import SqlKeys
from emporion.services.vault.commands import Rewrapping
from emporion.services.vault.ports import StoredKey
from tests.services.vaults import Vault, vault_on

OLD, NEW = "the secret so far", "the secret from now on"
PEOPLE = [UserId(f"usr_{number:032x}") for number in range(5)]
BOTH = PrivacyKeys(NEW, OLD)
RUNTIME = manual_runtime(ManualClock())


@pytest.fixture
async def database(engine, tmp_path: Path) -> AsyncIterator[Database]:
    tables = [migrations_of("vault", engine)]
    async with sql_database(engine, tmp_path, tables, source="vault", runtime=RUNTIME) as opened:
        yield opened


def started(database: Database, secrets: PrivacyKeys, store: SqlKeys | None = None) -> Rewrapping:
    """What a process that starts now does in the background."""
    return Rewrapping(
        database, store or SqlKeys(), AesWrapping(secrets), clock=manual_runtime().clock
    )


async def keys_in(vault: Vault) -> dict[UserId, bytes]:
    return {
        each.person_id: each.key for each in (await vault.keys_of(KeysOf(person_ids=PEOPLE))).keys
    }


async def made(vault: Vault, people: Sequence[UserId] = PEOPLE) -> dict[UserId, bytes]:
    return {id_: (await vault.make_key(PersonOf(person_id=id_))).key.key for id_ in people}


async def counts(database: Database) -> list[int]:
    return sorted((await database.read(SqlKeys().counts)).values())


async def finished(rewrapping: Rewrapping) -> None:
    """Run until it would wait."""
    while await rewrapping.run() <= rewrapping._clock.now_ms():
        await asyncio.sleep(0)


async def test_with_both_secrets_all_is_read_and_what_is_new_is_wrapped_with_the_current(database):
    before = await made(vault_on(database, RUNTIME, secret=OLD), PEOPLE[:3])
    vault = vault_on(database, RUNTIME, secret=NEW, other=OLD)
    after = await made(vault, PEOPLE[3:])

    assert await keys_in(vault) == before | after
    await vault._queries.probe()
    assert await counts(database) == [2, 3]
    to_come = vault_on(database, RUNTIME, secret=OLD, other=NEW)
    assert await keys_in(to_come) == before | after


async def test_it_is_cut_off_between_batches_and_ends_all_the_same(database, monkeypatch):
    monkeypatch.setattr(commands, "BATCH", 2)
    keys = await made(vault_on(database, RUNTIME, secret=OLD))

    await started(database, BOTH).run()  # and is killed

    assert await counts(database) == [2, 3]
    assert await keys_in(vault_on(database, RUNTIME, secret=NEW, other=OLD)) == keys
    with pytest.raises(WrongPrivacyKey):  # the old one is still needed
        await vault_on(database, RUNTIME, secret=NEW)._queries.probe()

    await finished(started(database, BOTH))

    assert await counts(database) == [5]
    alone = vault_on(database, RUNTIME, secret=NEW)
    await alone._queries.probe()
    assert await keys_in(alone) == keys
    with pytest.raises(WrongPrivacyKey):
        await vault_on(database, RUNTIME, secret=OLD)._queries.probe()


async def test_it_runs_in_two_instances_at_once(database, monkeypatch):
    monkeypatch.setattr(commands, "BATCH", 2)
    keys = await made(vault_on(database, RUNTIME, secret=OLD))

    await asyncio.gather(*(finished(started(database, BOTH)) for _ in range(2)))

    assert await keys_in(vault_on(database, RUNTIME, secret=NEW)) == keys


class Erasing(SqlKeys):
    """Somebody is erased after the keys of a batch were read."""

    async def wrapped_by_others(
        self, tx: Tx, by: str, *, after: str, limit: int
    ) -> list[StoredKey]:
        self.found = await super().wrapped_by_others(tx, by, after=after, limit=limit)
        return self.found

    async def replace(self, tx: Tx, before: StoredKey, wrapped: bytes, *, by: str) -> bool:
        if before.person_id == PEOPLE[1]:
            await self.destroy(tx, PEOPLE[1], at_ms=1)
        return await super().replace(tx, before, wrapped, by=by)


async def test_a_key_that_is_destroyed_meanwhile_does_not_come_back(database):
    keys = await made(vault_on(database, RUNTIME, secret=OLD))

    await finished(started(database, BOTH, Erasing()))

    found = await keys_in(vault_on(database, RUNTIME, secret=NEW))
    assert found == {**keys, PEOPLE[1]: b""}


async def test_a_key_that_no_secret_unwraps_is_told_and_holds_up_no_other(
    database, monkeypatch, caplog
):
    monkeypatch.setattr(commands, "BATCH", 2)
    await made(vault_on(database, RUNTIME, secret="lost"), PEOPLE[:2])
    keys = await made(vault_on(database, RUNTIME, secret=OLD), PEOPLE[2:])

    await finished(started(database, BOTH))

    assert await counts(database) == [2, 3]
    assert "2 keys of people are wrapped with a secret that is not set" in caplog.text
    vault = vault_on(database, RUNTIME, secret=NEW)
    found = await vault.keys_of(KeysOf(person_ids=PEOPLE[2:]))
    assert {each.person_id: each.key for each in found.keys} == keys
    with pytest.raises(WrongPrivacyKey):
        await vault._queries.probe()


async def test_keys_from_before_names_were_kept_are_wrapped_and_named(database):
    keys = await made(vault_on(database, RUNTIME, secret=OLD))
    await database.transaction(lambda tx: tx.execute("UPDATE person_key SET wrapped_by = ''"))

    await finished(started(database, PrivacyKeys(OLD)))

    assert await database.read(SqlKeys().counts) == {PrivacyKeys(OLD).names[0]: 5}
    assert await keys_in(vault_on(database, RUNTIME, secret=OLD)) == keys


async def test_nothing_that_the_old_secret_wraps_stays_in_the_files(tmp_path: Path):
    database = SqliteDatabase(
        tmp_path / "vault.sqlite",
        source="vault",
        clock=RUNTIME.clock,
        ids=RUNTIME.ids,
        options=SqliteOptions(is_forgetful=True),
    )
    await database.open([CHASSIS, migrations_of("vault")])
    try:
        keys = await made(vault_on(database, RUNTIME, secret=OLD))
        wrapped = [AesWrapping(PrivacyKeys(OLD)).wrap(id_, key) for id_, key in keys.items()]
        assert all(each in _contents(tmp_path) for each in wrapped)

        await finished(started(database, BOTH))
        await made(vault_on(database, RUNTIME, secret=NEW), [UserId("usr_" + "f" * 32)])

        assert not any(each in _contents(tmp_path) for each in wrapped)
    finally:
        await database.close()


def _contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
