"""WebhookStore in SQL that SQLite and PostgreSQL share."""

from emporion.chassis.data.database import Row, Tx
from emporion.kernel.ids import OrderId
from emporion.services.payment.ports import KeptWebhook

_COLUMNS = (
    "provider, event_id, order_id, reference, received_at_ms, due_at_ms, attempts, last_error"
)
_NO_BODY = b""
"""Bodies were kept once, and the column is still there."""
_KEEP = (
    f"INSERT INTO webhook ({_COLUMNS}, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants only
    " ON CONFLICT (provider, event_id) DO NOTHING"
)
_DUE = (
    f"SELECT {_COLUMNS} FROM webhook WHERE due_at_ms IS NOT NULL AND due_at_ms <= ?"  # noqa: S608 - constants only
    " ORDER BY due_at_ms LIMIT ?"
)
_NEXT = "SELECT min(due_at_ms) FROM webhook WHERE due_at_ms IS NOT NULL"
_SETTLE = (
    "UPDATE webhook SET due_at_ms = ?, attempts = ?, last_error = ?"
    " WHERE provider = ? AND event_id = ? AND due_at_ms IS NOT NULL"
)
_WAITING = (
    f"SELECT {_COLUMNS} FROM webhook WHERE due_at_ms IS NOT NULL AND attempts > 0"  # noqa: S608 - constants only
    " ORDER BY received_at_ms LIMIT ?"
)
_PRUNE = (
    "DELETE FROM webhook WHERE (provider, event_id) IN (SELECT provider, event_id FROM webhook"
    " WHERE due_at_ms IS NULL AND received_at_ms < ? ORDER BY received_at_ms LIMIT ?)"
)


class SqlWebhooks:
    """The port, on one database."""

    async def keep(self, tx: Tx, webhook: KeptWebhook) -> bool:
        return bool(
            await tx.execute(
                _KEEP,
                webhook.provider,
                webhook.event_id,
                webhook.order_id,
                webhook.reference,
                webhook.received_at_ms,
                webhook.due_at_ms,
                webhook.attempts,
                webhook.last_error,
                _NO_BODY,
            )
        )

    async def due(self, tx: Tx, now_ms: int, *, limit: int) -> list[KeptWebhook]:
        return [_webhook(row) for row in await tx.fetch(_DUE, now_ms, limit)]

    async def next_due_ms(self, tx: Tx) -> int | None:
        row = await tx.fetch_one(_NEXT)
        return row[0] if row else None

    async def settle(self, tx: Tx, webhook: KeptWebhook) -> None:
        await tx.execute(
            _SETTLE,
            webhook.due_at_ms,
            webhook.attempts,
            webhook.last_error,
            webhook.provider,
            webhook.event_id,
        )

    async def waiting(self, tx: Tx, *, limit: int) -> list[KeptWebhook]:
        return [_webhook(row) for row in await tx.fetch(_WAITING, limit)]

    async def prune(self, tx: Tx, before_ms: int, *, limit: int) -> None:
        await tx.execute(_PRUNE, before_ms, limit)


def _webhook(row: Row) -> KeptWebhook:
    provider, event_id, order_id, *rest = row
    return KeptWebhook(provider, event_id, OrderId(order_id), *rest)
