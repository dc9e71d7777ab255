"""The stored side of sagas: one row each, moved by compare-and-set from state to state."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from emporion.chassis.calls.wire import ErrorTable, WireError, to_wire
from emporion.chassis.data.database import Row, Tx
from emporion.chassis.saga.port import KeyConflict, SagaState
from emporion.kernel.errors import Conflict, EmporionError

ERROR_CHARS_MAX = 500
_encode = msgspec.json.Encoder().encode
_decode_error = msgspec.json.Decoder(WireError).decode
COLUMNS = "id, name, version, state, step, attempts, input, refusal, next_at_ms, traceparent"
_INSERT = (
    "INSERT INTO saga (id, name, version, key, fingerprint, state, step, attempts, input,"
    " refusal, last_error, next_at_ms, started_at_ms, updated_at_ms, traceparent)"
    " VALUES (?, ?, ?, ?, ?, 'running', 1, 0, ?, NULL, '', ?, ?, ?, ?)"
    " ON CONFLICT (key) DO NOTHING"
)
_INSERT_OWNED = _INSERT.replace("traceparent)", "traceparent, owner)").replace(
    "?) ON CONFLICT", "?, ?) ON CONFLICT"
)
_FINISH = "UPDATE saga SET state = ?, input = ?, updated_at_ms = ? WHERE id = ? AND state = ?"
"""The input is erased: nobody needs it any more, and it may hold a payment token."""
_TURN = (
    "UPDATE saga SET state = 'compensating', step = ?, attempts = 0, refusal = ?,"
    " updated_at_ms = ? WHERE id = ? AND state = 'running'"
)
_FORCE = (
    "UPDATE saga SET state = 'compensating', step = ?, attempts = 0, refusal = ?, next_at_ms = ?,"
    " updated_at_ms = ? WHERE id = ? AND state = 'running'"
)
_DEFER = (
    "UPDATE saga SET step = ?, attempts = ?, last_error = ?, next_at_ms = ?, updated_at_ms = ?"
    " WHERE id = ? AND state = ?"
)
"""Nothing when it was turned by somebody else meanwhile: then that counts."""
_PROGRESS = "UPDATE saga SET step = ?, attempts = 0, updated_at_ms = ? WHERE id = ? AND state = ?"
_BY_KEY = f"SELECT {COLUMNS}, fingerprint FROM saga WHERE key = ?"  # noqa: S608 - constant columns
_BY_ID = f"SELECT {COLUMNS} FROM saga WHERE id = ?"  # noqa: S608 - constant columns
_DUE = (
    f"SELECT {COLUMNS} FROM saga WHERE state IN ('running', 'compensating')"  # noqa: S608 - constant columns
    " AND next_at_ms <= ? ORDER BY next_at_ms LIMIT ?"
)
_ALL_DUE = (
    "UPDATE saga SET next_at_ms = ? WHERE state IN ('running', 'compensating') AND next_at_ms > ?"
)
_NEXT = "SELECT min(next_at_ms) FROM saga WHERE state IN ('running', 'compensating')"


@dataclass(frozen=True, slots=True)
class Entry:
    """A saga's row. `step` is the next to do, or while compensating the next to undo."""

    saga_id: str
    name: str
    version: int
    state: SagaState
    step: int
    attempts: int
    input: bytes
    refusal: bytes | None
    next_at_ms: int
    traceparent: str

    def refusal_as(self, errors: ErrorTable) -> EmporionError | None:
        """The refusal that turned the saga, as one of the errors it declares."""
        return errors.from_wire(_decode_error(self.refusal)) if self.refusal else None


class NewEntry(msgspec.Struct, frozen=True):
    """What is stored when a saga starts."""

    saga_id: str
    name: str
    version: int
    key: str
    fingerprint: bytes
    input: bytes
    traceparent: str
    owner: str = ""
    """The instance that works on it, where there are several."""


