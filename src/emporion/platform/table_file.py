"""Reading tables that people made: CSV with a header, every mistake named by file and line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FILE_BYTES_MAX = 64 * 1024 * 1024
LINES_MAX = 1_000_000
MISTAKES_MAX = 100
"""After so many the rest is not looked for: the file is something else than it claims."""
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong in one place of a file; line 0 is the file as a whole."""

    line: int
    column: str
    message: str

    def show(self, file: str) -> str:
        """`FILE:LINE: column: message`, which editors can jump to."""
        where = f"{file}:{self.line}" if self.line else file
        return f"{where}: {f'{self.column}: ' if self.column else ''}{self.message}"


class BadFile(Exception):
    """The file cannot be used; `mistakes` says where and why, in the order of lines."""

    def __init__(self, file: str, mistakes: Sequence[Mistake]) -> None:
        super().__init__(f"{file}: {len(mistakes)} mistakes")
        self.file = file
        self.mistakes = sorted(mistakes)

    @classmethod
    def because(cls, file: str, message: str, *, line: int = 0, column: str = "") -> Self:
        """One mistake."""
        return cls(file, [Mistake(line, column, message)])


@dataclass(frozen=True, slots=True)
class TableRow:
    """One record: the line it starts at, and its cells by column, stripped."""

    line: int
    cells: dict[str, str]


class Table:
    """A CSV file in UTF-8 (a byte order mark is allowed), separated by `,`, `;` or tabs.

    The first line names the columns, in any order and case. Iterating gives the records; what
    is wrong is collected in `mistakes` (at most MISTAKES_MAX) and the record left out.
    """

    def __init__(self, path: Path, *, required: Sequence[str], optional: Sequence[str]) -> None:
        """Read the file and its header. Raises BadFile when that cannot be done."""
        self.file = str(path)
        self.content = _read(path)
        self.mistakes: list[Mistake] = []
        try:
            text = self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            message = f"byte 0x{self.content[error.start]:02x} is not UTF-8; save the file as UTF-8"
            raise BadFile.because(self.file, message, line=line) from error
        lines = text.splitlines(keepends=True)
        if len(lines) > LINES_MAX:
            raise BadFile.because(self.file, f"more than {LINES_MAX:,} lines")
        if not lines or not lines[0].strip():
            names = ",".join(required)
            raise BadFile.because(self.file, f"the first line must be a header: {names}", line=1)
        self._reader = csv.reader(lines, delimiter=_delimiter(lines[0]), strict=True)
        self._columns = self._read_header(required, optional)

    def _read_header(self, required: Sequence[str], optional: Sequence[str]) -> list[str]:
        try:
            names = [name.strip().lower() for name in next(self._reader)]
        except csv.Error as error:
            raise BadFile.because(self.file, str(error), line=1) from error
        wrong = [
            Mistake(1, name, f"the header lacks this column; it must have {', '.join(required)}")
            for name in required
            if name not in names
        ]
        known = [*required, *optional]
        wrong += [
            Mistake(1, name[:40], f"unknown column; known are {', '.join(known)}")
            for name in dict.fromkeys(names)
            if name not in known
        ]
        wrong += [Mistake(1, n, "twice in the header") for n in known if names.count(n) > 1]
        if wrong:
            raise BadFile(self.file, wrong)
        return names

    def __iter__(self) -> Iterator[TableRow]:
        """The records that have as many cells as the header; empty lines are skipped."""
        while len(self.mistakes) < MISTAKES_MAX:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader, None)
            except csv.Error as error:
                self.report(line, "", f'{error}; quote a cell as "..." and write "" inside it')
                return
            if cells is None:
                return
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(self._columns):
                self.report(line, "", f"{len(cells)} cells, but {len(self._columns)} columns")
                continue
            stripped = [cell.strip() for cell in cells]
            yield TableRow(line, dict(zip(self._columns, stripped, strict=True)))

    def report(self, line: int, column: str, message: str) -> None:
        """Note a mistake."""
        if len(self.mistakes) < MISTAKES_MAX:
            self.mistakes.append(Mistake(line, column, message))

    def raise_mistakes(self) -> None:
        """Raises BadFile when anything was wrong."""
        if self.mistakes:
            raise BadFile(self.file, self.mistakes)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise BadFile.because(str(path), reason.lower()) from error
    if len(content) > FILE_BYTES_MAX:
        raise BadFile.because(str(path), f"larger than {FILE_BYTES_MAX // 1024 // 1024} MiB")
    return content


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)
