"""Accounts from before addresses and names were sealed: usable at once, sealed in batches."""

import pytest

from emporion.contracts.user import ChangePassword, ChangeProfile, ContactsOf, EmailTaken, Nothing
from emporion.kernel.ids import UserId
from emporion.services.user.commands import sealing

ADA = UserId("usr_" + "a" * 32)


async def add_readable(world, password: str, *, user_id: UserId = ADA, who: str = "ada") -> None:
    """What the version before this one stored."""
    await world.run(
        "INSERT INTO account (user_id, email, email_key, name, role, password_hash, locale,"
        " time_zone, wants_news, created_at_ms)"
        f" VALUES ('{user_id}', '{who.title()}@example.test', '{who}@example.test',"
        f" '{who.title()}', 'customer', '1:{password}', 'en', 'UTC', 0, 0)"
    )


async def seal(world) -> None:
    await world.serve(world.assembly.alarms[2])


async def readable(world) -> int:
    ((count,),) = await world.rows("SELECT count(*) FROM account WHERE is_sealed = 0")
    return int(count)


async def me(world):
    with world.signed_in(await world.sign_in()):
        return await world.api.me(Nothing())


async def test_an_account_from_before_works_the_same_before_and_after(world, password) -> None:
    await add_readable(world, password)
    before = await me(world)
    with pytest.raises(EmailTaken):
        await world.sign_up()

    await seal(world)

    assert await readable(world) == 0
    rows = str(await world.rows("SELECT email, email_key, name FROM account"))
    assert "example" not in rows.casefold()
    assert "Ada" not in rows
    assert await me(world) == before
    with pytest.raises(EmailTaken):
        await world.sign_up()
    (contact,) = (await world.api.contacts(ContactsOf(user_ids=[ADA]))).contacts
    assert (contact.email, contact.name) == ("Ada@example.test", "Ada")


async def test_a_new_name_before_the_sealing_is_kept(world, password) -> None:
    await add_readable(world, password)
    with world.signed_in(await world.sign_in()):
        await world.api.change_profile(ChangeProfile(name="Ada King"))

    await seal(world)

    assert (await me(world)).name == "Ada King"


async def test_a_new_password_can_be_chosen_before_the_sealing(world, password) -> None:
    await add_readable(world, password)
    with world.signed_in(await world.sign_in()):
        request = ChangePassword(old_password=password, new_password="battery staple")
        await world.api.change_password(request)

    assert await world.sign_in(password="battery staple")


async def test_it_seals_a_batch_at_a_time_until_none_is_left(world, password, monkeypatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 2)
    for number in range(5):
        user_id = UserId(f"usr_{number:032x}")
        await add_readable(world, password, user_id=user_id, who=f"ada{number}")

    left = []
    for _ in range(3):
        await seal(world)
        left.append(await readable(world))

    assert left == [3, 1, 0]
