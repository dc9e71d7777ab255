"""Signing keys keep their secret, and take turns without a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.auth.rotation import (
    KEY_AHEAD_MS,
    KEY_LIFE_MS,
    KEY_OVERLAP_MS,
    KeyTerm,
    ended_terms,
    next_change_ms,
    next_term_from_ms,
    signing_term,
)
from emporion.chassis.auth.tokens import ACCESS_TTL_S
from emporion.chassis.auth.verifier import SKEW_MS

SECRET = "s" * 43


def test_a_stored_key_comes_back_as_the_same_key() -> None:
    key = SigningKey.from_secret(SECRET)

    again = SigningKey.from_stored(key.stored())

    assert (again.kid, again.public, again.stored()) == (key.kid, key.public, key.stored())


def test_a_key_shows_nothing_of_its_private_half() -> None:
    key = SigningKey.from_secret(SECRET)
    private = key.stored().partition('"d":"')[2].partition('"')[0]

    assert private
    assert private not in repr(key) + repr(key.public) + str(key)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"crv":"Ed25519","x":"AA","d":"AA","kid":"k"}'])
def test_a_damaged_key_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="a stored signing key cannot be read") as refusal:
        SigningKey.from_stored(text)
    assert refusal.value.__suppress_context__


def test_a_key_is_published_until_its_last_token_has_expired() -> None:
    assert ACCESS_TTL_S * 1000 + SKEW_MS < KEY_OVERLAP_MS


@given(st.lists(st.integers(1, KEY_LIFE_MS * 2), min_size=1, max_size=60))
def test_however_irregular_the_runs_a_published_key_signs_and_old_tokens_stay_good(
    pauses_ms: list[int],
) -> None:
    now_ms, last_signed_ms = 0, {"first": 0}
    terms: tuple[KeyTerm, ...] = (KeyTerm("first", 0),)
    for number, pause_ms in enumerate(pauses_ms):
        now_ms += pause_ms
        signing = signing_term(terms, now_ms)
        last_signed_ms[signing.kid] = now_ms
        starts_ms = next_term_from_ms(terms, now_ms)
        if starts_ms is not None:
            assert starts_ms >= now_ms + KEY_AHEAD_MS
            terms = (*terms, KeyTerm(str(number), starts_ms))
        for ended in ended_terms(terms, now_ms):
            assert last_signed_ms.get(ended.kid, 0) + ACCESS_TTL_S * 1000 < now_ms or (
                ended.kid not in last_signed_ms
            )
            terms = tuple(term for term in terms if term != ended)
        assert next_change_ms(terms) > now_ms
        assert len(terms) <= 3
