"""What a plant is: a defect put back by a few changed lines, and the test that must fail then."""

import re
from dataclasses import dataclass
from pathlib import Path

SUBJECT = re.compile(r"::test_(?P<kind>defect|pitfall)_(?P<number>\d\d)_")


class DoesNotApply(Exception):
    """The lines to change do not stand exactly once in their file: the code has moved on."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines of `file` (below src/emporion) as a difference.

    A line that begins with `-` is taken out, with `+` put in, with a space stands between them
    unchanged; an empty one is an empty line.
    """

    file: str
    difference: str

    @property
    def before(self) -> str:
        """The lines that must be there."""
        return self._side("-")

    @property
    def after(self) -> str:
        """The lines that are there then."""
        return self._side("+")

    def apply(self, package: Path) -> None:
        """Change the file below `package`. Raises DoesNotApply."""
        path = package / self.file
        text = path.read_text() if path.exists() else ""
        found = text.count(self.before)
        if found != 1:
            first = self.before.strip().partition("\n")[0]
            raise DoesNotApply(f"{self.file}: {first!r} stands there {found} times")
        path.write_text(text.replace(self.before, self.after))

    def _side(self, sign: str) -> str:
        lines = self.difference.strip("\n").split("\n")
        return "".join(f"{line[1:]}\n" for line in lines if line[:1] in {sign, " ", ""})


@dataclass(frozen=True, slots=True)
class Plant:
    """A defect put back: `what` it is, the `test` (node id below tests/defects) that fails."""

    what: str
    test: str
    edits: tuple[Edit, ...]

    @property
    def subject(self) -> tuple[str, int]:
        """("defect" or "pitfall", its number)."""
        match = SUBJECT.search(self.test)
        assert match is not None, self.test
        return match["kind"], int(match["number"])

    def apply(self, package: Path) -> None:
        """Put the defect into the package at that path. Raises DoesNotApply."""
        for edit in self.edits:
            edit.apply(package)


def plant(what: str, test: str, *edits: Edit) -> Plant:
    """`plant("the charge has no undo", "test_money.py::test_defect_01_...", Edit(...))`."""
    return Plant(what, test, edits)
