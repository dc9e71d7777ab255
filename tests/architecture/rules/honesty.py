"""Nothing is left out silently: no stubs, no skipped tests, no swallowed errors, no tall claims."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.rule import Planted, Rule
from tests.architecture.tree import Tree, Violation

# Joined from halves, so that this file does not break its own rule.
LEFT_OUT = re.compile(
    r"\b(?:TO" + r"DO|FIX" + r"ME|HA" + r"CK)\b|#.*\bXX" + r"X\b|\bNotImplemented" + r"Error\b"
    r"|pragma: no" + r" cover"
)
SKIPS = re.compile(r"\b(?:mark\.sk" + r"ip|mark\.xf" + r"ail|pytest\.(?:sk" + r"ip|xf" + r"ail))")
TALL_CLAIM = re.compile(r"exactly[- ]once[- ]+(?:delivery|semantics|processing)", re.IGNORECASE)
TEXTS = ("*.md", "src/**/*.py", "src/**/*.md", "docs/**/*.md", "tests/**/*.py", "bench/**/*.py")
QUOTES_THE_CLAIM = ("docs/glossary.md", "docs/style.md", "tests/architecture/")


def left_out(tree: Tree) -> Iterator[Violation]:
    """Marks of unfinished work."""
    for module in tree.modules:
        for number, line in enumerate(module.text.splitlines(), 1):
            if found := LEFT_OUT.search(line) or SKIPS.search(line):
                yield module.breaks(number, f"`{found[0]}`: finish it, or take it out")


def swallowed(tree: Tree) -> Iterator[Violation]:
    """Broad exceptions that are caught and then neither raised, logged nor used."""
    for module in tree.sources:
        for node in module.nodes:
            if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _is_used(node):
                yield module.breaks(node.lineno, "a broad exception is swallowed")


def _is_broad(node: ast.ExceptHandler) -> bool:
    named = ast.unparse(node.type) if node.type else "BaseException"
    return bool(re.search(r"\b(?:Base)?Exception\b", named))


def _is_used(node: ast.ExceptHandler) -> bool:
    for inner in ast.walk(ast.Module(node.body, [])):
        if isinstance(inner, ast.Raise):
            return True
        if isinstance(inner, ast.Name) and node.name == inner.id:
            return True
        if isinstance(inner, ast.Attribute) and inner.attr in {"exception", "handleError"}:
            return True
    return False


def tall_claims(tree: Tree) -> Iterator[Violation]:
    """The promise that no network can keep."""
    for path in sorted({path for pattern in TEXTS for path in tree.root.glob(pattern)}):
        yield from _claims_of(path, tree.name(path))


def _claims_of(path: Path, name: str) -> Iterator[Violation]:
    if name.startswith(QUOTES_THE_CLAIM):
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if TALL_CLAIM.search(line):
            yield Violation(name, number, "delivery is at-least-once; effects happen once")


_PLACE = "src/emporion/web/planted.py"
_TEST = "tests/test_planted.py"

RULES = (
    Rule(
        "nothing-left-out",
        "Source and tests contain no mark of unfinished work, no stub and no skipped test.",
        left_out,
        (
            Planted(_PLACE, "# TO" + "DO: later\n"),
            Planted(_PLACE, "raise NotImplemented" + "Error\n"),
            Planted(_PLACE, "x = 1  # pragma: no" + " cover\n"),
            Planted(_TEST, "@pytest.mark.sk" + "ip\n"),
            Planted(_TEST, "@pytest.mark.xf" + "ail(strict=True)\n"),
            Planted(_TEST, "pytest.sk" + "ip('no engine')\n"),
        ),
    ),
    Rule(
        "no-swallowed-error",
        "A broad `except` raises, logs the exception, or hands it on.",
        swallowed,
        (
            Planted(_PLACE, "try:\n    work()\nexcept Exception:\n    pass\n"),
            Planted(_PLACE, "try:\n    work()\nexcept:\n    x = 1\n"),
            Planted(_PLACE, "try:\n    work()\nexcept (OSError, BaseException):\n    x = 1\n"),
        ),
        kept=(
            Planted(_PLACE, "try:\n    work()\nexcept Exception as error:\n    keep(error)\n"),
            Planted(_PLACE, "try:\n    work()\nexcept Exception:\n    _log.exception('x')\n"),
            Planted(_PLACE, "try:\n    work()\nexcept BaseException:\n    raise\n"),
        ),
    ),
    Rule(
        "honest-words",
        "Nothing claims more than at-least-once delivery with effects once.",
        tall_claims,
        (
            Planted("README.md", "With exactly-once delivery!\n"),
            Planted(_PLACE, "# Exactly once semantics\n"),
            Planted("docs/guides/events.md", "exactly-once processing\n"),
        ),
        kept=(Planted("README.md", "at-least-once delivery, effects once\n"),),
    ),
)
