"""Signing keys over their life, and operators: what the platform reaches for."""

import asyncio

import pytest
from msgspec import structs

from emporion.chassis.auth.rotation import KEY_AHEAD_MS, KEY_LIFE_MS, KEY_OVERLAP_MS
from emporion.chassis.auth.verifier import TokenInvalid, TokenVerifier
from emporion.contracts.user import (
    AddOperator,
    EmailTaken,
    InvalidRefreshToken,
    Nothing,
    WrongCredentials,
)
from emporion.kernel.errors import InvalidArgument

OPERATOR = "operator@emporion.test"
NEW_PASSWORD = "battery staple"


async def kids(world) -> list[str]:
    return [key.kid for key in (await world.api.jwks(Nothing())).keys]


async def test_the_first_key_is_made_once_however_many_ask(world) -> None:
    answers = await asyncio.gather(*(kids(world) for _ in range(10)))

    assert len(answers[0]) == 1
    assert all(answer == answers[0] for answer in answers)
    assert len(await world.rows("SELECT kid FROM signing_key")) == 1


async def test_the_published_keys_hold_no_private_half(world) -> None:
    keys = (await world.api.jwks(Nothing())).keys
    stored = str(await world.rows("SELECT pair FROM signing_key"))

    assert [(key.kty, key.crv, key.alg, key.use) for key in keys] == [
        ("OKP", "Ed25519", "Ed25519", "sig")
    ]
    assert stored.count('"d":') == 1
    assert "d" not in keys[0].__struct_fields__


async def test_tokens_stay_good_over_a_restart(world) -> None:
    await world.sign_up()
    header = f"Bearer {(await world.sign_in()).access_token}".encode()

    restarted = world.restarted(seed=2)
    for probe in restarted.probes.values():
        await probe()

    verifier = TokenVerifier(restarted.public_keys, world.clock)
    assert verifier.authenticate(header).subject


async def test_a_key_is_published_before_it_signs_and_after_it_signed(world) -> None:
    (first,) = await kids(world)
    rotate = world.assembly.alarms[0]

    world.clock.advance((KEY_LIFE_MS - KEY_AHEAD_MS) / 1000)
    await world.serve(rotate)
    second, still = await kids(world)
    assert still == first
    assert (await world.key_of_a_new_token()) == first

    world.clock.advance(KEY_AHEAD_MS / 1000)
    assert (await world.key_of_a_new_token()) == second
    assert await kids(world) == [second, first]

    world.clock.advance(KEY_OVERLAP_MS / 1000)
    await world.serve(rotate)
    assert await kids(world) == [second]
    assert await world.rows("SELECT kid FROM signing_key") == [(second,)]


async def test_two_instances_rotate_to_the_same_key(world) -> None:
    other = world.restarted(seed=2)
    await asyncio.gather(world.serve(world.assembly.alarms[0]), world.serve(other.alarms[0]))
    world.clock.advance(KEY_LIFE_MS / 1000)

    await asyncio.gather(world.serve(world.assembly.alarms[0]), world.serve(other.alarms[0]))

    assert [key.kid for key in other.public_keys()] == await kids(world)
    assert len(await kids(world)) == 2


async def test_a_key_deleted_by_hand_ends_its_tokens_at_the_next_run(world) -> None:
    await world.sign_up()
    session = await world.sign_in()
    await world.run("DELETE FROM signing_key")

    await world.serve(world.assembly.alarms[0])

    with pytest.raises(TokenInvalid), world.signed_in(session):
        pass


async def test_an_operator_is_made_once_and_may_run_the_shop(world, password) -> None:
    operators = world.assembly.operators

    assert await operators.ensure(OPERATOR, password)
    assert not await operators.ensure(OPERATOR, "another password")

    session = await world.sign_in(OPERATOR)
    with world.signed_in(session):
        me = await world.api.me(Nothing())
    assert {"catalog:write", "inventory:write", "payments:read", "mails:read"} <= set(me.scopes)
    assert {"operations:read", "operations:write", "inventory:read"} <= set(me.scopes)


async def test_an_operator_adds_another_and_changes_no_account_that_exists(
    world, password, caplog
) -> None:
    caplog.set_level("INFO")
    await world.sign_up()
    await world.assembly.operators.put(OPERATOR, password)
    wanted = AddOperator(email="grace@example.test", password=NEW_PASSWORD, name="Grace")

    with world.signed_in(await world.sign_in(OPERATOR)):
        actor = (await world.api.me(Nothing())).user_id
        added = await world.api.add_operator(wanted)
        for taken in ("grace@example.test", "ada@example.test", OPERATOR):
            with pytest.raises(EmailTaken):
                await world.api.add_operator(structs.replace(wanted, email=taken))

    with world.signed_in(await world.sign_in("grace@example.test", NEW_PASSWORD)):
        assert "operators:write" in (await world.api.me(Nothing())).scopes
    assert await world.sign_in(OPERATOR)
    assert "operators:write" not in (await ada_of(world)).scopes
    (line,) = [record for record in caplog.records if "is an operator now" in record.message]
    assert (added.user_id in line.message, line.actor) == (True, actor)


async def ada_of(world):
    with world.signed_in(await world.sign_in()):
        return await world.api.me(Nothing())


async def test_a_reset_operator_signs_in_anew(world, password) -> None:
    first_id = await world.assembly.operators.put(OPERATOR, password)
    session = await world.sign_in(OPERATOR)
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await world.sign_in(OPERATOR, "forgotten it")

    again_id = await world.assembly.operators.put(OPERATOR, "a new password", name="Grace")

    assert again_id == first_id
    with pytest.raises(InvalidRefreshToken):
        await world.refresh(session)
    assert await world.sign_in(OPERATOR, "a new password")


async def test_a_new_role_shows_in_the_next_token(world, password) -> None:
    user = await world.sign_up()
    assert "catalog:write" not in user.scopes

    await world.assembly.operators.put("ada@example.test", password)

    with world.signed_in(await world.sign_in()):
        assert "catalog:write" in (await world.api.me(Nothing())).scopes


@pytest.mark.parametrize(("email", "secret"), [("nonsense", "long enough"), (OPERATOR, "short")])
async def test_an_operator_needs_an_address_and_a_real_password(world, email, secret) -> None:
    for make in (world.assembly.operators.ensure, world.assembly.operators.put):
        with pytest.raises(InvalidArgument):
            await make(email, secret)
