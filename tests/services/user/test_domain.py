"""The rules of accounts, without anything around them."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.errors import InvalidArgument
from emporion.kernel.ids import UserId
from emporion.services.user.domain import (
    DAY_MS,
    DELAY_S_MAX,
    FORGET_FAILURES_MS,
    FREE_FAILURES,
    SCOPES,
    SESSION_AGE_MS_MAX,
    SESSION_IDLE_MS,
    Attempts,
    EmailAddress,
    RefreshSecret,
    Role,
    Session,
    chosen_password,
    delay_s,
    display_name,
    typed_password,
)

_LOCAL = st.text(string.ascii_letters + string.digits + ".+-_", min_size=1, max_size=30)
_DOMAIN = st.text(string.ascii_letters + "-.", min_size=1, max_size=30)
_INSTANT = st.integers(0, 4 * DAY_MS)


@given(_LOCAL, _DOMAIN)
def test_however_an_address_is_typed_it_is_one_account(local: str, domain: str) -> None:
    written = EmailAddress.parse(f"  {local}@{domain} ")

    assert EmailAddress.parse(f"{local}@{domain}".upper()).key == written.key
    assert EmailAddress.parse(written.text) == written
    assert written.text == f"{local}@{domain.casefold()}"


@given(st.text(max_size=20))
def test_no_text_makes_an_address_that_could_break_out_of_a_mail_header(text: str) -> None:
    try:
        address = EmailAddress.parse(text)
    except InvalidArgument:
        return
    assert not set(address.text) & set(' \r\n\t\0,;<>"')


@pytest.mark.parametrize(
    "text", ["", "a", "@b", "a@", "a b@c", "a@b\r\nBcc: c@d", "a@" + "b" * 300]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        EmailAddress.parse(text)


@pytest.mark.parametrize("text", ["", "   ", "x" * 201, "Ada\r\nBcc: eve@example.test", "a\x00b"])
def test_a_name_that_is_not_printable_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        display_name(text)


def test_a_password_is_the_same_on_every_keyboard() -> None:
    assert chosen_password("pa\u030ass\ufb01word-") == typed_password("p\u00e5ssfiword-")


@pytest.mark.parametrize("length", [0, 9, 201])
def test_a_password_of_the_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidArgument):
        chosen_password("x" * length)


def test_an_operator_may_all_that_a_customer_may() -> None:
    assert set(SCOPES[Role.CUSTOMER]) == {"profile", "orders:read", "orders:write"}
    assert set(SCOPES[Role.OPERATOR]) > set(SCOPES[Role.CUSTOMER])


def test_no_role_grants_what_only_services_have() -> None:
    assert not any("internal" in scopes for scopes in SCOPES.values())


@given(st.lists(st.integers(0, SESSION_IDLE_MS - 1), max_size=30))
def test_a_session_accepts_only_its_last_token_and_not_for_ever(pauses_ms: list[int]) -> None:
    issued = [RefreshSecret("s", "secret-0")]
    session = Session.start(UserId("usr_1"), issued[0], now_ms=0)
    now_ms = 0
    for number, pause_ms in enumerate(pauses_ms, 1):
        now_ms += pause_ms
        if not session.accepts(issued[-1], now_ms):
            assert now_ms >= SESSION_AGE_MS_MAX
            return
        issued.append(RefreshSecret("s", f"secret-{number}"))
        session = session.rotate(issued[-1], now_ms)
        assert not any(session.accepts(spent, now_ms) for spent in issued[:-1])
        assert session.expires_at_ms <= SESSION_AGE_MS_MAX


@given(st.text(max_size=250))
def test_any_text_is_a_refresh_token_taken_apart_or_none(text: str) -> None:
    parsed = RefreshSecret.parse(text)

    assert parsed is None or parsed.text == text


def test_a_refresh_token_shows_nothing_of_its_secret() -> None:
    assert "hidden" not in repr(RefreshSecret("s", "hidden"))


@given(st.integers(1, 10_000))
def test_the_pause_grows_with_the_failures_up_to_a_bound(failures: int) -> None:
    assert 0 <= delay_s(failures) <= delay_s(failures + 1) <= DELAY_S_MAX
    assert (delay_s(failures) == 0) == (failures < FREE_FAILURES)


@given(st.lists(_INSTANT, max_size=40).map(sorted))
def test_whatever_the_rhythm_of_guesses_few_are_looked_at(instants_ms: list[int]) -> None:
    attempts, looked_at = Attempts(), []
    for now_ms in instants_ms:
        if attempts.wait_s(now_ms) == 0:
            attempts = attempts.another(now_ms)
            looked_at.append(now_ms)
    for first, last in zip(looked_at, looked_at[FREE_FAILURES:], strict=False):
        assert last - first >= 1_000


def test_failures_are_forgotten_after_a_day_without_any() -> None:
    attempts = Attempts()
    for _ in range(20):
        attempts = attempts.another(0)

    assert attempts.another(FORGET_FAILURES_MS - 1).failures == 21
    assert attempts.another(FORGET_FAILURES_MS).failures == 1
