"""The glossary gives each word one meaning, and the words it bans are not used."""

import re

import pytest

from tests.architecture.tree import ROOT

GLOSSARY = (ROOT / "docs/glossary.md").read_text()
USED, _, BANNED = GLOSSARY.partition("## Not used")
ROW = re.compile(r"^\| (.+?) \| (.+?) \|$", re.MULTILINE)
TEXTS = ("*.md", "docs/**/*.md", "src/**/*.py", "src/**/*.sql", "src/**/*.yaml", "bench/**/*.py")


def words(table: str) -> list[str]:
    """The first column of the tables of this part."""
    return [word for word, _ in ROW.findall(table) if word != "Word"]


def uses(text: str, word: str) -> list[str]:
    """The lines that use a word, in singular or plural."""
    pattern = re.compile(rf"\b{re.escape(word)}s?\b", re.IGNORECASE)
    return [line for line in text.splitlines() if pattern.search(line)]


def test_every_word_has_one_meaning():
    listed = [word.lower() for row in words(USED) for word in row.split(", ")]

    assert len(listed) > 50
    assert sorted(listed) == sorted(set(listed))


def test_no_banned_word_is_recommended():
    assert not {word.lower() for word in words(USED)} & {word.lower() for word in words(BANNED)}


@pytest.mark.parametrize("word", words(BANNED))
def test_a_banned_word_is_not_used(word):
    paths = sorted({path for pattern in TEXTS for path in ROOT.glob(pattern)})
    names = {path.relative_to(ROOT).as_posix(): path for path in paths}
    quoting = ("docs/glossary.md", "docs/style.md", "docs/adr/")

    found = [
        f"{name}: {line.strip()}"
        for name, path in names.items()
        if not name.startswith(quoting)
        for line in uses(path.read_text(), word)
    ]

    assert found == []


@pytest.mark.parametrize("word", words(BANNED))
def test_a_planted_word_is_noticed(word):
    assert uses(f"Here stands a {word.upper()}.\n", word)
