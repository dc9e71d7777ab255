"""The story of an order as rows of a page: what matters first, everything on request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from emporion.kernel.clock import to_datetime
from emporion.web.past.story import Entry

MAIN: Final = frozenset({"change", "mail", "webhook", "reaction", "edge"})
KINDS_SHOWN: Final = ("logs", "all")
ROWS_MAX: Final = 500
_WORDS: Final = {
    "change": "change",
    "mail": "mail",
    "webhook": "webhook",
    "reaction": "event",
    "edge": "request",
    "log": "log",
    "served": "call",
    "asked": "call",
    "data": "database",
    "step": "saga step",
}
_FINE: Final = frozenset({"ok", "sent", "delivered", "info", "debug"})
_WAITING: Final = frozenset({"queued", "waiting", "pending", "warning"})


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the timeline.

    Args:
        since_ms: how long after the first entry it began.
        kind: its stored kind; `word` is what people read.
        mood: right, wait, wrong, or none.
    """

    at: datetime
    since_ms: float
    kind: str
    word: str
    service: str
    what: str
    duration_ms: float
    outcome: str
    mood: str
    trace_id: str
    details: dict[str, str]


def rows_of(entries: Sequence[Entry], show: str) -> tuple[list[Row], int]:
    """The first ROWS_MAX rows of those that are to be shown, and how many entries are not."""
    wanted = [entry for entry in entries if _is_shown(entry.kind, show)]
    start_us = entries[0].at_us if entries else 0
    rows = [_row(entry, start_us) for entry in wanted[:ROWS_MAX]]
    return rows, len(entries) - len(rows)


def _is_shown(kind: str, show: str) -> bool:
    return show == "all" or kind in MAIN or (show == "logs" and kind == "log")


def _row(entry: Entry, start_us: int) -> Row:
    return Row(
        at=to_datetime(entry.at_us // 1000).astimezone(UTC),
        since_ms=(entry.at_us - start_us) / 1000,
        kind=entry.kind,
        word=_WORDS.get(entry.kind, entry.kind),
        service=entry.service,
        what=entry.what,
        duration_ms=entry.duration_us / 1000,
        outcome="" if entry.outcome == "ok" else entry.outcome,
        mood=mood_of(entry.outcome),
        trace_id=entry.trace_id,
        details=dict(entry.details),
    )


def mood_of(outcome: str) -> str:
    """Whether an outcome is fine, open, or needs a look."""
    if outcome in _FINE:
        return ""
    return "wait" if outcome in _WAITING else "wrong"
