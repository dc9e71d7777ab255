"""The tree keeps every rule of the catalogue, and every rule catches its planted violations."""

import pytest

from tests.architecture.catalogue import RULES
from tests.architecture.rule import Planted, Rule
from tests.architecture.tree import ROOT, Tree

CAUGHT = [
    pytest.param(rule, planted, id=f"{rule}-{number}")
    for rule in RULES
    for number, planted in enumerate(rule.planted)
]
KEPT = [
    pytest.param(rule, planted, id=f"{rule}-{number}")
    for rule in RULES
    for number, planted in enumerate(rule.kept)
]


@pytest.fixture(scope="module")
def checkout():
    return Tree(ROOT)


def plant(root, planted: Planted) -> Tree:
    """A tree of this file alone; further files follow in it as NUL path NUL text."""
    parts = [planted.path, *planted.text.split("\0")]
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if name.startswith("src/emporion/services/"):
            service = root.joinpath(*name.split("/")[:4])
            (service / "__init__.py").write_text('"""A planted service."""\n')
    return Tree(root)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_tree_keeps_the_rule(rule: Rule, checkout: Tree):
    assert [str(violation) for violation in rule.check(checkout)] == []


@pytest.mark.parametrize(("rule", "planted"), CAUGHT)
def test_a_planted_violation_is_caught(rule: Rule, planted: Planted, tmp_path):
    assert list(rule.check(plant(tmp_path, planted)))


@pytest.mark.parametrize(("rule", "planted"), KEPT)
def test_what_is_right_is_let_through(rule: Rule, planted: Planted, tmp_path):
    assert [str(violation) for violation in rule.check(plant(tmp_path, planted))] == []


def test_every_rule_has_a_name_of_its_own_and_a_planted_violation():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert [rule.name for rule in RULES if not rule.planted] == []