async def insert(tx: Tx, new: NewEntry, *, now_ms: int, next_at_ms: int) -> Entry | None:
    """Store a new saga; or return the one that has its key. Raises KeyConflict."""
    row = (
        new.saga_id,
        new.name,
        new.version,
        new.key,
        new.fingerprint,
        new.input,
        next_at_ms,
        now_ms,
        now_ms,
        new.traceparent,
    )
    if new.owner:
        written = await tx.execute(_INSERT_OWNED, *row, new.owner)
    else:
        written = await tx.execute(_INSERT, *row)
    if written:
        return None
    existing = await by_key(tx, new.key, new.fingerprint)
    if existing is None:
        raise Conflict("the saga under this key vanished")
    return existing


async def finish(tx: Tx, saga_id: str, *, before: SagaState, after: SagaState, now_ms: int) -> None:
    """Move a saga to a terminal state. Raises Conflict when it is not in `before` any more."""
    _moved(await tx.execute(_FINISH, after, b"", now_ms, saga_id, before), saga_id)


async def turn(tx: Tx, saga_id: str, *, step: int, refusal: EmporionError, now_ms: int) -> None:
    """Record that the saga compensates from `step` down, before any undo. Raises Conflict."""
    _moved(await tx.execute(_TURN, step, _encode(to_wire(refusal)), now_ms, saga_id), saga_id)


async def force(tx: Tx, saga_id: str, *, step: int, refusal: EmporionError, now_ms: int) -> bool:
    """Have a running saga compensate from `step` down, from now on; whether it was running."""
    wire = _encode(to_wire(refusal))
    return await tx.execute(_FORCE, step, wire, now_ms, now_ms, saga_id) == 1


async def progress(tx: Tx, saga_id: str, *, step: int, state: SagaState, now_ms: int) -> None:
    """Record that a local step in the middle is done (or undone). Raises Conflict."""
    _moved(await tx.execute(_PROGRESS, step, now_ms, saga_id, state), saga_id)


@dataclass(frozen=True, slots=True)
class Deferral:
    """Why and until when a saga waits, and at which step: those before it need not run again."""

    step: int
    attempts: int
    error: str
    next_at_ms: int
    state: SagaState


async def defer(tx: Tx, saga_id: str, deferral: Deferral, *, now_ms: int) -> None:
    """Record a failed attempt and when the next one is due."""
    await tx.execute(
        _DEFER,
        deferral.step,
        deferral.attempts,
        deferral.error[:ERROR_CHARS_MAX],
        deferral.next_at_ms,
        now_ms,
        saga_id,
        deferral.state,
    )


async def by_key(tx: Tx, key: str, fingerprint: bytes) -> Entry | None:
    """The saga started under a key. Raises KeyConflict when its fingerprint differs."""
    row = await tx.fetch_one(_BY_KEY, key)
    if row is None:
        return None
    if row[-1] != fingerprint:
        raise KeyConflict
    return entry(row[:-1])


async def by_id(tx: Tx, saga_id: str) -> Entry | None:
    """The saga of that id."""
    row = await tx.fetch_one(_BY_ID, saga_id)
    return entry(row) if row else None


async def due(tx: Tx, *, until_ms: int, limit: int) -> list[Entry]:
    """Open sagas whose next attempt is due, the longest waiting first."""
    return [entry(row) for row in await tx.fetch(_DUE, until_ms, limit)]


async def make_all_due(tx: Tx, *, now_ms: int) -> None:
    """Every open saga is due now."""
    await tx.execute(_ALL_DUE, now_ms, now_ms)


async def next_due_ms(tx: Tx) -> int | None:
    """When the next open saga is due; None: there is none."""
    row = await tx.fetch_one(_NEXT)
    return row[0] if row else None


def json_list(words: Sequence[str]) -> str:
    """Any number of ids as one parameter, for `json_each(?)`."""
    return _encode(words).decode()


def _moved(rows: int, saga_id: str) -> None:
    if rows != 1:
        raise Conflict(f"the saga {saga_id} was moved by somebody else")


def entry(row: Row) -> Entry:
    """The entry of a row of COLUMNS."""
    saga_id, name, version, state, step, attempts, input_, refusal, next_at_ms, traceparent = row
    return Entry(
        saga_id=saga_id,
        name=name,
        version=version,
        state=SagaState(state),
        step=step,
        attempts=attempts,
        input=input_,
        refusal=refusal,
        next_at_ms=next_at_ms,
        traceparent=traceparent,
    )
