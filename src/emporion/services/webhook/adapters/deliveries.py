"""DeliveryStore in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

from emporion.chassis.data.database import Row, Tx
from emporion.services.webhook.domain.schedule import Status
from emporion.services.webhook.ports import Due, Post, StoredAttempt, StoredDelivery, Tried

_KEEP = (
    "INSERT INTO hook_message (event_id, name, key, occurred_at_ms, body, traceparent)"
    " VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (event_id) DO NOTHING"
)
_COLLECT = (
    "INSERT INTO hook_delivery (hook_id, event_id, status, attempts, tried_since_ms, is_taken,"
    " next_at_ms, last_status, last_error, created_at_ms, updated_at_ms)"
    " VALUES (?, ?, 'waiting', 0, ?, 0, ?, 0, '', ?, ?) ON CONFLICT (event_id, hook_id) DO NOTHING"
)
_DUE = (
    "SELECT d.seq, d.event_id, d.attempts, d.tried_since_ms, m.body, m.traceparent"
    " FROM hook_delivery AS d JOIN hook_message AS m ON m.event_id = d.event_id"
    " WHERE d.hook_id = ? AND d.status = 'waiting' AND d.next_at_ms <= ?"
    " ORDER BY d.next_at_ms, d.seq LIMIT ? {}"
)
_DUE_ALONE = _DUE.format("")
_DUE_AMONG_OTHERS = _DUE.format("FOR UPDATE OF d SKIP LOCKED")
_TAKE = "UPDATE hook_delivery SET next_at_ms = ?, is_taken = 1 WHERE seq = ?"
_GIVE_BACK_ALL = (
    "UPDATE hook_delivery SET next_at_ms = ?, is_taken = 0 WHERE status = 'waiting'"
    " AND is_taken = 1"
)
_NEXT = "SELECT min(next_at_ms) FROM hook_delivery WHERE hook_id = ? AND status = 'waiting'"
_SETTLE = (
    "UPDATE hook_delivery SET status = ?, attempts = ?, next_at_ms = ?, is_taken = 0,"
    " last_status = ?, last_error = ?, updated_at_ms = ? WHERE seq = ? AND status = 'waiting'"
)
_ATTEMPT = (
    "INSERT INTO hook_attempt (delivery_seq, number, at_ms, status, duration_ms, error)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (delivery_seq, number) DO NOTHING"
)
_FAIL_WAITING = (
    "UPDATE hook_delivery SET status = 'failed', last_error = ?, is_taken = 0, updated_at_ms = ?"
    " WHERE hook_id = ? AND status = 'waiting'"
)
_REDRIVE = (
    "UPDATE hook_delivery SET status = 'waiting', tried_since_ms = ?, next_at_ms = ?,"
    " updated_at_ms = ? WHERE hook_id = ? AND seq = ? AND is_taken = 0"
)
_REDRIVE_FAILED = (
    "UPDATE hook_delivery SET status = 'waiting', tried_since_ms = ?, next_at_ms = ?,"
    " updated_at_ms = ? WHERE seq IN (SELECT seq FROM hook_delivery WHERE hook_id = ?"
    " AND status = 'failed' AND created_at_ms >= ? ORDER BY seq LIMIT ?)"
)
_DELIVERY = (
    "SELECT d.seq, d.hook_id, d.event_id, m.name, m.key, d.status, d.attempts, d.next_at_ms,"
    " d.last_status, d.last_error, d.created_at_ms FROM hook_delivery AS d"
    " JOIN hook_message AS m ON m.event_id = d.event_id WHERE d.hook_id = ?"
)
_FIND = f"{_DELIVERY} AND d.seq = ?"
_PAGE_END = " AND d.seq < ? ORDER BY d.seq DESC LIMIT ?"
_PAGE = f"{_DELIVERY}{_PAGE_END}"
_PAGE_OF_STATUS = f"{_DELIVERY} AND d.status = ?{_PAGE_END}"
_BODY = "SELECT body FROM hook_message WHERE event_id = ?"
_ATTEMPTS = (
    "SELECT at_ms, status, duration_ms, error FROM hook_attempt WHERE delivery_seq = ?"
    " ORDER BY number DESC LIMIT ?"
)
_COUNTS = (
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM hook_delivery WHERE hook_id = ?1"
    " AND status = 'waiting' LIMIT ?2) AS waiting), (SELECT count(*) FROM (SELECT 1"
    " FROM hook_delivery WHERE hook_id = ?1 AND status = 'failed' LIMIT ?2) AS failed)"
)
_PRUNE = (
    "DELETE FROM hook_delivery WHERE seq IN (SELECT seq FROM hook_delivery"
    " WHERE (status <> 'waiting' AND updated_at_ms < ?)"
    " OR hook_id NOT IN (SELECT hook_id FROM hook) LIMIT ?) RETURNING seq"
)
_PRUNE_ATTEMPTS = "DELETE FROM hook_attempt WHERE delivery_seq = ?"
_PRUNE_MESSAGES = (
    "DELETE FROM hook_message WHERE event_id IN (SELECT event_id FROM hook_message AS m"
    " WHERE NOT EXISTS (SELECT 1 FROM hook_delivery AS d WHERE d.event_id = m.event_id) LIMIT ?)"
)


class SqlDeliveries:
    """The port, in the transaction it is given; `is_alone`: nobody else sends."""

    def __init__(self, *, is_alone: bool) -> None:
        self._due = _DUE_ALONE if is_alone else _DUE_AMONG_OTHERS

    async def collect(
        self, tx: Tx, posts: Sequence[Post], wanted: Sequence[tuple[str, str]], *, at_ms: int
    ) -> None:
        await tx.execute_many(
            _KEEP,
            [(p.event_id, p.name, p.key, p.occurred_at_ms, p.body, p.traceparent) for p in posts],
        )
        rows = [(hook_id, event_id, at_ms, at_ms, at_ms, at_ms) for hook_id, event_id in wanted]
        await tx.execute_many(_COLLECT, rows)

    async def take(
        self, tx: Tx, hook_id: str, *, now_ms: int, until_ms: int, limit: int
    ) -> list[Due]:
        due = [Due(*row) for row in await tx.fetch(self._due, hook_id, now_ms, limit)]
        if due:
            await tx.execute_many(_TAKE, [(until_ms, each.seq) for each in due])
        return due

    async def give_back_all(self, tx: Tx, *, now_ms: int) -> None:
        await tx.execute(_GIVE_BACK_ALL, now_ms)

    async def next_due_ms(self, tx: Tx, hook_id: str) -> int | None:
        ((next_ms,),) = await tx.fetch(_NEXT, hook_id)
        return next_ms if next_ms is None else int(next_ms)

    async def settle(self, tx: Tx, tried: Tried) -> None:
        attempt = tried.attempt
        await tx.execute(
            _SETTLE,
            tried.status.value,
            tried.attempts,
            tried.next_at_ms,
            attempt.status,
            attempt.error,
            attempt.at_ms + attempt.duration_ms,
            tried.seq,
        )
        await tx.execute(
            _ATTEMPT,
            tried.seq,
            tried.attempts,
            attempt.at_ms,
            attempt.status,
            attempt.duration_ms,
            attempt.error,
        )

    async def fail_waiting(self, tx: Tx, hook_id: str, reason: str, *, at_ms: int) -> None:
        await tx.execute(_FAIL_WAITING, reason, at_ms, hook_id)

    async def redrive(self, tx: Tx, hook_id: str, seq: int, *, now_ms: int) -> int:
        return await tx.execute(_REDRIVE, now_ms, now_ms, now_ms, hook_id, seq)

    async def redrive_failed(
        self, tx: Tx, hook_id: str, *, since_ms: int, now_ms: int, limit: int
    ) -> int:
        return await tx.execute(_REDRIVE_FAILED, now_ms, now_ms, now_ms, hook_id, since_ms, limit)

    async def find(self, tx: Tx, hook_id: str, seq: int) -> StoredDelivery | None:
        row = await tx.fetch_one(_FIND, hook_id, seq)
        return _stored(row) if row else None

    async def body(self, tx: Tx, event_id: str) -> bytes:
        ((body,),) = await tx.fetch(_BODY, event_id)
        return bytes(body)

    async def attempts(self, tx: Tx, seq: int, *, limit: int) -> list[StoredAttempt]:
        return [StoredAttempt(*row) for row in await tx.fetch(_ATTEMPTS, seq, limit)]

    async def page(
        self, tx: Tx, hook_id: str, *, status: Status | None, before: int, limit: int
    ) -> list[StoredDelivery]:
        if status is None:
            rows = await tx.fetch(_PAGE, hook_id, before, limit)
        else:
            rows = await tx.fetch(_PAGE_OF_STATUS, hook_id, status.value, before, limit)
        return [_stored(row) for row in rows]

    async def counts(self, tx: Tx, hook_id: str, *, limit: int) -> tuple[int, int]:
        ((waiting, failed),) = await tx.fetch(_COUNTS, hook_id, limit)
        return int(waiting), int(failed)

    async def prune(self, tx: Tx, *, before_ms: int, limit: int) -> int:
        pruned = await tx.fetch(_PRUNE, before_ms, limit)
        await tx.execute_many(_PRUNE_ATTEMPTS, pruned)
        messages = await tx.execute(_PRUNE_MESSAGES, limit)
        return len(pruned) + messages


def _stored(row: Row) -> StoredDelivery:
    seq, hook_id, event_id, name, key, status, *rest = row
    return StoredDelivery(seq, hook_id, event_id, name, key, Status(status), *rest)
