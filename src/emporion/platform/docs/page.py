"""Puts the pictures into ARCHITECTURE.md, each between its pair of marks."""

from collections.abc import Callable, Mapping
from pathlib import Path

from emporion.platform.docs import calls, event_catalogue, house, lifecycles, sagas

PAGE = "ARCHITECTURE.md"
PARTS: Mapping[str, Callable[[Path], str]] = {
    "storeys": house.storeys,
    "services": house.matrix,
    "calls": calls.picture,
    "events": event_catalogue.table,
    "lifecycles": lifecycles.pictures,
    "sagas": sagas.pictures,
}


def drawn(text: str, root: Path) -> str:
    """The page with every part drawn again. Raises ValueError when a part has no place in it."""
    for name, draw in PARTS.items():
        start, end = f"<!-- drawn: {name} -->", f"<!-- end: {name} -->"
        before, opened, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            message = f"{PAGE} has no place for {name!r}"
            raise ValueError(message)
        text = f"{before}{start}\n\n{draw(root)}\n\n{end}{after}"
    return text


def refresh(root: Path) -> None:
    """Draw the page of the checkout at `root` again."""
    page = root / PAGE
    page.write_text(drawn(page.read_text("utf-8"), root), encoding="utf-8")
