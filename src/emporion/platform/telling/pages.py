"""Places in lists of traces and log lines: texts that sort as what they name does."""

import zlib
from typing import Final

from emporion.contracts.operations_telemetry import TraceSummary
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_instant_ms
from emporion.platform.telling.store.reading import LAST, Before

_INSTANT: Final = 11
"""Hexadecimal digits of milliseconds since the epoch: enough for a while."""
_SEQUENCE: Final = 12
_PROCESS: Final = 8
_TRACE: Final = 32


def place_of(trace: TraceSummary) -> str:
    """Where a trace stands among all."""
    return f"{to_instant_ms(trace.started_at):0{_INSTANT}x}{trace.trace_id}"


def before_trace(cursor: str) -> Before:
    """What is older than the trace at a place. Raises UnknownCursor."""
    if not cursor:
        return LAST
    numbers = _numbers(cursor, _INSTANT, _TRACE)
    return Before(numbers[0], trace=numbers[1].to_bytes(_TRACE // 2, "big"))


def line_id(at_ms: int, sequence: int, process: str) -> str:
    """The name of a log line, and where it stands among those of all processes."""
    return f"{at_ms:0{_INSTANT}x}{sequence:0{_SEQUENCE}x}{_digest(process):0{_PROCESS}x}"


def before_line(cursor: str, process: str) -> Before:
    """What a process has written before a line of whatever process. Raises UnknownCursor."""
    if not cursor:
        return LAST
    at_ms, sequence, digest = _numbers(cursor, _INSTANT, _SEQUENCE, _PROCESS)
    return Before(at_ms, sequence=sequence + (_digest(process) < digest))


def _digest(process: str) -> int:
    return zlib.crc32(process.encode())


def _numbers(cursor: str, *digits: int) -> list[int]:
    if len(cursor) != sum(digits) or not cursor.isalnum():  # int() takes signs and blanks
        raise UnknownCursor
    numbers, start = [], 0
    try:
        for count in digits:
            numbers.append(int(cursor[start : start + count], 16))
            start += count
    except ValueError:
        raise UnknownCursor from None
    return numbers
