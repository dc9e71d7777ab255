"""Puts every defect back into a copy of the source and runs its test, which must fail.

    python -m tests.defects.planted            all, two at a time
    python -m tests.defects.planted --only 7   those of defect 7 and pitfall 7
    python -m tests.defects.planted --write    all, and what they said into docs/defects.md

Exit code 1 when a test passes with its defect planted, when it fails otherwise than by an
assertion, or when a plant does not fit the code any more.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.defects.plant import DoesNotApply, Plant
from tests.defects.plants import PLANTS

ROOT = Path(__file__).parents[2]
PACKAGE = Path("src/emporion")
PLANTED_SOURCE = "EMPORION_PLANTED_SOURCE"
TEST_TIMEOUT_S = 120
SAID_LENGTH_MAX = 90
DOCUMENT = ROOT / "docs/defects.md"
HEADING = "## Seen to fail"
TABLE = """
Written by `python -m tests.defects.planted --write`: each defect put back into a copy of the
source, the test that failed then, and the first line of what it said.

| # | Put back | Test | It said |
|---|---|---|---|
"""
ASSERTED = re.compile(r"assert |AssertionError|Failed: DID NOT RAISE")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a plant: whether its test failed by an assertion, and what it said."""

    plant: Plant
    is_caught: bool
    said: str


class Copies:
    """Copies of the source, as many as are planted at once; each is mended after use."""

    def __init__(self, folder: Path, number: int) -> None:
        self._free: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for each in range(number):
            source = folder / f"source-{each}"
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / PACKAGE, source / PACKAGE.name, ignore=ignored)
            self._free.put(source)

    @contextmanager
    def planted(self, plant: Plant) -> Iterator[Path]:
        """A folder with the package and the defect in it. Raises DoesNotApply."""
        source = self._free.get()
        try:
            plant.apply(source / PACKAGE.name)
            _forget_compiled(source, plant)
            yield source
        finally:
            for edit in plant.edits:
                shutil.copy(ROOT / PACKAGE / edit.file, source / PACKAGE.name / edit.file)
            _forget_compiled(source, plant)
            self._free.put(source)


def try_all(plants: Sequence[Plant], *, at_once: int = 2) -> Iterator[Result]:
    """Plant each and run its test, in the order given."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as threads:
        copies = Copies(Path(folder), at_once)
        yield from threads.map(lambda plant: _try(plant, copies, Path(folder)), plants)


def _try(plant: Plant, copies: Copies, folder: Path) -> Result:
    try:
        with copies.planted(plant) as source:
            return _judged(plant, *_run(plant, source, folder / f"{source.name}.xml"))
    except DoesNotApply as error:
        return Result(plant, is_caught=False, said=f"does not apply: {error}")


def _run(plant: Plant, source: Path, report: Path) -> tuple[str, Path]:
    """Run the plant's test on the code in `source`; what was printed, and the report."""
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        [*command, f"--junitxml={report}", f"tests/defects/{plant.test}"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(source),
            "PYTHONDONTWRITEBYTECODE": "",  # or every run compiles everything anew
            PLANTED_SOURCE: str(source),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=TEST_TIMEOUT_S,
    )
    return done.stdout + done.stderr, report


def _judged(plant: Plant, printed: str, report: Path) -> Result:
    """Only a failed assertion counts: an error proves nothing but that the plant is broken."""
    if not report.exists():
        return Result(plant, is_caught=False, said=f"no report: {printed[-SAID_LENGTH_MAX:]}")
    tree = ET.parse(report)  # noqa: S314 - written by pytest a moment ago
    failures = [each.get("message", "") for each in tree.iter("failure")]
    errors = [each.get("message", "") for each in tree.iter("error")]
    if not failures and not errors:
        return Result(plant, is_caught=False, said="the test passes")
    said = (errors or failures)[0]
    asserted = ASSERTED.match(said) is not None and not errors
    first_line = said.partition("\n")[0].removeprefix("AssertionError: ")
    return Result(
        plant, asserted, textwrap.shorten(first_line, SAID_LENGTH_MAX, placeholder=" ...")
    )


def _forget_compiled(source: Path, plant: Plant) -> None:
    """Two versions of a file within a second and of one size look the same to Python."""
    for edit in plant.edits:
        path = source / PACKAGE.name / edit.file
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


def write(results: Sequence[Result]) -> None:
    """Put the results at the end of the document, in place of the last ones."""
    text = DOCUMENT.read_text().partition(HEADING)[0]
    rows = [
        f"| {kind} {number} | {each.plant.what} | `{each.plant.test}` | {_quoted(each.said)} |\n"
        for each in results
        for kind, number in [each.plant.subject]
    ]
    DOCUMENT.write_text(f"{text}{HEADING}\n{TABLE}{''.join(rows)}")


def _quoted(said: str) -> str:
    return "`" + said.replace("|", "/").replace("`", "'") + "`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each plant as it is tried; 1 when one was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.defects.planted", description=__doc__)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="of the defect or pitfall")
    parser.add_argument("--write", action="store_true", help="the results into docs/defects.md")
    chosen = parser.parse_args(arguments)
    plants = [each for each in PLANTS if chosen.only in {None, each.subject[1]}]
    results = []
    for result in try_all(plants) if plants else ():
        results.append(result)
        kind, number = result.plant.subject
        verdict = "caught" if result.is_caught else "MISSED"
        sys.stdout.write(f"{verdict}  {kind} {number:2d}  {result.plant.what}: {result.said}\n")
        sys.stdout.flush()
    caught = sum(each.is_caught for each in results)
    sys.stdout.write(f"{caught} of {len(plants)} planted defects were caught\n")
    if chosen.write and plants == list(PLANTS):
        write(results)
    return 0 if plants and caught == len(plants) else 1


if __name__ == "__main__":
    sys.exit(main())
