"""Logs: one JSON object a line, with the trace and the user of the call they belong to."""

import asyncio
import errno
import io
import json
import logging
import threading
from collections import deque
from typing import Any

import pytest

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, Trace, enter, leave
from emporion.chassis.telemetry.forbidden import FieldGuard, ForbiddenField
from emporion.chassis.telemetry.logs import BUFFER_BYTES_MAX, FLUSH_S, JsonLogs, install
from emporion.chassis.telemetry.store.records import LogRow


class Log:
    """A logger with its lines."""

    def __init__(self, name: str, *, is_strict: bool = True, is_xray: bool = False) -> None:
        self.stream = io.BytesIO()
        self.json_logs = JsonLogs(
            FieldGuard(is_strict=is_strict), stream=self.stream, is_xray=is_xray
        )
        self.logger = logging.Logger(name)  # noqa: LOG001 - apart from the root's
        self.logger.addHandler(self.json_logs)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_line_carries_trace_user_service_level_message_and_fields() -> None:
    log = Log("emporion.services.order.commands")
    buyer = Identity(Kind.PERSON, "usr_1", frozenset())
    token = enter(Call(buyer, Trace("a" * 32, "b" * 16)))

    log.logger.info("order %s placed", 7, extra={"order_id": "ord_1", "units": 3})
    leave(token)

    [line] = log.lines
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "service": "order",
        "message": "order 7 placed",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "user_id": "usr_1",
        "logger": "emporion.services.order.commands",
        "fields": {"order_id": "ord_1", "units": 3},
    }


def test_outside_of_a_call_there_is_no_trace_and_the_service_is_the_process() -> None:
    log = Log("uvicorn.error")

    log.logger.warning("hello")

    [line] = log.lines
    assert line["service"] == "emporion"
    assert "trace_id" not in line
    assert "user_id" not in line


def test_an_exception_is_logged_with_its_stack_on_one_line() -> None:
    log = Log("x")

    try:
        raise ValueError("broken")
    except ValueError:
        log.logger.exception("it failed")

    [line] = log.lines
    assert "ValueError: broken" in line["error"]
    assert "test_logs.py" in line["error"]


def test_a_field_that_smells_of_a_secret_is_refused() -> None:
    with pytest.raises(ForbiddenField):
        Log("x").logger.info("signed in", extra={"password": "hunter2"})

    log = Log("x", is_strict=False)
    log.logger.info("signed in", extra={"password": "hunter2", "attempts": 2})
    assert log.lines[-1]["fields"] == {"attempts": 2}
    assert b"hunter2" not in log.stream.getvalue()


async def test_lines_are_buffered_and_leave_together() -> None:
    log = Log("x")
    log.logger.info("one")
    log.logger.info("two")
    assert log.lines == []

    flushed = asyncio.Event()
    asyncio.get_running_loop().call_later(FLUSH_S * 1.01, flushed.set)
    await flushed.wait()

    assert [line["message"] for line in log.lines] == ["one", "two"]


async def test_an_error_a_full_buffer_or_the_end_flush_at_once() -> None:
    log = Log("x")
    log.logger.info("before")
    log.logger.error("broken")
    assert [line["message"] for line in log.lines] == ["before", "broken"]

    log.logger.info("x" * BUFFER_BYTES_MAX)
    assert len(log.lines) == 3

    log.logger.info("last")
    log.json_logs.close()
    log.json_logs.flush()
    assert log.lines[-1]["message"] == "last"


def test_what_cannot_be_encoded_natively_is_written_as_text() -> None:
    log = Log("x")

    log.logger.info("odd", extra={"where": object, "error_kind": ValueError("x")})

    assert log.lines[0]["fields"]["error_kind"] == "x"


class FullDisk(io.BytesIO):
    """Takes lines, and cannot keep them."""

    def flush(self) -> None:
        """Fails as the kernel does."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_under_the_log_does_not_end_the_work_that_is_logged() -> None:
    json_logs = JsonLogs(FieldGuard(is_strict=True), stream=FullDisk())
    record = logging.LogRecord("shop", logging.ERROR, "here", 1, "it failed", None, None)

    json_logs.handle(record)
    json_logs.flush()


async def test_other_threads_may_log() -> None:
    log = Log("x")
    thread = threading.Thread(target=lambda: log.logger.info("from a writer thread"))
    thread.start()
    thread.join()

    assert [line["message"] for line in log.lines] == ["from a writer thread"]


def test_installing_replaces_the_root_handlers() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    json_logs = JsonLogs(FieldGuard(is_strict=True), stream=io.BytesIO())
    try:
        install(json_logs)
        assert root.handlers == [json_logs]
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def test_x_rays_form_of_the_trace_id_stands_beside_it_where_that_is_set() -> None:
    log = Log("emporion.services.order.commands", is_xray=True)
    token = enter(Call(trace=Trace("6b0d955f" + "a" * 24, "b" * 16)))
    log.logger.info("in a trace")
    leave(token)
    log.logger.info("in none")

    traced, untraced = log.lines
    assert traced["xray_trace_id"] == "1-6b0d955f-" + "a" * 24
    assert "xray_trace_id" not in untraced


def test_lines_are_kept_for_whoever_stores_them() -> None:
    log = Log("emporion.services.order.commands")
    kept: deque[LogRow] = deque(maxlen=2)
    log.json_logs.kept = kept
    for number in range(3):
        log.logger.warning("%d", number)

    assert [json.loads(row.line)["message"] for row in kept] == ["1", "2"]
    assert {(row.level, row.service, row.trace_id) for row in kept} == {("warning", "order", "")}
