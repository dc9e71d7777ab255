"""Guides quote the source as it is today."""

from pathlib import Path

import pytest

from emporion.platform.docs.quotes import GUIDES, quoted

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("guide", sorted(path.name for path in (ROOT / GUIDES).glob("*.md")))
def test_a_guides_quotations_are_fresh(guide: str) -> None:
    text = (ROOT / GUIDES / guide).read_text("utf-8")
    assert quoted(text, ROOT) == text, "run: make docs"


def test_a_quotation_of_what_is_not_there_is_refused() -> None:
    mark = "<!-- code: kernel/money.py Money.vanish -->\n<!-- /code -->"
    with pytest.raises(LookupError, match=r"Money\.vanish"):
        quoted(mark, ROOT)


def test_a_stale_quotation_is_replaced() -> None:
    stale = "<!-- code: kernel/money.py Money.times -->\nold words\n<!-- /code -->"
    fresh = quoted(stale, ROOT)
    assert "old words" not in fresh
    assert "def times" in fresh
