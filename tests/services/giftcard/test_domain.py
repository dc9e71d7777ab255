"""The rules of gift cards: codes are read as people write them, and guesses become slow."""

import re

from hypothesis import given
from hypothesis import strategies as st

from emporion.services.giftcard.domain import (
    FORGET_GUESSES_MS,
    FREE_GUESSES,
    PAUSE_S_MAX,
    CodeKey,
    Guesses,
    is_same,
    name_of,
    new_code,
    normal_code,
    shown,
)

CODES = st.text().map(new_code)
FORM = re.compile(r"[0-9A-HJKMNP-TV-Z]{20}")


@given(CODES)
def test_a_code_is_twenty_characters_that_nobody_mistakes(code):
    assert FORM.fullmatch(code)
    assert normal_code(code) == code


@given(CODES)
def test_a_code_is_the_same_however_it_is_typed(code):
    sloppy = shown(code).lower().replace("0", "o").replace("1", "l").replace("-", " ")

    assert normal_code(sloppy) == code
    assert normal_code(shown(code).replace("1", "I").replace("0", "O")) == code


@given(st.text(), st.text())
def test_codes_of_two_secrets_differ(one, other):
    assert (new_code(one) == new_code(other)) == (one == other)


@given(CODES, st.text(min_size=1), st.text(min_size=1))
def test_a_hash_depends_on_code_and_key(code, key, other):
    hashed = CodeKey(key).hash(code)

    assert is_same(hashed, CodeKey(key).hash(code))
    assert is_same(hashed, CodeKey(other).hash(code)) == (key == other)
    assert not is_same(hashed, CodeKey(key).hash(code[::-1] + "X"))
    assert name_of(hashed) in hashed
    assert code not in hashed


def test_a_key_that_is_empty_is_none():
    assert not CodeKey("").is_set
    assert CodeKey("k").is_set


def test_the_first_guesses_are_free_and_then_each_waits_longer_up_to_a_limit():
    guesses, waits, now_ms = Guesses(), [], 0
    for _ in range(20):
        guesses = guesses.another(now_ms)
        waits.append(guesses.wait_s(now_ms))
        now_ms += waits[-1] * 1_000
        assert guesses.wait_s(now_ms) == 0

    assert waits[: FREE_GUESSES - 1] == [0] * (FREE_GUESSES - 1)
    assert waits[FREE_GUESSES - 1 : FREE_GUESSES + 3] == [1, 2, 4, 8]
    assert waits[-1] == PAUSE_S_MAX


def test_guesses_are_forgotten_after_a_day():
    guesses = Guesses()
    for _ in range(30):
        guesses = guesses.another(0)

    assert guesses.another(FORGET_GUESSES_MS).wait_s(FORGET_GUESSES_MS) == 0
    assert guesses.another(FORGET_GUESSES_MS - 1).wait_s(FORGET_GUESSES_MS - 1) == PAUSE_S_MAX
