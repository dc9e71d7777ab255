"""docs/style.md lists exactly the rules that are executed; each tool is tried on a violation."""

import re
import subprocess
import sys
import tomllib

import pytest

from tests.architecture import test_contracts
from tests.architecture.catalogue import RULES
from tests.architecture.tree import ROOT

ROW = re.compile(r"^\| (?P<says>.+?) \| (?P<tool>[a-z-]+) (?P<check>\S+) \|$", re.MULTILINE)
ROWS = [match.groupdict() for match in ROW.finditer((ROOT / "docs/style.md").read_text())]
RUFF_PLANTED = {
    "BLE001": "try:\n    x = 1\nexcept Exception:\n    x = 2\n",
    "C901": "def f(x):\n" + "".join(f"    if x == {n}:\n        x += 1\n" for n in range(11)),
    "D103": "def work() -> None:\n    print()\n",
    "E501": f"x = '{'x' * 100}'\n",
    "FBT001": "def f(now: bool) -> None: ...\n",
    "PGH004": "import os  # noqa\n",
    "PLR0913": "def f(a: int, *, b: int, c: int, d: int, e: int, g: int) -> None: ...\n",
    "PLR0917": "def f(a: int, b: int, c: int, d: int) -> None: ...\n",
}
MYPY_PLANTED = """
import asyncio
from enum import Enum
from typing_extensions import deprecated

class Light(Enum):
    RED = 1
    GREEN = 2

class Lamp:
    pass

@deprecated("use the sun")
def old() -> int:
    return 1

async def work() -> int:
    return 1

def untyped(x):
    return x

async def wrong(light: Light, lamp: Lamp, *, flag: bool) -> int:
    asyncio.ensure_future(work())
    match light:
        case Light.RED:
            bound = 1
    old()
    if lamp:
        return bound
    if isinstance(flag, bool) and flag:
        return 2
    x: int = "3"  # type: ignore
    return x
"""


def checks_of(tool: str) -> set[str]:
    """What the document says this tool checks."""
    return {row["check"] for row in ROWS if row["tool"] == tool}


def test_every_row_names_a_tool_that_exists():
    lines = (ROOT / "docs/style.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| Rule ")]

    assert len(rows) == len(ROWS)
    assert {row["tool"] for row in ROWS} == {"contract", "import-linter", "mypy", "rule", "ruff"}


def test_the_document_lists_every_rule_in_its_own_words():
    assert {row["check"]: row["says"] for row in ROWS if row["tool"] == "rule"} == {
        rule.name: rule.says for rule in RULES
    }


def test_the_document_lists_every_import_contract():
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = configured["tool"]["importlinter"]["contracts"]

    assert checks_of("import-linter") == {contract["id"] for contract in contracts}


def test_the_document_lists_every_check_of_contracts():
    tried = {check.__name__ for check, _ in test_contracts.WRONG} | {
        "keyless_events",
        "outside_the_tree",
        "shared_events",
        "shared_slugs",
        "wordless_messages",
    }

    assert checks_of("contract") == tried


def test_the_document_lists_the_lint_rules_that_are_planted_here():
    assert checks_of("ruff") == set(RUFF_PLANTED)


@pytest.mark.parametrize("code", sorted(RUFF_PLANTED))
def test_a_planted_violation_is_caught_by_the_linter(code):
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise"]
    checked = subprocess.run(
        [*ruff, "--stdin-filename", "src/emporion/web/planted.py", "-"],
        cwd=ROOT,
        input=f'"""A planted module."""\n\n{RUFF_PLANTED[code]}',
        capture_output=True,
        text=True,
        check=False,
    )

    assert f" {code} " in checked.stdout


def test_planted_violations_are_caught_by_the_type_checker(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text(MYPY_PLANTED)
    mypy = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-error-summary"]
    checked = subprocess.run(
        [*mypy, "--cache-dir", str(tmp_path / "cache"), str(planted)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    codes = set(re.findall(r"\[([a-z-]+)\]$", checked.stdout, re.MULTILINE))

    assert checks_of("mypy") <= codes, checked.stdout + checked.stderr
