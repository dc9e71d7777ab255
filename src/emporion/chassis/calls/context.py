"""What travels along with a call: who asks, until when, and as part of which trace."""

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Self

import msgspec

from emporion.chassis.auth.identity import ANONYMOUS, Identity

NEVER_S = float("inf")


class Trace(msgspec.Struct, frozen=True, gc=False):
    """W3C trace context: 16 bytes of trace id, 8 of span id, both lower-case hex."""

    trace_id: str
    span_id: str
    is_sampled: bool = True

    def header(self) -> str:
        """The `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"

    @classmethod
    def parse(cls, header: str) -> Self | None:
        """The trace context of a `traceparent` header, or None when it is malformed."""
        parts = header.split("-")
        if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2]:  # noqa: PLR2004 - W3C's own field widths
            return None
        version, trace_id, span_id, flags = parts[:4]
        try:
            is_zero = not int(trace_id, 16) or not int(span_id, 16)
            is_sampled = bool(int(flags, 16) & 1)
        except ValueError:
            return None
        if version == "ff" or is_zero or header != header.lower():
            return None
        return cls(trace_id, span_id, is_sampled)


NO_TRACE = Trace("0" * 32, "0" * 16, is_sampled=False)


class Call(msgspec.Struct, frozen=True, gc=False):
    """The call being answered.

    `deadline_s` is absolute, on the runtime's monotonic clock; NEVER_S when there is none.
    """

    identity: Identity = ANONYMOUS
    trace: Trace = NO_TRACE
    deadline_s: float = NEVER_S


_current: ContextVar[Call] = ContextVar("emporion_call", default=Call())


current_call: Callable[[], Call] = _current.get
"""The call being answered by this task; an anonymous one without deadline outside of any.

This and the next two are the variable's own methods: asked several times a call, without a frame.
"""
enter: Callable[[Call], Token[Call]] = _current.set
"""Make a call the current one; give the token to `leave`."""
leave: Callable[[Token[Call]], None] = _current.reset
"""Return to the call before."""


def caller() -> Identity:
    """Who asks."""
    return _current.get().identity
