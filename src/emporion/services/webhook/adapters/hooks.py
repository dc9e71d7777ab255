"""HookStore in SQL that SQLite and PostgreSQL share."""

import msgspec

from emporion.chassis.data.database import Row, Tx
from emporion.services.webhook.domain.hook import HookStatus
from emporion.services.webhook.ports import StoredHook, Wish

_COLUMNS = (
    "hook_id, url, events, description, status, reason, secret, old_secret, old_until_ms,"
    " since_ms, created_at_ms, created_by"
)
_SELECT = f"SELECT {_COLUMNS} FROM hook"  # noqa: S608 - constant columns
_ADD = f"INSERT INTO hook ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constant columns
_FIND = f"{_SELECT} WHERE hook_id = ?"
_FIND_TO_CHANGE = f"{_FIND} /* for update */"
_SAVE = (
    "UPDATE hook SET url = ?, events = ?, description = ?, status = ?, reason = ?, secret = ?,"
    " old_secret = ?, old_until_ms = ?, since_ms = ? WHERE hook_id = ?"
)
_REMOVE = "DELETE FROM hook WHERE hook_id = ?"
_COUNT = "SELECT count(*) FROM hook"
_PAGE = f"{_SELECT} WHERE hook_id < ? AND (? = '' OR status = ?) ORDER BY hook_id DESC LIMIT ?"
_WISHES = "SELECT hook_id, events, since_ms FROM hook WHERE status IN ('active', 'paused')"
_ACTIVE = f"{_SELECT} WHERE status = 'active' ORDER BY hook_id"

_encode = msgspec.json.Encoder().encode
_events = msgspec.json.Decoder(tuple[str, ...]).decode


class SqlHooks:
    """The port, in the transaction it is given."""

    async def add(self, tx: Tx, hook: StoredHook) -> None:
        await tx.execute(
            _ADD,
            hook.hook_id,
            hook.url,
            _encode(hook.events).decode(),
            hook.description,
            hook.status.value,
            hook.reason,
            hook.secret,
            hook.old_secret,
            hook.old_until_ms,
            hook.since_ms,
            hook.created_at_ms,
            hook.created_by,
        )

    async def find(self, tx: Tx, hook_id: str) -> StoredHook | None:
        row = await tx.fetch_one(_FIND, hook_id)
        return _stored(row) if row else None

    async def find_to_change(self, tx: Tx, hook_id: str) -> StoredHook | None:
        row = await tx.fetch_one(_FIND_TO_CHANGE, hook_id)
        return _stored(row) if row else None

    async def save(self, tx: Tx, hook: StoredHook) -> None:
        await tx.execute(
            _SAVE,
            hook.url,
            _encode(hook.events).decode(),
            hook.description,
            hook.status.value,
            hook.reason,
            hook.secret,
            hook.old_secret,
            hook.old_until_ms,
            hook.since_ms,
            hook.hook_id,
        )

    async def remove(self, tx: Tx, hook_id: str) -> None:
        await tx.execute(_REMOVE, hook_id)

    async def count(self, tx: Tx) -> int:
        await tx.lock("hooks")
        ((number,),) = await tx.fetch(_COUNT)
        return int(number)

    async def page(
        self, tx: Tx, *, status: HookStatus | None, before: str, limit: int
    ) -> list[StoredHook]:
        wanted = status.value if status else ""
        return [_stored(row) for row in await tx.fetch(_PAGE, before, wanted, wanted, limit)]

    async def wishes(self, tx: Tx) -> list[Wish]:
        return [
            Wish(hook_id, _events(events), since_ms)
            for hook_id, events, since_ms in await tx.fetch(_WISHES)
        ]

    async def active(self, tx: Tx) -> list[StoredHook]:
        return [_stored(row) for row in await tx.fetch(_ACTIVE)]


def _stored(row: Row) -> StoredHook:
    hook_id, url, events, description, status, *rest = row
    return StoredHook(hook_id, url, _events(events), description, HookStatus(status), *rest)
