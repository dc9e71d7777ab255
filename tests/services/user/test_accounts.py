"""Sign-up, profile, preferences, password, contacts: over a real database."""

import asyncio

import pytest

from emporion.contracts.user import (
    ChangePassword,
    ChangeProfile,
    ContactsOf,
    EmailTaken,
    InvalidRefreshToken,
    Nothing,
    Preferences,
    SetPreferences,
    SignUp,
    TooManySignIns,
    User,
    WrongCredentials,
    WrongOldPassword,
)
from emporion.kernel.errors import InvalidArgument, ResourceExhausted, Unauthenticated
from emporion.kernel.ids import UserId

NEW_PASSWORD = "battery staple"


async def test_a_new_account_is_a_customer_with_default_preferences(world) -> None:
    user = await world.sign_up("Ada@EXAMPLE.test")

    assert user.email == "Ada@example.test"
    assert user.scopes == ["profile", "orders:read", "orders:write"]
    assert user.preferences == Preferences()


async def test_a_registration_is_announced_without_personal_data(world) -> None:
    user = await world.sign_up()

    rows = await world.rows("SELECT * FROM outbox")
    assert len(rows) == 1
    assert user.user_id in str(rows)
    assert "users.registered" in str(rows)
    assert "example.test" not in str(rows)
    assert "Ada" not in str(rows)


@pytest.mark.parametrize("again", ["ada@example.test", "ADA@Example.Test"])
async def test_an_address_has_one_account(world, again) -> None:
    await world.sign_up()
    hashed = world.hasher.work

    with pytest.raises(EmailTaken):
        await world.sign_up(again)
    assert world.hasher.work == hashed
    assert len(await world.rows("SELECT * FROM outbox")) == 1


async def test_of_twenty_sign_ups_with_one_address_one_wins(world) -> None:
    outcomes = await asyncio.gather(*(world.sign_up() for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(outcome, User) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 19
    assert len(await world.rows("SELECT user_id FROM account")) == 1
    assert len(await world.rows("SELECT * FROM outbox")) == 1


async def test_a_sign_up_that_finds_no_room_to_hash_leaves_nothing(world) -> None:
    world.hasher.is_full = True

    with pytest.raises(ResourceExhausted):
        await world.sign_up()
    assert await world.rows("SELECT * FROM account") == []


async def test_a_name_that_could_break_a_mail_header_is_refused(world, password) -> None:
    with pytest.raises(InvalidArgument):
        await world.api.sign_up(
            SignUp(email="a@b.test", password=password, name="Ada\r\nBcc: eve@example.test")
        )


async def test_the_owner_changes_profile_and_preferences(world) -> None:
    await world.sign_up()
    wanted = SetPreferences(locale="de-AT", time_zone="Europe/Vienna", wants_news=True)

    with world.signed_in(await world.sign_in()):
        await world.api.change_profile(ChangeProfile(name=" Countess Lovelace "))
        await world.api.change_profile(ChangeProfile())
        changed = await world.api.set_preferences(wanted)
        assert await world.api.me(Nothing()) == changed
        reset = await world.api.set_preferences(SetPreferences())

    assert changed.name == "Countess Lovelace"
    assert changed.preferences == Preferences(
        locale="de-AT", time_zone="Europe/Vienna", wants_news=True
    )
    assert reset.preferences == Preferences()


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "../../etc/passwd", "localtime", "europe/wien"]
)
async def test_an_unknown_time_zone_is_refused(world, zone) -> None:
    await world.sign_up()

    with world.signed_in(await world.sign_in()), pytest.raises(InvalidArgument):
        await world.api.set_preferences(SetPreferences(time_zone=zone))


async def test_without_a_token_there_is_no_own_account(world) -> None:
    await world.sign_up()

    with pytest.raises(Unauthenticated):
        await world.api.me(Nothing())


async def test_the_token_of_an_account_that_is_gone_is_no_use(world) -> None:
    await world.sign_up()
    session = await world.sign_in()
    await world.run("DELETE FROM account")

    with world.signed_in(session):
        for ask in (
            world.api.me(Nothing()),
            world.api.change_profile(ChangeProfile(name="Eve")),
            world.api.set_preferences(SetPreferences()),
        ):
            with pytest.raises(Unauthenticated):
                await ask


async def test_a_new_password_ends_every_session(world, password) -> None:
    await world.sign_up()
    sessions = [await world.sign_in() for _ in range(3)]

    with world.signed_in(sessions[0]):
        await world.api.change_password(
            ChangePassword(old_password=password, new_password=NEW_PASSWORD)
        )

    for session in sessions:
        with pytest.raises(InvalidRefreshToken):
            await world.refresh(session)
    with pytest.raises(WrongCredentials):
        await world.sign_in()
    assert await world.sign_in(password=NEW_PASSWORD)


async def test_a_wrong_old_password_changes_nothing(world) -> None:
    await world.sign_up()
    session = await world.sign_in()

    with world.signed_in(session), pytest.raises(WrongOldPassword):
        await world.api.change_password(
            ChangePassword(old_password="wrong", new_password=NEW_PASSWORD)
        )

    assert await world.refresh(session)
    assert await world.sign_in()


async def test_guessing_the_old_password_is_throttled_like_signing_in(world) -> None:
    await world.sign_up()
    guess = ChangePassword(old_password="wrong", new_password=NEW_PASSWORD)

    with world.signed_in(await world.sign_in()):
        for _ in range(5):
            with pytest.raises(WrongOldPassword):
                await world.api.change_password(guess)
        with pytest.raises(TooManySignIns):
            await world.api.change_password(guess)


async def test_of_two_password_changes_at_once_one_wins(world, password) -> None:
    await world.sign_up()

    with world.signed_in(await world.sign_in()):
        outcomes = await asyncio.gather(
            *(
                world.api.change_password(ChangePassword(old_password=password, new_password=new))
                for new in (NEW_PASSWORD, "another new one")
            ),
            return_exceptions=True,
        )

    assert sum(isinstance(outcome, WrongOldPassword) for outcome in outcomes) == 1


async def test_contacts_of_unknown_people_are_left_out(world) -> None:
    ada = await world.sign_up()
    bob = await world.sign_up("bob@example.test")
    unknown = UserId("usr_" + "f" * 32)

    reply = await world.api.contacts(
        ContactsOf(user_ids=[ada.user_id, unknown, bob.user_id, ada.user_id])
    )

    assert sorted(contact.email for contact in reply.contacts) == [
        "ada@example.test",
        "bob@example.test",
    ]
    assert {contact.time_zone for contact in reply.contacts} == {"UTC"}
    assert (await world.api.contacts(ContactsOf(user_ids=[]))).contacts == []


async def test_the_owner_gets_all_that_is_kept_of_them(world) -> None:
    user = await world.sign_up()
    await world.sign_up("bea@example.test")
    await world.sign_in("bea@example.test")
    await world.sign_in()
    world.clock.advance(60)

    with world.signed_in(await world.sign_in()):
        data = await world.api.own_data(Nothing())

    assert data.user == user
    first, second = data.sessions
    assert (second.started_at - first.started_at).total_seconds() == 60
    assert all((each.expires_at - each.started_at).days == 30 for each in data.sessions)
