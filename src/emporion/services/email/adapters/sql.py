"""MailStore in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec.structs import astuple

from emporion.chassis.data.database import Database, Row, Tx, Value
from emporion.kernel.ids import OrderId, UserId
from emporion.services.email.domain import Status, parts_of, stored_name
from emporion.services.email.ports import DueMail, Progress, Queued, ReadableMail, StoredMail

_QUEUE = (
    "INSERT INTO mail (template, order_id, user_id, status, attempts, next_at_ms, last_error,"
    " params, created_at_ms, traceparent) VALUES (?, ?, ?, 'queued', 0, ?, '', ?, ?, ?)"
    " ON CONFLICT (order_id, template) DO NOTHING"
)
_SELECT = (
    "SELECT seq, template, order_id, user_id, status, attempts, last_error, params, contact,"
    " created_at_ms, sent_at_ms FROM mail"
)
_DUE = (
    "SELECT seq, template, order_id, user_id, attempts, params, created_at_ms, traceparent"
    " FROM mail WHERE status = 'queued' AND next_at_ms <= ? ORDER BY next_at_ms LIMIT ?"
)
# Where several instances send: what one has taken is not due to the others until its time is over.
_TAKE = (
    "UPDATE mail SET next_at_ms = ? WHERE seq IN (SELECT seq FROM mail"
    " WHERE status = 'queued' AND next_at_ms <= ? ORDER BY next_at_ms LIMIT ?"
    " FOR UPDATE SKIP LOCKED)"
    " RETURNING seq, template, order_id, user_id, attempts, params, created_at_ms, traceparent"
)
_GIVE_BACK = (
    "UPDATE mail SET next_at_ms = ? WHERE status = 'queued' AND next_at_ms = ?"
    " AND seq IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
)
SENDING_MS_MAX = 300_000
_COUNT_DUE = (
    "SELECT count(*) FROM (SELECT 1 FROM mail"
    " WHERE status = 'queued' AND next_at_ms <= ? LIMIT ?) AS due"
)
_NEXT = "SELECT min(next_at_ms) FROM mail WHERE status = 'queued'"
_SETTLE = (
    "UPDATE mail SET status = ?, attempts = ?, next_at_ms = ?, last_error = ?, contact = ?,"
    " sent_at_ms = ?, is_sealed = 1 WHERE seq = ? AND status = 'queued'"
)
_READABLE = (
    "SELECT seq, user_id, contact, last_error FROM mail"
    " WHERE contact IS NOT NULL AND is_sealed = 0 ORDER BY seq LIMIT ?"
)
_SEAL = "UPDATE mail SET contact = ?, last_error = ?, is_sealed = 1 WHERE seq = ?"
_FIND = f"{_SELECT} WHERE seq = ?"
_PAGE_END = " ORDER BY seq DESC LIMIT ?"
_PAGE = f"{_SELECT} WHERE seq < ?{_PAGE_END}"
_PAGE_OF_ORDER = f"{_SELECT} WHERE order_id = ? AND seq < ?{_PAGE_END}"
_PAGE_OF_STATUS = {
    # said in full for each status, so that the engine can use the partial indexes
    Status.QUEUED: f"{_SELECT} WHERE status = 'queued' AND seq < ?{_PAGE_END}",
    Status.SENT: f"{_SELECT} WHERE status = 'sent' AND seq < ?{_PAGE_END}",
    Status.FAILED: f"{_SELECT} WHERE status = 'failed' AND seq < ?{_PAGE_END}",
    Status.DROPPED: f"{_SELECT} WHERE status = 'dropped' AND seq < ?{_PAGE_END}",
}


class SqlMails:
    """The port, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_alone = database.engine == "sqlite"
        self._taken_until_ms = 0

    async def queue(self, tx: Tx, mails: Sequence[Queued], *, at_ms: int) -> None:
        rows = [
            (
                stored_name(mail.template, mail.about),
                mail.order_id,
                mail.user_id,
                at_ms,
                mail.params,
                at_ms,
                mail.traceparent,
            )
            for mail in mails
        ]
        await tx.execute_many(_QUEUE, rows)

    async def due(self, now_ms: int, *, limit: int) -> list[DueMail]:
        rows = await (
            self._read(_DUE, now_ms, limit) if self._is_alone else self._take(now_ms, limit)
        )
        return [_due(row) for row in rows]

    async def _take(self, now_ms: int, limit: int) -> list[Row]:
        until_ms = self._taken_until_ms = now_ms + SENDING_MS_MAX
        rows = await self._database.transaction(lambda tx: tx.fetch(_TAKE, until_ms, now_ms, limit))
        return sorted(rows)

    async def give_back(self, mails: Sequence[DueMail], now_ms: int) -> None:
        if self._is_alone:
            return
        taken = msgspec.json.encode([str(mail.seq) for mail in mails]).decode()
        until_ms = self._taken_until_ms
        await self._database.transaction(lambda tx: tx.execute(_GIVE_BACK, now_ms, until_ms, taken))

    async def count_due(self, now_ms: int, *, limit: int) -> int:
        ((number,),) = await self._read(_COUNT_DUE, now_ms, limit)
        return cast("int", number)

    async def next_due_ms(self) -> int | None:
        ((next_ms,),) = await self._read(_NEXT)
        return cast("int | None", next_ms)

    async def settle(self, progress: Sequence[Progress]) -> None:
        rows = [astuple(done) for done in progress]  # its fields are the statement's parameters
        await self._database.transaction(lambda tx: tx.execute_each(_SETTLE, rows))

    async def readable(self, limit: int) -> list[ReadableMail]:
        return [ReadableMail(*row) for row in await self._read(_READABLE, limit)]

    async def seal(self, mails: Sequence[ReadableMail]) -> None:
        rows = [(mail.contact, mail.last_error, mail.seq) for mail in mails]
        await self._database.transaction(lambda tx: tx.execute_each(_SEAL, rows))

    async def find(self, seq: int) -> StoredMail | None:
        rows = await self._read(_FIND, seq)
        return _stored(rows[0]) if rows else None

    async def page(
        self, *, order_id: OrderId | None, status: Status | None, before: int, limit: int
    ) -> list[StoredMail]:
        if order_id is not None:
            rows = await self._read(_PAGE_OF_ORDER, order_id, before, limit)
        elif status is not None:
            rows = await self._read(_PAGE_OF_STATUS[status], before, limit)
        else:
            rows = await self._read(_PAGE, before, limit)
        mails = [_stored(row) for row in rows]
        return [mail for mail in mails if status is None or mail.status is status]

    async def _read(self, sql: str, *args: Value) -> list[Row]:
        return await self._database.read(lambda tx: tx.fetch(sql, *args))


def _name(mail: Queued) -> str:
    return stored_name(mail.template, mail.about) if mail.about else mail.template


def _due(row: Row) -> DueMail:
    seq, name, order_id, user_id, attempts, params, created_at_ms, traceparent = row
    template, about = parts_of(name)
    return DueMail(
        seq, template, order_id, user_id, attempts, params, created_at_ms, about, traceparent
    )


def _stored(row: Row) -> StoredMail:
    return StoredMail(
        seq=row[0],
        template=parts_of(row[1])[0],
        order_id=OrderId(row[2]),
        user_id=UserId(row[3]),
        status=Status(row[4]),
        attempts=row[5],
        last_error=row[6],
        params=row[7],
        contact=row[8],
        created_at_ms=row[9],
        sent_at_ms=row[10],
    )
