"""Money adds up exactly, and refuses to be anything else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.errors import InvalidArgument
from emporion.kernel.money import (
    AMOUNT_MINOR_MAX,
    MINOR_DIGITS,
    AmountOutOfRange,
    CurrencyMismatch,
    Money,
    UnknownCurrency,
    parse_amount_minor,
)

currencies = st.sampled_from(sorted(MINOR_DIGITS))
amounts = st.integers(-(10**9), 10**9)


@given(amounts, amounts, currencies)
def test_a_sum_can_be_taken_apart_again(a: int, b: int, currency: str) -> None:
    total = Money(a, currency) + Money(b, currency)
    assert total - Money(b, currency) == Money(a, currency)


@given(st.integers(0, 10**6), st.integers(0, 10_000), currencies)
def test_times_is_repeated_addition(amount: int, quantity: int, currency: str) -> None:
    assert Money(amount, currency).times(quantity).amount_minor == amount * quantity


@given(st.integers(0, AMOUNT_MINOR_MAX), currencies)
def test_what_is_written_is_read_back(amount: int, currency: str) -> None:
    text, _, code = str(Money(amount, currency)).partition(" ")
    assert parse_amount_minor(text, code) == amount


@given(amounts, currencies)
def test_json_keeps_every_cent(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert msgspec.json.decode(msgspec.json.encode(money), type=Money) == money


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1, "EUR") + Money(1, "JPY")


@pytest.mark.parametrize("currency", ["", "eur", "XXX", "EURO", "€"])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(UnknownCurrency):
        Money(1, currency)


def test_an_amount_out_of_range_is_a_refusal_not_a_fault() -> None:
    with pytest.raises(AmountOutOfRange) as refused:
        Money(AMOUNT_MINOR_MAX, "EUR").times(2)
    assert isinstance(refused.value, InvalidArgument)


def test_a_decoder_says_where_the_money_is_wrong() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"unknown currency.*\$\[0\]"):
        msgspec.json.decode(b'[{"amount_minor":1,"currency":"XXX"}]', type=list[Money])


@pytest.mark.parametrize("text", ["", "1,5", "-1", "1.", ".5", "1e3", "1.234", "٣", "nan", " "])
def test_what_is_no_amount_is_refused(text: str) -> None:
    try:
        amount = parse_amount_minor(text, "EUR")
    except ValueError:
        return
    assert amount >= 0
    assert text == "1.", "a bare point says nothing wrong"


def test_the_yen_has_no_digits_after_the_point_and_the_dinar_three() -> None:
    assert str(Money(1200, "JPY")) == "1200 JPY"
    assert str(Money(-1200, "KWD")) == "-1.200 KWD"
    with pytest.raises(ValueError, match="more than 0 digits"):
        parse_amount_minor("1.5", "JPY")
