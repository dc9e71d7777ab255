"""Sign-in, refresh, sign-out, throttling: over a real database, in manual time."""

import asyncio
import logging

import pytest

from emporion.contracts.user import (
    InvalidRefreshToken,
    RefreshToken,
    Session,
    SignIn,
    TooManySignIns,
    WrongCredentials,
)
from emporion.kernel.errors import ResourceExhausted
from emporion.services.user.domain import SESSION_IDLE_MS, SESSIONS_PER_ACCOUNT_MAX

DAY_S = 86_400


async def fail(world, times: int, email: str = "ada@example.test") -> None:
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            await world.sign_in(email, "a wrong password")


async def test_the_right_password_gives_tokens_that_name_the_account(world) -> None:
    user = await world.sign_up()

    session = await world.sign_in("ADA@example.TEST")

    identity = world.verifier.authenticate(f"Bearer {session.access_token}".encode())
    assert identity.subject == session.user_id == user.user_id
    assert identity.scopes == set(user.scopes)
    assert (session.token_type, session.expires_in_s) == ("Bearer", 900)


async def test_an_unknown_address_and_a_wrong_password_look_alike(world) -> None:
    await world.sign_up()
    refusals, work = [], []

    for email in ("ada@example.test", "nobody@example.test"):
        for _ in range(6):
            before = world.hasher.work
            with pytest.raises((WrongCredentials, TooManySignIns)) as refusal:
                await world.sign_in(email, "a wrong password")
            error = refusal.value
            refusals.append((error.slug, error.detail, dict(error.fields)))
            work.append(world.hasher.work - before)

    assert refusals[:6] == refusals[6:]
    assert work[:6] == work[6:] == [1, 1, 1, 1, 1, 0]


async def test_failures_are_answered_ever_more_slowly(world) -> None:
    await world.sign_up()
    await fail(world, 5)

    for wait_s in (1, 2, 4, 8):
        with pytest.raises(TooManySignIns) as refusal:
            await world.sign_in()
        assert refusal.value.fields["retry_after_s"] == wait_s
        world.clock.advance(wait_s)
        await fail(world, 1)


async def test_an_attempt_while_throttled_neither_counts_nor_costs_a_hash(world) -> None:
    await world.sign_up()
    await fail(world, 5)
    before = world.hasher.work

    for _ in range(50):
        with pytest.raises(TooManySignIns):
            await world.sign_in()
    world.clock.advance(1)

    assert world.hasher.work == before
    assert await world.sign_in()


async def test_throttling_survives_a_restart(world) -> None:
    await world.sign_up()
    await fail(world, 5)

    restarted = world.restarted(seed=2).implementation

    with pytest.raises(TooManySignIns):
        await restarted.sign_in(SignIn(email="ada@example.test", password="correct horse"))


async def test_guesses_sent_all_at_once_are_throttled_too(world) -> None:
    await world.sign_up()

    outcomes = await asyncio.gather(
        *(world.sign_in(password=f"guess {number}") for number in range(100)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, WrongCredentials) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, TooManySignIns) for outcome in outcomes) == 95


async def test_a_success_forgives_and_others_are_not_throttled(world) -> None:
    await world.sign_up()
    await world.sign_up("bob@example.test")
    await fail(world, 4)

    await world.sign_in()
    await fail(world, 4)
    await world.sign_in()

    await fail(world, 5)
    assert await world.sign_in("bob@example.test")


async def test_an_attempt_that_got_no_verdict_does_not_count(world) -> None:
    await world.sign_up()
    world.hasher.is_full = True
    for _ in range(20):
        with pytest.raises(ResourceExhausted) as refusal:
            await world.sign_in()
        assert not isinstance(refusal.value, TooManySignIns)

    world.hasher.is_full = False

    assert await world.sign_in()


async def test_a_hash_with_old_parameters_is_renewed_at_sign_in(world) -> None:
    await world.sign_up()
    world.hasher.version = 2

    await world.sign_in()

    assert await world.rows("SELECT password_hash FROM account") == [("2:correct horse",)]
    assert await world.sign_in()


async def test_a_password_changed_during_a_sign_in_lets_no_session_start(world) -> None:
    await world.sign_up()

    async def reset() -> None:
        await world.assembly.operators.put("ada@example.test", "another password")

    world.hasher.meanwhile = reset
    with pytest.raises(WrongCredentials):
        await world.sign_in()

    assert await world.rows("SELECT * FROM session") == []


