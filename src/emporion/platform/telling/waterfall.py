"""A story on the terminal: a waterfall while the client waited, then what came of it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emporion.web.past.story import Entry, Story

WIDTH_MAX: Final = 120
BAR: Final = 18
INDENT_MAX: Final = 6
SPANS: Final = frozenset({"served", "asked", "edge", "data", "step", "reaction", "outside", "work"})
STYLES: Final = {
    "edge": "bold",
    "served": "cyan",
    "asked": "dim cyan",
    "data": "green",
    "step": "magenta",
    "reaction": "yellow",
    "outside": "blue",
}
PRECISION_US: Final = 1_000
"""Instants in the books are whole milliseconds."""
FINE: Final = frozenset({"ok", "info", "debug", "sent", "delivered"})


def show_story(story: Story, console: Console | None = None) -> None:
    """Print it: at most WIDTH_MAX columns, and 80 are enough."""
    console = console or Console()
    width = min(console.width, WIDTH_MAX)
    for line in _heading(story):
        console.print(line, width=width, highlight=False)
    if not story.entries:
        return
    root = _root(story)
    began_us = root.at_us if root else story.entries[0].at_us
    ended_us = began_us + (root.duration_us if root else 0)
    waited = [entry for entry in story.entries if began_us <= entry.at_us <= ended_us]
    before = [entry for entry in story.entries if entry.at_us < began_us]
    after = [entry for entry in story.entries if entry.at_us > ended_us]
    if before:
        console.print(_table(before, began_us, 0, width=width))
    if root is not None:
        console.print(_table(_by_cause(waited), began_us, root.duration_us, width=width))
    else:
        after = [*waited, *after]
    if after:
        if root is not None:
            console.print(Text("afterwards", style="bold"))
        console.print(_table(after, began_us, 0, width=width))


def _heading(story: Story) -> Iterator[Text]:
    if story.order_id:
        yield Text(f"order {story.order_id}", style="bold")
    for trace_id in story.trace_ids:
        yield Text(f"trace {trace_id}")
    if story.entries:
        began = datetime.fromtimestamp(story.entries[0].at_us / 1e6, UTC)
        processes = {entry.process for entry in story.entries if entry.process}
        held = f", {len(processes)} processes" if len(processes) > 1 else ""
        yield Text(f"began {began.isoformat(sep=' ', timespec='milliseconds')}{held}")
    for trace_id in story.lost:
        yield Text(f"no spans are kept of trace {trace_id}", style="yellow")
    if story.missing:
        yield Text(f"did not answer: {', '.join(story.missing)}", style="red")


def _root(story: Story) -> Entry | None:
    """The request that the story began with."""
    spans = [entry for entry in story.entries if entry.kind in SPANS and entry.depth == 0]
    requests = [entry for entry in spans if entry.kind == "edge"]
    return next(iter(requests or spans), None)


def _by_cause(entries: Sequence[Entry]) -> list[Entry]:
    """Each span below its cause, as a tree reads; what is no span below what it happened in."""
    spans = [entry for entry in entries if entry.span_id]
    ids = {entry.span_id for entry in spans}
    below: dict[str, list[Entry]] = {}
    for entry in entries:
        cause = entry.parent_id if entry.parent_id in ids else ""
        placed = entry
        if not entry.span_id and (around := _around(entry, spans)) is not None:
            cause, placed = around.span_id, replace(entry, depth=around.depth + 1)
        below.setdefault(cause, []).append(placed)
    ordered: list[Entry] = []

    def walk(cause: str) -> None:
        for entry in below.pop(cause, ()):
            ordered.append(entry)
            if entry.span_id:
                walk(entry.span_id)

    walk("")
    return ordered


def _around(entry: Entry, spans: Sequence[Entry]) -> Entry | None:
    """The innermost span of the same service during which it happened, as far as is known."""
    open_then = [
        span
        for span in spans
        if span.service == entry.service
        and span.kind != "data"
        and span.at_us - PRECISION_US <= entry.at_us <= span.at_us + span.duration_us
    ]
    return max(open_then, key=lambda span: (span.depth, span.at_us), default=None)


def _table(entries: Sequence[Entry], began_us: int, whole_us: int, *, width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), width=width, show_header=True)
    table.add_column("at ms", justify="right", no_wrap=True, width=10)
    table.add_column("took ms", justify="right", no_wrap=True, width=9)
    table.add_column("what", no_wrap=True, overflow="ellipsis", ratio=1)
    if whole_us:
        table.add_column("", no_wrap=True, width=BAR)
    for entry in entries:
        cells: list[str | Text] = [
            f"{(entry.at_us - began_us) / 1000:.1f}",
            f"{entry.duration_us / 1000:.2f}" if entry.kind in SPANS else "",
            _what(entry),
        ]
        if whole_us:
            table.add_row(*cells, _bar(entry, began_us, whole_us))
        else:
            table.add_row(*cells)
    return table


def _what(entry: Entry) -> Text:
    is_span = entry.kind in SPANS
    mark = "" if is_span else {"change": "* ", "log": "> "}.get(entry.kind, "@ ")
    text = Text("  " * min(entry.depth, INDENT_MAX) + mark, style="dim")
    style = STYLES.get(entry.kind, "")
    text.append(_printable(f"{entry.service} {entry.what}"), style=style or "default")
    said = _printable(_said(entry))
    if said:
        text.append(f" {said}", style="dim")
    if entry.outcome not in FINE:
        text.append(f" {entry.outcome}", style="bold red")
    elif entry.kind in {"mail", "webhook"}:
        text.append(f" {entry.outcome}", style="green")
    return text


def _printable(text: str) -> str:
    """What a log line quotes must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _said(entry: Entry) -> str:
    """What the fields of an entry come to, in few words."""
    details = entry.details
    parts = []
    if int(details.get("queued_us", "0")) >= 100:  # noqa: PLR2004 - below that it did not wait
        parts.append(f"queued {int(details['queued_us']) / 1000:.1f}")
    if details.get("waited_ms", "0") != "0":
        parts.append(f"waited {details['waited_ms']}")
    parts += [details[name] for name in ("work", "host", "by") if name in details]
    parts += [f"{name} {details[name]}" for name in ("attempts", "error") if name in details]
    return ", ".join(parts)


def _bar(entry: Entry, began_us: int, whole_us: int) -> Text:
    first = min(BAR - 1, max(0, (entry.at_us - began_us) * BAR // whole_us))
    if entry.kind not in SPANS:
        return Text(" " * first + "|", style="dim")
    length = max(1, min(BAR - first, round(entry.duration_us * BAR / whole_us)))
    style = STYLES.get(entry.kind, "") if entry.outcome == "ok" else "red"
    return Text(" " * first + "━" * length, style=style)
