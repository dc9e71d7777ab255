"""What is stored, and how: spans of a trace together, compressed; log lines; samples of metrics."""

import zlib
from collections.abc import Sequence
from typing import Final

import msgspec

from emporion.chassis.telemetry.spans import Kind, Span

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS part (
    seq INTEGER PRIMARY KEY,
    trace BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    name TEXT NOT NULL,
    services TEXT NOT NULL,
    is_failed INTEGER NOT NULL,
    spans BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS part_trace ON part (trace);
CREATE TABLE IF NOT EXISTS log (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    trace BLOB,
    level TEXT NOT NULL,
    service TEXT NOT NULL,
    line BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS log_trace ON log (trace) WHERE trace IS NOT NULL;
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    kind TEXT NOT NULL,
    UNIQUE (name, labels)
) STRICT;
CREATE TABLE IF NOT EXISTS sample (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    cells BLOB NOT NULL
) STRICT;
"""
VERSION: Final = 1
"""Of the schema. A file of another version is emptied: nothing in it is worth a migration."""
_LEVEL: Final = 1
"""Of the compression: a third of the size for some 20 us a trace."""


class StoredSpan(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A span with its time of day, in microseconds."""

    span_id: str
    parent_id: str
    service: str
    name: str
    caller: str
    started_us: int
    duration_us: int
    outcome: str
    kind: Kind
    fields: dict[str, object] | None = None


class LogRow(msgspec.Struct, frozen=True, gc=False):
    """A log line on its way into the store; `line` is the JSON that was written."""

    at_ms: int
    trace_id: str
    level: str
    service: str
    line: bytes


class Part(msgspec.Struct, frozen=True, gc=False):
    """Spans of one trace that were written together, and what they can be found by.

    `name` is that of the outermost span, and `at_ms`, `duration_us` its time.
    """

    trace_id: str
    at_ms: int
    duration_us: int
    name: str
    services: str
    is_failed: bool
    spans: list[StoredSpan]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[StoredSpan]).decode


def packed(spans: list[StoredSpan]) -> bytes:
    """Spans as they are stored."""
    return zlib.compress(_encode(spans), _LEVEL)


def unpacked(data: bytes) -> list[StoredSpan]:
    """Stored spans as they were. Raises ValueError when they cannot be read."""
    try:
        return _decode(zlib.decompress(data))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"stored spans cannot be read: {error}") from error


def parts_of(spans: Sequence[Span], *, epoch_us: int) -> list[Part]:
    """Spans by trace; `epoch_us` is the time of day at second 0 of the monotonic clock."""
    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    return [_part(trace_id, found, epoch_us) for trace_id, found in traces.items()]


def _part(trace_id: str, spans: list[Span], epoch_us: int) -> Part:
    ids = {span.span_id for span in spans}
    outermost = max(
        (span for span in spans if span.parent_id not in ids),
        key=lambda span: span.duration_s,
        default=spans[0],
    )
    return Part(
        trace_id=trace_id,
        at_ms=_us(outermost.started_s, epoch_us) // 1000,
        duration_us=round(outermost.duration_s * 1e6),
        name=f"{outermost.service} {outermost.name}",
        services=" ".join(sorted({span.service for span in spans})),
        is_failed=any(span.outcome != "ok" for span in spans),
        spans=[_stored(span, epoch_us) for span in spans],
    )


def _us(monotonic_s: float, epoch_us: int) -> int:
    return epoch_us + round(monotonic_s * 1e6)


def _stored(span: Span, epoch_us: int) -> StoredSpan:
    return StoredSpan(
        span.span_id, span.parent_id, span.service, span.name, span.caller,
        _us(span.started_s, epoch_us), round(span.duration_s * 1e6), span.outcome, span.kind,
        span.fields,
    )  # fmt: skip
