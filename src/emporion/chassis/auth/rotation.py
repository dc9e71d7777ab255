"""When signing keys take turns: published before they sign, and until their last token expired."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_HOUR_MS: Final = 3_600_000
KEY_LIFE_MS: Final = 30 * 24 * _HOUR_MS
"""How long one key signs."""
KEY_AHEAD_MS: Final = _HOUR_MS
"""A key is published this long before it signs, so that every verifier has it by then."""
KEY_OVERLAP_MS: Final = _HOUR_MS
"""A key is published this long after it last signed: longer than any token lives."""


@dataclass(frozen=True, slots=True)
class KeyTerm:
    """When a key's turn to sign begins; it ends when the next one's begins."""

    kid: str
    signs_from_ms: int


def signing_term(terms: Sequence[KeyTerm], now_ms: int) -> KeyTerm:
    """The term that signs now: the latest begun. `terms` in order of their beginning, 1..n."""
    begun = [term for term in terms if term.signs_from_ms <= now_ms]
    return begun[-1] if begun else terms[0]


def next_term_from_ms(terms: Sequence[KeyTerm], now_ms: int) -> int | None:
    """When a key that must be made now begins to sign; None: none is needed yet.

    The first key signs at once. One that comes late, after a long stop, is still published
    ahead: until then the old one goes on.
    """
    if not terms:
        return now_ms
    if now_ms < _next_due_ms(terms):
        return None
    return max(terms[-1].signs_from_ms + KEY_LIFE_MS, now_ms + KEY_AHEAD_MS)


def ended_terms(terms: Sequence[KeyTerm], now_ms: int) -> list[KeyTerm]:
    """Terms whose last token has expired: their keys can go."""
    return [
        term
        for term, successor in pairwise(terms)
        if successor.signs_from_ms + KEY_OVERLAP_MS <= now_ms
    ]


def next_change_ms(terms: Sequence[KeyTerm]) -> int:
    """When the set of keys changes next: one is due, or one has ended. `terms` not empty."""
    ends = [term.signs_from_ms + KEY_OVERLAP_MS for term in terms[1:]]
    return min([_next_due_ms(terms), *ends])


def _next_due_ms(terms: Sequence[KeyTerm]) -> int:
    return terms[-1].signs_from_ms + KEY_LIFE_MS - KEY_AHEAD_MS
