"""What an order costs in CPU, by part of the split shop: read from docs/performance.md."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from emporion.platform.table_file import BadFile

FILE: Final = Path("docs/performance.md")
DATABASE: Final = "postgresql"
_LOAD: Final = re.compile(r"CPU us an order at (\d+)")
_INSTANCE: Final = re.compile(r"-\d+$")


def cpu_us_per_order(path: Path = FILE) -> Mapping[str, float]:
    """Microseconds of CPU an order, by process, at the largest load that was measured.

    Raises BadFile when the table is not there: run `make bench-split`.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise BadFile.because(str(path), (error.strerror or "cannot be read").lower()) from error
    for number, line in enumerate(lines):
        loads = [int(load) for load in _LOAD.findall(line)]
        if line.startswith("| part |") and loads:
            return _rows(lines[number + 2 :], column=1 + loads.index(max(loads)))
    raise BadFile.because(str(path), "no table `part | CPU us an order at ...`: make bench-split")


def _rows(lines: list[str], *, column: int) -> Mapping[str, float]:
    found = {}
    for line in lines:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[_INSTANCE.sub("", cells[0])] = float(cells[column].replace(",", ""))
    return found
