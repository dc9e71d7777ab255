"""The tables of the user service in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

import msgspec

from emporion.chassis.data.database import Row, Tx
from emporion.chassis.sealing.makers import makers
from emporion.kernel.ids import UserId
from emporion.services.user.domain import (
    Account,
    Preferences,
    Role,
    Sought,
)
from emporion.services.user.ports import Reachable, StoredErasure, StoredKey

_ACCOUNT = """SELECT user_id, email, email_key, name, role, password_hash, locale, time_zone,
    wants_news, created_at_ms, indexed_by FROM account """
_REACHABLE = (
    "SELECT user_id, email, name, locale, time_zone FROM account"
    " WHERE user_id IN (SELECT value FROM json_each(?)) AND erased_at_ms IS NULL"
)
_ADD = """INSERT INTO account (user_id, email, email_key, name, role, password_hash, locale,
    time_zone, wants_news, created_at_ms, indexed_by, is_sealed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"""
_ERASE = """UPDATE account SET email = '', email_key = user_id, name = '', role = 'customer',
    password_hash = '', locale = 'en', time_zone = 'UTC', wants_news = 0, is_sealed = 1,
    indexed_by = '', erased_at_ms = ? WHERE user_id = ? AND erased_at_ms IS NULL"""
_READABLE = f"{_ACCOUNT} WHERE is_sealed = 0 ORDER BY user_id LIMIT ?"
_SEAL = (
    "UPDATE account SET email = ?, email_key = ?, indexed_by = ?, name = ?, is_sealed = 1"
    " WHERE user_id = ? AND email = ? AND name = ? AND is_sealed = 0"
)

_STANDING = "erased_at_ms IS NULL AND is_sealed = 1"
_OTHERS = (
    f"{_ACCOUNT} WHERE user_id > ? AND indexed_by <> ? AND {_STANDING} ORDER BY user_id LIMIT ?"
)
_INDEX = (
    "UPDATE account SET email_key = ?, indexed_by = ?"
    " WHERE user_id = ? AND email_key = ? AND erased_at_ms IS NULL AND is_sealed = 1"
)
# One step in the index for each name, however many accounts there are.
_NEXT_NAME = f"SELECT min(indexed_by) FROM account WHERE {_STANDING} AND indexed_by > ?"  # noqa: S608 - constants only
_HAS_NAMELESS = f"SELECT 1 FROM account WHERE {_STANDING} AND indexed_by = '' LIMIT 1"  # noqa: S608 - constants only
_COUNT = f"SELECT indexed_by, count(*) FROM account WHERE {_STANDING} GROUP BY indexed_by"  # noqa: S608 - constants only
_COUNT_READABLE = "SELECT count(*) FROM account WHERE is_sealed = 0"


class SqlAccounts:
    """The account table."""

    async def add(self, tx: Tx, account: Account) -> None:
        await tx.execute(
            _ADD,
            account.user_id,
            account.email,
            account.address,
            account.name,
            account.role.value,
            account.password_hash,
            account.preferences.locale,
            account.preferences.time_zone,
            int(account.preferences.wants_news),
            account.created_at_ms,
            account.indexed_by,
        )

    async def find(self, tx: Tx, user_id: UserId) -> Account | None:
        row = await tx.fetch_one(_ACCOUNT + "WHERE user_id = ? AND erased_at_ms IS NULL", user_id)
        return _account(row) if row else None

    async def find_by_address(self, tx: Tx, sought: Sought) -> Account | None:
        row = await tx.fetch_one(
            _ACCOUNT + "WHERE email_key IN (?, ?, ?) AND erased_at_ms IS NULL",
            sought.index,
            sought.former,
            sought.other,
        )
        return _account(row) if row else None

    async def reachable(self, tx: Tx, user_ids: Sequence[UserId]) -> list[Reachable]:
        rows = await tx.fetch(_REACHABLE, msgspec.json.encode(user_ids).decode())
        return [Reachable._make(row) for row in rows]

    async def rename(self, tx: Tx, user_id: UserId, name: str) -> None:
        await tx.execute("UPDATE account SET name = ? WHERE user_id = ?", name, user_id)

    async def prefer(self, tx: Tx, user_id: UserId, preferences: Preferences) -> None:
        await tx.execute(
            "UPDATE account SET locale = ?, time_zone = ?, wants_news = ? WHERE user_id = ?",
            preferences.locale,
            preferences.time_zone,
            int(preferences.wants_news),
            user_id,
        )

    async def appoint(self, tx: Tx, user_id: UserId, *, name: str, role: Role) -> None:
        await tx.execute(
            "UPDATE account SET name = ?, role = ? WHERE user_id = ?", name, role.value, user_id
        )

    async def replace_password(self, tx: Tx, user_id: UserId, *, old: str, new: str) -> bool:
        changed = await tx.execute(
            "UPDATE account SET password_hash = ? WHERE user_id = ? AND password_hash = ?",
            new,
            user_id,
            old,
        )
        return changed == 1

    async def erase(self, tx: Tx, user_id: UserId, *, at_ms: int) -> None:
        await tx.execute(_ERASE, at_ms, user_id)

    async def readable(self, tx: Tx, limit: int) -> list[Account]:
        return [_account(row) for row in await tx.fetch(_READABLE, limit)]

    async def seal(self, tx: Tx, before: Account, after: Account) -> bool:
        changed = await tx.execute(
            _SEAL,
            after.email,
            after.address,
            after.indexed_by,
            after.name,
            before.user_id,
            before.email,
            before.name,
        )
        return changed == 1

    async def indexed_by_others(self, tx: Tx, by: str, *, after: str, limit: int) -> list[Account]:
        return [_account(row) for row in await tx.fetch(_OTHERS, after, by, limit)]

    async def index_anew(self, tx: Tx, before: Account, address: str, *, by: str) -> bool:
        return await tx.execute(_INDEX, address, by, before.user_id, before.address) == 1

    async def index_names(self, tx: Tx) -> frozenset[str]:
        return await makers(tx, _NEXT_NAME, _HAS_NAMELESS)

    async def index_counts(self, tx: Tx) -> dict[str, int]:
        """How many accounts are indexed with the secret of which name."""
        return dict(await tx.fetch(_COUNT))

    async def count_readable(self, tx: Tx) -> int:
        """How many accounts are not sealed yet."""
        (row,) = await tx.fetch(_COUNT_READABLE)
        return int(row[0])


def _account(row: Row) -> Account:
    (user_id, email, key, name, role, password_hash, locale, time_zone, news, created, by) = row
    return Account(
        user_id=user_id,
        address=key,
        email=email,
        name=name,
        role=Role(role),
        password_hash=password_hash,
        preferences=Preferences(locale, time_zone, bool(news)),
        created_at_ms=created,
        indexed_by=by,
    )


class SqlSigningKeys:
    """The signing_key table."""

    async def all(self, tx: Tx) -> list[StoredKey]:
        rows = await tx.fetch(
            "SELECT kid, signs_from_ms, pair FROM signing_key ORDER BY signs_from_ms, kid"
        )
        return [StoredKey(*row) for row in rows]

    async def add(self, tx: Tx, key: StoredKey) -> None:
        await tx.execute(
            "INSERT INTO signing_key VALUES (?, ?, ?)", key.kid, key.signs_from_ms, key.pair
        )

    async def delete(self, tx: Tx, kid: str) -> None:
        await tx.execute("DELETE FROM signing_key WHERE kid = ?", kid)


class SqlErasures:
    """The erasure table."""

    async def add(self, tx: Tx, erasure: StoredErasure) -> None:
        await tx.execute(
            "INSERT INTO erasure VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id) DO NOTHING", *erasure
        )

    async def finish(self, tx: Tx, user_id: UserId, *, at_ms: int) -> None:
        await tx.execute(
            "UPDATE erasure SET done_at_ms = ? WHERE user_id = ? AND done_at_ms IS NULL",
            at_ms,
            user_id,
        )

    async def find(self, tx: Tx, user_id: UserId) -> StoredErasure | None:
        row = await tx.fetch_one(
            "SELECT user_id, actor, reason, asked_at_ms, done_at_ms FROM erasure WHERE user_id = ?",
            user_id,
        )
        return StoredErasure._make(row) if row else None
