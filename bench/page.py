"""What all benchmarks write: the bars, and text between marks of a page of docs/."""

import platform
import re
import sys
from pathlib import Path


def cpu() -> str:
    """The processor's name, as the system tells it."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def bars(rows: list[tuple[str, float, str, float]]) -> str:
    """Each bar, met or missed."""
    lines = ["| bar | measured | wanted | |", "|---|---|---|---|"]
    for name, value, relation, wanted in rows:
        is_met = value >= wanted if relation == ">=" else value <= wanted
        lines.append(
            f"| {name} | {value:,.1f} | {relation} {wanted:,} | {'met' if is_met else 'MISSED'} |"
        )
    return "\n".join(lines)


def between(page: Path, mark: str, text: str) -> None:
    """Put the text between its pair of marks."""
    start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, _, rest = page.read_text().partition(start)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{start}\n{text}\n{end}{after}")


def say(what: str) -> None:
    """Progress."""
    print(f"... {what}", file=sys.stderr, flush=True)
