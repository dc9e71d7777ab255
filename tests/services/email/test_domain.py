"""Pauses, ids, and figures as their reader writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.ids import MailId
from emporion.kernel.money import MINOR_DIGITS, Money
from emporion.services.email import domain


@given(st.integers(1, 10_000))
def test_pauses_grow_and_stay_under_four_hours(attempts: int):
    pause_ms = domain.pause_ms(attempts)

    assert 60_000 <= pause_ms <= domain.pause_ms(attempts + 1) <= 4 * 3_600_000


@given(st.integers(1, 2**63 - 1))
def test_a_mails_id_says_its_number(seq: int):
    assert domain.seq_of(domain.mail_id_of(seq)) == seq


def test_an_id_beyond_every_number_is_no_number_of_ours():
    assert domain.seq_of(MailId("mail_" + "f" * 32)) == 2**63 - 1


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(MINOR_DIGITS)))
def test_no_digit_of_an_amount_is_lost(amount_minor: int, currency: str):
    amount = Money(amount_minor, currency)
    for language in domain.LANGUAGES:
        text = domain.money_text(amount, language)
        digits = "".join(char for char in text if char.isdigit() or char == "-")
        assert int(digits) == amount_minor
        assert text.endswith(" " + currency)


@pytest.mark.parametrize(
    ("amount", "english", "german"),
    [
        (Money(123456789, "EUR"), "1,234,567.89 EUR", "1.234.567,89 EUR"),
        (Money(5, "EUR"), "0.05 EUR", "0,05 EUR"),
        (Money(1000, "JPY"), "1,000 JPY", "1.000 JPY"),
        (Money(-1234, "KWD"), "-1.234 KWD", "-1,234 KWD"),
    ],
)
def test_amounts_are_written_as_their_reader_writes_them(amount: Money, english: str, german: str):
    assert domain.money_text(amount, "en") == english
    assert domain.money_text(amount, "de") == german


@pytest.mark.parametrize(
    ("locale", "language"), [("en", "en"), ("de-AT", "de"), ("fr", "en"), ("fr-CA", "en")]
)
def test_a_language_we_do_not_write_is_english(locale: str, language: str):
    assert domain.language_of(locale) == language
