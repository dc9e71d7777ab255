"""Secrets and card data are refused at the source, by the names of their fields."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.chassis.telemetry.forbidden import (
    WORDS,
    FieldGuard,
    ForbiddenField,
    forbidden_word,
)

FORBIDDEN = (
    "password", "PASSWORD", "newPassword", "user_password_hash", "token", "payment_token",
    "accessToken", "authorization", "Authorization", "card", "cardNumber", "card-number", "cvv",
    "CVV2", "client_secret", "x-api-key", "apiKey", "private_key", "set-cookie", "pan", "iban",
)  # fmt: skip
HARMLESS = (
    "order_id", "trace_id", "sku", "discarded", "wildcard", "span", "company", "author", "pinned",
    "idempotency_key", "key", "duration_s", "amount_minor", "cookies_sold", "expansion",
)  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_name_that_smells_of_a_secret_is_refused(name: str) -> None:
    assert forbidden_word(name) is not None


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_name_is_not(name: str) -> None:
    assert forbidden_word(name) is None


@given(
    st.sampled_from(sorted(WORDS)),
    st.sampled_from(["{}", "my_{}", "{}_of_user", "the-{}", "my.{}.x", "{}2", "x_{}_3"]),
)
def test_however_it_is_dressed(word: str, dress: str) -> None:
    for spelt in (word, word.upper(), word.capitalize()):
        assert forbidden_word(dress.format(spelt)) is not None


def test_in_tests_a_forbidden_field_raises() -> None:
    with pytest.raises(ForbiddenField, match="payment_token"):
        FieldGuard(is_strict=True).allowed({"order_id": "ord_1", "payment_token": "tok_ok"})


def test_in_production_it_is_dropped_counted_and_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = FieldGuard(is_strict=False)

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            kept = guard.allowed({"order_id": "ord_1", "payment_token": "tok_ok"})
            assert kept == {"order_id": "ord_1"}

    assert guard.refused["token"] == 3
    assert caplog.text.count("payment_token") == 1
    assert "tok_ok" not in caplog.text
