"""What the documents name exists: files, folders, make targets; and ADRs have their parts."""

import re

import pytest

from tests.architecture.tree import ROOT

DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "bench/**/*.md") for path in ROOT.glob(pattern)
)
ADRS = sorted((ROOT / "docs/adr").glob("*.md"))
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
PATH = re.compile(r"`((?:src|docs|tests|bench|contracts|requirements)/[\w./-]*)`")
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)(?=`|\s{2,}|$)", re.MULTILINE)
PARTS = ["Context.", "Decision.", "Consequences.", "Alternatives.", "Where."]


def broken_links(text: str, folder) -> list[str]:
    """Relative links that lead nowhere."""
    return [link for link in LINK.findall(text) if not (folder / link).exists()]


def missing_paths(text: str) -> list[str]:
    """Paths of the checkout, in code spans, that do not exist."""
    return [
        path for path in PATH.findall(text) if "NAME" not in path and not (ROOT / path).exists()
    ]


def unknown_targets(text: str) -> list[str]:
    """`make` words that the Makefile does not know."""
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    return [target for target in TARGET.findall(text) if target not in known]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_names_exists(document):
    text = document.read_text()

    assert broken_links(text, document.parent) == []
    assert missing_paths(text) == []
    assert unknown_targets(text) == []


@pytest.mark.parametrize("adr", ADRS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_with_all_its_parts(adr):
    text = adr.read_text()

    assert all(f"**{part}**" in text for part in PARTS)
    assert len(text.splitlines()) <= 60
    assert text.startswith(f"# {adr.stem[:4]}: ")


def test_what_does_not_exist_is_noticed():
    assert broken_links("[x](docs/none.md)", ROOT) == ["docs/none.md"]
    assert missing_paths("in `src/emporion/none.py`") == ["src/emporion/none.py"]
    assert unknown_targets("`make coffee`") == ["coffee"]


def test_decisions_are_numbered_without_a_gap():
    assert [adr.stem[:4] for adr in ADRS] == [f"{number:04d}" for number in range(1, len(ADRS) + 1)]
