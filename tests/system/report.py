"""Prints and writes figures, with the machine that they were measured on."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path


def machine() -> str:
    """`2 cores of AMD EPYC, Linux 6.1, load average 0.4`."""
    found = re.search(r"^model name\s*:\s*(.+)$", _cpu_info(), re.MULTILINE)
    model = found[1] if found else os.uname().machine
    release = ".".join(os.uname().release.split(".")[:2])
    busy = f"load average {os.getloadavg()[2]:.1f}"
    return f"{os.cpu_count()} cores of {model}, {os.uname().sysname} {release}, {busy}"


def _cpu_info() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def say(line: str) -> None:
    """A line for the person who watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(head: Sequence[str], lines: Sequence[Sequence[str]], *, words: int) -> str:
    """A Markdown table; all but the first `words` columns hold numbers."""
    rules = ["---"] * words + ["--:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rules, *lines))
