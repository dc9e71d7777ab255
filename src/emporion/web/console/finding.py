"""What the search pages have in common: how far back they look, and addresses of views."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from emporion.kernel.clock import to_datetime
from emporion.web.visit import Visit

BACK: Final = (
    ("", "all that is kept"),
    ("300", "5 minutes"),
    ("3600", "1 hour"),
    ("21600", "6 hours"),
)
LEVELS: Final = (
    ("", "all"),
    ("info", "info and worse"),
    ("warning", "warning and worse"),
    ("error", "error and worse"),
)
PER_PAGE: Final = 50


def since_of(visit: Visit) -> datetime | None:
    """From when on the address wants to see something; None: from the beginning."""
    back = visit.query.text("back")
    if not (back.isascii() and back.isdigit()) or len(back) > len("86400"):
        return None
    now = to_datetime(visit.site.runtime.clock.now_ms())
    return now - timedelta(seconds=int(back))


def address(path: str, **fields: str) -> str:
    """A view: a path with the fields that are given."""
    given = {name: value for name, value in fields.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def view_of(visit: Visit, *names: str) -> Mapping[str, str]:
    """The fields of a search as they were sent, to be shown again."""
    return {name: visit.query.text(name)[:200] for name in names}
