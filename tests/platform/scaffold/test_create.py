"""A new service passes every check of the house before anybody has touched it."""

import os
import shutil
import subprocess
import sys

import pytest

from emporion.platform.scaffold.create import (
    NoCheckout,
    ServiceExists,
    UnusableName,
    create_service,
)
from tests.architecture.catalogue import RULES
from tests.architecture.tree import ROOT, Tree

NAME = "loyalty"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout with a new service in it."""
    root = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", root)
    if (ROOT / ".mypy_cache").exists():  # only the new files are checked then: quick
        shutil.copytree(ROOT / ".mypy_cache", root / ".mypy_cache")
    return root


@pytest.fixture(scope="module")
def created(checkout):
    """The new files."""
    return create_service(checkout, NAME)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A new service beside the chassis's tables and nothing else, as the rules see it."""
    root = tmp_path_factory.mktemp("tree")
    tables = "src/emporion/chassis/data/migrations/sqlite"
    shutil.copytree(ROOT / tables, root / tables)
    (root / "src/emporion/services").mkdir()
    create_service(root, NAME)
    return Tree(root)


def run(root, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment over the copy, whose source comes first on the path."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_service_passes_the_linter_and_the_formatter(checkout, created):
    paths = [str(path) for path in created if path.suffix == ".py"]

    linted = run(checkout, "-m", "ruff", "check", "--no-cache", *paths)
    formatted = run(checkout, "-m", "ruff", "format", "--no-cache", "--check", *paths)

    assert linted.returncode == 0, linted.stdout
    assert formatted.returncode == 0, formatted.stdout


@pytest.mark.parametrize("name", ["tax", "loyaltyprogram"])
def test_names_of_any_length_give_well_formatted_files(name, tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src/emporion/services").mkdir(parents=True)
    create_service(tmp_path, name)

    linted = run(tmp_path, "-m", "ruff", "check", "--no-cache", "--ignore", "INP001", ".")
    formatted = run(tmp_path, "-m", "ruff", "format", "--no-cache", "--check", ".")

    assert linted.returncode == 0, linted.stdout
    assert formatted.returncode == 0, formatted.stdout


def test_a_new_service_passes_the_type_checker(checkout, created):
    paths = [str(path) for path in created if path.suffix == ".py"]

    checked = run(checkout, "-m", "mypy", *paths)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_new_service_passes_the_import_contracts(checkout, created):
    assert created
    command = "from importlinter.cli import lint_imports_command as run; run()"
    for contract in ("service-layers", "independence", "domain", "engines"):
        checked = run(checkout, "-c", command, "--no-cache", "--contract", contract)

        assert NAME not in checked.stdout, checked.stdout


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_new_service_keeps_every_rule(rule, tree):
    assert [str(violation) for violation in rule.check(tree)] == []


def test_the_tests_of_a_new_service_pass(checkout, created):
    assert created
    tested = run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/services/{NAME}")

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_service_is_never_overwritten(checkout, created):
    before = {path: path.read_bytes() for path in created}

    with pytest.raises(ServiceExists):
        create_service(checkout, NAME)

    assert {path: path.read_bytes() for path in created} == before


@pytest.mark.parametrize("name", ["", "ab", "Gift", "gift-card", "gift_card", "1st", "x" * 15])
def test_a_name_that_is_not_one_short_word_is_refused(name, tmp_path):
    with pytest.raises(UnusableName):
        create_service(tmp_path, name)


@pytest.mark.parametrize("name", ["class", "utils", "common", "manager"])
def test_a_name_that_is_no_capability_is_refused(name, tmp_path):
    with pytest.raises(UnusableName):
        create_service(tmp_path, name)


def test_outside_of_a_checkout_nothing_is_written(tmp_path):
    with pytest.raises(NoCheckout):
        create_service(tmp_path, NAME)

    assert list(tmp_path.iterdir()) == []
