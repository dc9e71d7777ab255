"""One JSON object a line: what happened, in which trace, for whom, in which service."""

import asyncio
import logging
import sys
import traceback
from collections import deque
from typing import BinaryIO

import msgspec

from emporion.chassis.auth.identity import Kind
from emporion.chassis.calls.context import NO_TRACE, current_call
from emporion.chassis.telemetry.forbidden import FieldGuard
from emporion.chassis.telemetry.store.records import LogRow
from emporion.chassis.telemetry.trace_ids import xray_id
from emporion.kernel.addresses import without_addresses
from emporion.kernel.clock import to_datetime

FLUSH_S = 0.2
BUFFER_BYTES_MAX = 64 * 1024
STACK_CHARS_MAX = 16_000
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Line(msgspec.Struct, omit_defaults=True):
    """A log line."""

    time: str
    level: str
    service: str
    message: str
    trace_id: str = ""
    span_id: str = ""
    xray_trace_id: str = ""
    user_id: str = ""
    logger: str = ""
    fields: dict[str, object] = {}
    error: str = ""


class JsonLogs(logging.Handler):
    """Writes log records as JSON lines; give it to the root logger.

    Structured fields come by `extra={...}`; those with forbidden names are refused by the guard.
    Lines are buffered while an event loop runs and leave after FLUSH_S, at BUFFER_BYTES_MAX, or
    at once with an error; without a loop, or from another thread, each is written at once. A
    line of service code carries the service's name, others that of the process. With `is_xray` a
    line has its trace id a second time, as X-Ray writes it. What is in `kept` is for whoever
    stores lines.
    """

    def __init__(
        self,
        guard: FieldGuard,
        *,
        service: str = "emporion",
        stream: BinaryIO | None = None,
        is_xray: bool = False,
    ) -> None:
        super().__init__()
        self.kept: deque[LogRow] | None = None
        self._is_xray = is_xray
        self._guard = guard
        self._service = service
        self._stream = stream
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        self._lines: list[bytes] = []
        self._size_bytes = 0
        self._timer_loop: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record. Raises ForbiddenField when the guard is strict."""
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        fields = self._guard.allowed(extra) if extra else extra
        try:
            content = self._line(record, fields)
            line = self._encode(content)
        except Exception:  # noqa: BLE001 - what cannot be encoded must not end the work it is about
            self.handleError(record)
            return
        if self.kept is not None:
            at_ms = int(record.created * 1000)
            self.kept.append(LogRow(at_ms, content.trace_id, content.level, content.service, line))
        self._lines.append(line)
        self._size_bytes += len(line)
        if record.levelno >= logging.ERROR or self._size_bytes >= BUFFER_BYTES_MAX:
            self.flush()
        else:
            self._flush_soon()

    def flush(self) -> None:
        """Write what is buffered; what cannot be written, as on a full disk, is lost."""
        self.acquire()
        try:
            lines, self._lines, self._size_bytes = self._lines, [], 0
            if lines:
                stream = self._stream or sys.stderr.buffer
                stream.write(b"\n".join(lines) + b"\n")
                stream.flush()
        except OSError:  # no log is worth the work it is about, and there is nobody left to tell
            return
        finally:
            self.release()

    def _flush_soon(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._timer_loop is not loop:
            self._timer_loop = loop
            loop.call_later(FLUSH_S, self._flush_due)

    def _flush_due(self) -> None:
        self._timer_loop = None
        self.flush()

    def _line(self, record: logging.LogRecord, fields: dict[str, object]) -> Line:
        call = current_call()
        trace = call.trace
        is_traced = trace is not NO_TRACE
        return Line(
            time=to_datetime(int(record.created * 1000)).isoformat(timespec="milliseconds"),
            level=record.levelname.lower(),
            service=_service_of(record.name) or self._service,
            message=record.getMessage(),
            trace_id=trace.trace_id if is_traced else "",
            span_id=trace.span_id if is_traced else "",
            xray_trace_id=xray_id(trace.trace_id) if is_traced and self._is_xray else "",
            user_id=call.identity.subject if call.identity.kind is Kind.PERSON else "",
            logger=record.name,
            fields=fields,
            error=_stack(record),
        )


def _service_of(logger: str) -> str:
    """`emporion.services.order.commands` -> `order`."""
    parts = logger.split(".", 3)
    return parts[2] if parts[:2] == ["emporion", "services"] and len(parts) > 2 else ""  # noqa: PLR2004 - the third part


def _stack(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    stack = "".join(traceback.format_exception(record.exc_info[1]))
    return without_addresses(stack)[-STACK_CHARS_MAX:]  # errors of libraries say them


def install(handler: JsonLogs, *, level: int = logging.INFO) -> None:
    """Make `handler` the only one of the root logger."""
    root = logging.getLogger()
    for other in list(root.handlers):
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level)
