"""People are erased: by their own wish or an operator's, for good, and as often as asked."""

import pytest

from emporion.chassis.sealing.people import REMEMBERED_S, KeyMissing
from emporion.contracts.user import (
    ContactsOf,
    EraseMe,
    EraseUser,
    InvalidRefreshToken,
    Nothing,
    TooManySignIns,
    WrongCredentials,
    WrongOldPassword,
)
from emporion.contracts.vault import KeysOf
from emporion.kernel.errors import InvalidArgument, NotFound, Unauthenticated
from emporion.kernel.ids import UserId

EVERYTHING = (
    "SELECT * FROM account",
    "SELECT * FROM session",
    "SELECT * FROM sign_in_attempt",
    "SELECT * FROM saga",
    "SELECT * FROM outbox",
    "SELECT * FROM erasure",
)
NOBODY = UserId("usr_" + "0" * 32)


async def stored(world) -> str:
    return str([await world.rows(sql) for sql in EVERYTHING])


async def erase_own(world, password: str):
    with world.signed_in(await world.sign_in()):
        return await world.api.erase_me(EraseMe(password=password))


async def erase(world, user_id: UserId, reason: str = "asked by letter"):
    with world.signed_in(await world.sign_in("olga@example.test")):
        return await world.api.erase_user(EraseUser(user_id=user_id, reason=reason))


async def names(world) -> list[str]:
    return [name for (name,) in await world.rows("SELECT name FROM outbox ORDER BY position")]


async def test_address_and_name_are_nowhere_in_the_database(world) -> None:
    await world.sign_up()
    await world.sign_in()

    text = (await stored(world)).casefold()

    assert "ada" not in text.replace("erasable", "")
    assert "example.test" not in text


async def test_an_erased_person_cannot_sign_in_and_is_no_contact(world, password) -> None:
    user = await world.sign_up()
    session = await world.sign_in()

    erasure = await erase_own(world, password)

    assert erasure.erased_at is not None
    assert not erasure.is_pending
    with pytest.raises(WrongCredentials):
        await world.sign_in()
    with pytest.raises(InvalidRefreshToken):
        await world.refresh(session)
    with world.signed_in(session), pytest.raises(Unauthenticated):
        await world.api.me(Nothing())
    contacts = await world.api.contacts(ContactsOf(user_ids=[user.user_id]))
    assert contacts.contacts == []
    keys = await world.vault.keys_of(KeysOf(person_ids=[user.user_id]))
    assert [each.key for each in keys.keys] == [b""]


async def test_the_wrong_password_erases_nobody_and_is_throttled(world, password) -> None:
    await world.sign_up()
    session = await world.sign_in()

    with world.signed_in(session):
        for _ in range(5):
            with pytest.raises(WrongOldPassword):
                await world.api.erase_me(EraseMe(password="a wrong password"))
        with pytest.raises(TooManySignIns):
            await world.api.erase_me(EraseMe(password=password))

    assert await world.rows("SELECT * FROM erasure") == []


async def test_erasing_twice_is_erasing_once(world, password) -> None:
    user = await world.sign_up()
    await world.assembly.operators.ensure("olga@example.test", password)
    session = await world.sign_in()
    with world.signed_in(session):
        first = await world.api.erase_me(EraseMe(password=password))
        world.clock.advance(10)
        again = await world.api.erase_me(EraseMe(password="any, for none is kept"))

    assert await erase(world, user.user_id) == again == first
    assert (await names(world)).count("users.erased") == 1


async def test_an_operator_erases_with_a_reason_that_is_kept(world, password) -> None:
    user = await world.sign_up()
    await world.assembly.operators.ensure("olga@example.test", password)

    await erase(world, user.user_id)
    await erase(world, user.user_id, "another reason")

    rows = await world.rows("SELECT user_id, reason FROM erasure")
    assert rows == [(user.user_id, "asked by letter")]


@pytest.mark.parametrize(
    "reason", ["mail of ADA@example.test", "asked: it is Ada.", "ada,by letter"]
)
async def test_a_reason_that_says_who_it_was_erases_nobody(world, password, reason) -> None:
    user = await world.sign_up()
    await world.assembly.operators.ensure("olga@example.test", password)

    with pytest.raises(InvalidArgument) as refused:
        await erase(world, user.user_id, reason)

    assert "ada" not in str(refused.value).casefold()
    assert await world.rows("SELECT * FROM erasure") == []


async def test_a_reason_that_cannot_be_checked_holds_no_erasure_up(world, password) -> None:
    user = await world.sign_up()
    await world.assembly.operators.ensure("olga@example.test", password)
    session = await world.sign_in("olga@example.test")
    world.clock.advance(REMEMBERED_S + 1)
    world.vault.is_down = True

    with world.signed_in(session):
        asked = await world.api.erase_user(EraseUser(user_id=user.user_id, reason="by letter"))

    assert asked.is_pending


async def test_nobody_can_be_erased_who_never_was(world, password) -> None:
    await world.assembly.operators.ensure("olga@example.test", password)

    with pytest.raises(NotFound):
        await erase(world, NOBODY)


async def test_the_address_is_free_for_somebody_new(world, password) -> None:
    before = await world.sign_up()
    await erase_own(world, password)

    after = await world.sign_up()

    assert after.user_id != before.user_id
    assert (await world.sign_in()).user_id == after.user_id


async def test_what_was_erased_stays_unreadable_in_a_copy_of_the_rows(world, password) -> None:
    user = await world.sign_up()
    (copy,) = await world.rows("SELECT email, email_key, name FROM account")
    await erase_own(world, password)

    await world.run(
        "UPDATE account SET erased_at_ms = NULL, email = '{}', email_key = '{}', name = '{}'"
        " WHERE user_id = '{}'".format(*copy, user.user_id)
    )

    contacts = await world.api.contacts(ContactsOf(user_ids=[user.user_id]))
    assert contacts.contacts == []


async def test_while_the_vault_is_away_an_erasure_goes_on_by_itself(world, password) -> None:
    await world.sign_up()
    session = await world.sign_in()
    world.vault.is_down = True
    with world.signed_in(session):
        erasure = await world.api.erase_me(EraseMe(password=password))

    assert erasure.is_pending
    assert "users.erased" not in await names(world)
    with pytest.raises(WrongCredentials):
        await world.sign_in()

    world.vault.is_down = False
    world.clock.advance(60)
    await world.serve(world.sagas.alarm)

    assert (await names(world))[-1] == "users.erased"


async def test_a_lost_vault_is_an_error_and_not_an_erasure(world) -> None:
    user = await world.sign_up()
    world.clock.advance(REMEMBERED_S)
    await world.vault._commands._database.transaction(
        lambda tx: tx.execute("DELETE FROM person_key")
    )

    with pytest.raises(KeyMissing):
        await world.api.contacts(ContactsOf(user_ids=[user.user_id]))