async def test_a_refresh_spends_the_token(world) -> None:
    user = await world.sign_up()
    first = await world.sign_in()

    second = await world.refresh(first)

    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    assert second.user_id == user.user_id
    assert await world.refresh(second)


async def test_a_spent_token_presented_again_ends_the_session(world) -> None:
    await world.sign_up()
    stolen = await world.sign_in()
    elsewhere = await world.sign_in()
    current = await world.refresh(stolen)

    with pytest.raises(InvalidRefreshToken):
        await world.refresh(stolen)

    with pytest.raises(InvalidRefreshToken):
        await world.refresh(current)
    assert await world.refresh(elsewhere)


async def test_of_many_refreshes_with_one_token_at_most_one_succeeds(world) -> None:
    await world.sign_up()
    session = await world.sign_in()

    outcomes = await asyncio.gather(
        *(world.refresh(session) for _ in range(20)), return_exceptions=True
    )

    won = [outcome for outcome in outcomes if isinstance(outcome, Session)]
    assert len(won) == 1
    assert sum(isinstance(outcome, InvalidRefreshToken) for outcome in outcomes) == 19
    with pytest.raises(InvalidRefreshToken):
        await world.refresh(won[0])


async def test_a_session_unused_for_too_long_is_over(world) -> None:
    await world.sign_up()
    session = await world.sign_in()
    world.clock.advance(30 * DAY_S - 1)
    renewed = await world.refresh(session)
    world.clock.advance(30 * DAY_S)

    with pytest.raises(InvalidRefreshToken):
        await world.refresh(renewed)


async def test_a_session_ends_after_half_a_year_however_busy(world) -> None:
    await world.sign_up()
    session = await world.sign_in()
    for _ in range(8):
        world.clock.advance(20 * DAY_S)
        session = await world.refresh(session)
    world.clock.advance(20 * DAY_S)

    with pytest.raises(InvalidRefreshToken):
        await world.refresh(session)


@pytest.mark.parametrize("text", ["x", ".", "a.b", "a.", ".b", "\u00e9.x", "a.b.c", "0" * 200])
async def test_what_is_no_refresh_token_is_refused(world, text) -> None:
    with pytest.raises(InvalidRefreshToken):
        await world.api.refresh(RefreshToken(refresh_token=text))
    await world.api.sign_out(RefreshToken(refresh_token=text))


async def test_signing_out_ends_this_session_only_and_may_be_repeated(world) -> None:
    await world.sign_up()
    here, elsewhere = await world.sign_in(), await world.sign_in()

    for _ in range(2):
        await world.api.sign_out(RefreshToken(refresh_token=here.refresh_token))

    with pytest.raises(InvalidRefreshToken):
        await world.refresh(here)
    assert await world.refresh(elsewhere)


async def test_an_account_holds_a_bounded_number_of_sessions(world) -> None:
    await world.sign_up()
    oldest = newest = await world.sign_in()
    for _ in range(SESSIONS_PER_ACCOUNT_MAX):
        world.clock.advance(1)
        newest = await world.sign_in()

    assert await world.rows("SELECT count(*) FROM session") == [(SESSIONS_PER_ACCOUNT_MAX,)]
    assert await world.refresh(newest)
    with pytest.raises(InvalidRefreshToken):
        await world.refresh(oldest)


async def test_no_secret_is_stored_or_logged(world, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    await world.sign_up()
    session = await world.refresh(await world.sign_in())
    await fail(world, 1, "nobody@example.test")

    stored = str([await world.rows(f"SELECT * FROM {t}") for t in ("session", "sign_in_attempt")])
    secret = session.refresh_token.partition(".")[2]
    assert secret not in stored
    assert "example.test" not in stored
    for private in (secret, session.access_token, "correct horse", "example.test"):
        assert private not in caplog.text


async def test_what_has_expired_is_swept_away(world) -> None:
    await world.sign_up()
    await world.sign_in()
    await fail(world, 1)
    sweep = world.assembly.alarms[1]

    await world.serve(sweep)
    assert await world.rows("SELECT count(*) FROM session") == [(1,)]
    world.clock.advance(SESSION_IDLE_MS / 1000)
    await world.serve(sweep)

    assert await world.rows("SELECT * FROM session") == []
    assert await world.rows("SELECT * FROM sign_in_attempt") == []
