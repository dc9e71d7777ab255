"""The index keeps its word: each defect has a test, each test a plant, each plant still fits."""

import ast
import re
import shutil
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.defects.plant import SUBJECT, DoesNotApply, Edit, Plant, plant
from tests.defects.planted import ASSERTED, PACKAGE, main, try_all
from tests.defects.plants import PLANTS

HERE = Path(__file__).parent
DEFECTS = range(1, 19)
PITFALLS = (1, 2, 3, 4, 6, 7, 8, 9, 10)
"""Pitfall 5 is about two engines: it comes with the second one."""
DOCUMENT = ROOT / "docs/defects.md"
IN_A_ROW = re.compile(r"`(test_\w+\.py)::(test_\w+)(?:\[[\w ]+\])?`")
SEEN_TO_FAIL = re.compile(r"^\| \w+ \d+ \| (.+?) \| `(\S.+?)` \| `(.+)` \|$", re.MULTILINE)
CAUGHT = plant(
    "a plant that is caught",
    "test_stock.py::test_defect_07_two_lines_naming_one_item_are_checked_together",
    *next(each.edits for each in PLANTS if each.subject == ("defect", 7)),
)
HARMLESS = plant(
    "a change that harms nobody",
    "test_stock.py::test_defect_07_two_lines_naming_one_item_are_checked_together",
    Edit(
        "services/inventory/domain.py",
        """
-        totals[sku] = totals.get(sku, 0) + quantity
+        totals[sku] = quantity + totals.get(sku, 0)
""",
    ),
)
BROKEN = plant(
    "code that cannot be imported",
    "test_stock.py::test_defect_07_two_lines_naming_one_item_are_checked_together",
    Edit(
        "services/inventory/domain.py",
        """
-        totals[sku] = totals.get(sku, 0) + quantity
+        totals[sku] = = quantity
""",
    ),
)
OUTGROWN = plant(
    "a change of code that is gone",
    "test_stock.py::test_defect_07_two_lines_naming_one_item_are_checked_together",
    Edit("services/inventory/domain.py", "-    this line was never there\n"),
)


def named_tests() -> set[str]:
    """`file.py::test_defect_...` of every test here that is named after a defect or pitfall."""
    return {
        f"{path.name}::{node.name}"
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and SUBJECT.search(f"::{node.name}")
    }


def subject_of(test: str) -> tuple[str, int]:
    return Plant("", test, ()).subject


@pytest.mark.parametrize("each", PLANTS, ids=lambda each: each.what)
def test_a_plant_still_fits_the_code(each, tmp_path):
    for file in {edit.file for edit in each.edits}:
        copy = tmp_path / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / PACKAGE / file, copy)

    each.apply(tmp_path)

    for edit in each.edits:
        ast.parse((tmp_path / edit.file).read_text())


def test_pitfall_08_every_defect_and_pitfall_has_a_test_and_every_test_a_plant():
    tests = named_tests()
    planted = {each.test.partition("[")[0] for each in PLANTS}

    assert planted == tests - {THIS}
    assert {subject_of(test) for test in tests} == {
        *(("defect", number) for number in DEFECTS),
        *(("pitfall", number) for number in PITFALLS),
    }


THIS = "test_plants.py::test_pitfall_08_every_defect_and_pitfall_has_a_test_and_every_test_a_plant"
"""The one test without a plant: it fails itself when a test or a plant is added alone."""


def test_the_document_lists_every_test_and_none_that_is_gone():
    listed = {f"{file}::{name}" for file, name in IN_A_ROW.findall(DOCUMENT.read_text())}

    assert listed == named_tests()


def test_the_document_says_of_every_plant_how_it_was_caught():
    rows = SEEN_TO_FAIL.findall(DOCUMENT.read_text())

    told = sorted((what, test) for what, test, _ in rows)
    assert told == sorted((each.what, each.test) for each in PLANTS)
    assert [what for what, _, said in rows if not ASSERTED.match(said)] == []


def test_a_plant_that_has_been_outgrown_is_noticed(tmp_path):
    (tmp_path / "services/inventory").mkdir(parents=True)
    (tmp_path / OUTGROWN.edits[0].file).write_text("x = 1\n")

    with pytest.raises(DoesNotApply, match="stands there 0 times"):
        OUTGROWN.apply(tmp_path)


def test_a_number_that_nothing_has_is_an_error(capsys):
    assert main(["--only", "77"]) == 1
    assert "0 of 0" in capsys.readouterr().out


@pytest.mark.system
def test_only_a_failed_assertion_counts_as_caught():
    results = {each.plant: each for each in try_all([CAUGHT, HARMLESS, BROKEN, OUTGROWN])}

    assert {each.what: result.is_caught for each, result in results.items()} == {
        CAUGHT.what: True,
        HARMLESS.what: False,
        BROKEN.what: False,
        OUTGROWN.what: False,
    }
    assert results[HARMLESS].said == "the test passes"
    assert "SyntaxError" in results[BROKEN].said
    assert results[OUTGROWN].said.startswith("does not apply")
