"""What travels along with a call: who asks, until when, and as part of which trace."""

import re
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Self

import msgspec

from emporion.chassis.auth.identity import ANONYMOUS, Identity

NEVER_S = float("inf")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|\Z)")
"""Later versions may add members behind a further dash."""
_NO_TRACE_ID, _NO_SPAN_ID = "0" * 32, "0" * 16


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
        found = _TRACEPARENT.match(header)
        if found is None:
            return None
        trace_id, span_id, flags = found.groups()
        if trace_id == _NO_TRACE_ID or span_id == _NO_SPAN_ID:
            return None
        return cls(trace_id, span_id, bool(int(flags, 16) & 1))


NO_TRACE = Trace(_NO_TRACE_ID, _NO_SPAN_ID, is_sampled=False)


class Call(msgspec.Struct, frozen=True, gc=False):
    """The call being answered.

    `deadline_s` is absolute, on the runtime's monotonic clock; NEVER_S when there is none.
    `command` says what is being done, for the trail: `order.place_order` (a method),
    `create-order: confirm order` (a step of a saga), `on orders.created` (a reaction), or the name
    of an alarm.
    """

    identity: Identity = ANONYMOUS
    trace: Trace = NO_TRACE
    deadline_s: float = NEVER_S
    command: str = ""


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
