"""What became of a hold, written down beside it: a line for each change, on every engine."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from emporion.chassis.calls.context import current_call
from emporion.chassis.eventstore.store import cause_of
from emporion.services.inventory.domain import Allocation, Hold, HoldChange, Status


class _Line(NamedTuple):
    """A change as it is stored; `before`: what was allocated until then, if this changed it."""

    status: str
    at_ms: int
    actor: str
    cause: str
    trace_id: str
    before: tuple[Allocation, ...] | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


def who() -> tuple[str, str, str]:
    """Who changes something now: actor, cause and trace id, as they are stored."""
    call = current_call()
    return call.identity.subject, cause_of(call), call.trace.trace_id


def written(status: Status, at_ms: int) -> str:
    """The line that says that a hold became this now, and through whom."""
    return _encode((status.value, at_ms, *who())).decode() + "\n"


def remembering(line: str, before: Sequence[Allocation]) -> str:
    """The line of a change after which a hold has other allocations than it had."""
    told = _decode(line)
    return _encode(told._replace(before=tuple(before))).decode() + "\n"


def read(hold: Hold, lines: Iterable[str]) -> list[HoldChange]:
    """The changes of a hold, the oldest first, from its lines.

    A hold from before they were written began as one that was held, through nobody knows whom;
    how it ended is missing then.
    """
    changes = list(_changes(lines))
    if not changes or changes[0].at_ms > hold.created_at_ms:
        changes.insert(0, HoldChange(Status.HELD, hold.created_at_ms, ("", "", "")))
    return changes


def _changes(lines: Iterable[str]) -> Iterator[HoldChange]:
    for line in lines:
        status, at_ms, actor, cause, trace_id, before = _decode(line)
        yield HoldChange(Status(status), at_ms, (actor, cause, trace_id), before)
