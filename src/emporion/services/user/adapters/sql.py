"""The tables of the user service in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

import msgspec

from emporion.chassis.data.database import Row, Tx
from emporion.kernel.ids import UserId
from emporion.services.user.domain import (
    SESSIONS_PER_ACCOUNT_MAX,
    Account,
    Attempts,
    Preferences,
    Role,
    Session,
    Sought,
)
from emporion.services.user.ports import Reachable, StoredErasure, StoredKey

_ACCOUNT = """SELECT user_id, email, email_key, name, role, password_hash, locale, time_zone,
    wants_news, created_at_ms FROM account """
_REACHABLE = (
    "SELECT user_id, email, name, locale, time_zone FROM account"
    " WHERE user_id IN (SELECT value FROM json_each(?)) AND erased_at_ms IS NULL"
)
_ADD = """INSERT INTO account (user_id, email, email_key, name, role, password_hash, locale,
    time_zone, wants_news, created_at_ms, is_sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"""
_ERASE = """UPDATE account SET email = '', email_key = user_id, name = '', role = 'customer',
    password_hash = '', locale = 'en', time_zone = 'UTC', wants_news = 0, is_sealed = 1,
    erased_at_ms = ? WHERE user_id = ? AND erased_at_ms IS NULL"""
_READABLE = f"{_ACCOUNT} WHERE is_sealed = 0 ORDER BY user_id LIMIT ?"
_SEAL = (
    "UPDATE account SET email = ?, email_key = ?, name = ?, is_sealed = 1"
    " WHERE user_id = ? AND email = ? AND name = ? AND is_sealed = 0"
)


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
        )

    async def find(self, tx: Tx, user_id: UserId) -> Account | None:
        row = await tx.fetch_one(_ACCOUNT + "WHERE user_id = ? AND erased_at_ms IS NULL", user_id)
        return _account(row) if row else None

    async def find_by_address(self, tx: Tx, sought: Sought) -> Account | None:
        row = await tx.fetch_one(
            _ACCOUNT + "WHERE email_key IN (?, ?) AND erased_at_ms IS NULL",
            sought.index,
            sought.former,
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
            after.name,
            before.user_id,
            before.email,
            before.name,
        )
        return changed == 1


def _account(row: Row) -> Account:
    (user_id, email, key, name, role, password_hash, locale, time_zone, news, created) = row
    return Account(
        user_id=user_id,
        address=key,
        email=email,
        name=name,
        role=Role(role),
        password_hash=password_hash,
        preferences=Preferences(locale, time_zone, bool(news)),
        created_at_ms=created,
    )


class SqlSessions:
    """The session table."""

    async def add(self, tx: Tx, session: Session) -> None:
        await tx.execute(
            "DELETE FROM session WHERE session_id IN (SELECT session_id FROM session"
            " WHERE user_id = ? ORDER BY expires_at_ms DESC LIMIT 1000 OFFSET ?)",
            session.user_id,
            SESSIONS_PER_ACCOUNT_MAX - 1,
        )
        await tx.execute(
            "INSERT INTO session VALUES (?, ?, ?, ?, ?)",
            session.session_id,
            session.user_id,
            session.token_hash,
            session.started_at_ms,
            session.expires_at_ms,
        )

    async def find(self, tx: Tx, session_id: str) -> Session | None:
        row = await tx.fetch_one(
            "SELECT session_id, user_id, token_hash, started_at_ms, expires_at_ms FROM session"
            " WHERE session_id = ?",
            session_id,
        )
        return Session(*row) if row else None

    async def of(self, tx: Tx, user_id: UserId) -> list[Session]:
        rows = await tx.fetch(
            "SELECT session_id, user_id, token_hash, started_at_ms, expires_at_ms FROM session"
            " WHERE user_id = ? ORDER BY started_at_ms, session_id LIMIT ?",
            user_id,
            SESSIONS_PER_ACCOUNT_MAX,
        )
        return [Session(*row) for row in rows]

    async def replace(self, tx: Tx, old: Session, new: Session) -> bool:
        changed = await tx.execute(
            "UPDATE session SET token_hash = ?, expires_at_ms = ?"
            " WHERE session_id = ? AND token_hash = ?",
            new.token_hash,
            new.expires_at_ms,
            old.session_id,
            old.token_hash,
        )
        return changed == 1

    async def end(self, tx: Tx, session_id: str) -> None:
        await tx.execute("DELETE FROM session WHERE session_id = ?", session_id)

    async def end_all(self, tx: Tx, user_id: UserId) -> None:
        await tx.execute("DELETE FROM session WHERE user_id = ?", user_id)

    async def delete_expired(self, tx: Tx, now_ms: int, limit: int) -> int:
        return await tx.execute(
            "DELETE FROM session WHERE session_id IN (SELECT session_id FROM session"
            " WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?)",
            now_ms,
            limit,
        )


class SqlThrottle:
    """The sign_in_attempt table."""

    async def find(self, tx: Tx, address: bytes) -> Attempts:
        row = await tx.fetch_one(
            "SELECT failures, blocked_until_ms, forgotten_at_ms FROM sign_in_attempt"
            " WHERE address = ?",
            address,
        )
        return Attempts(*row) if row else Attempts()

    async def put(self, tx: Tx, address: bytes, attempts: Attempts) -> None:
        await tx.execute(
            "INSERT INTO sign_in_attempt VALUES (?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET"
            " failures = excluded.failures, blocked_until_ms = excluded.blocked_until_ms,"
            " forgotten_at_ms = excluded.forgotten_at_ms",
            address,
            attempts.failures,
            attempts.blocked_until_ms,
            attempts.forgotten_at_ms,
        )

    async def take_back(self, tx: Tx, address: bytes) -> None:
        await tx.execute(
            "UPDATE sign_in_attempt SET failures = failures - 1 WHERE address = ? AND failures > 0",
            address,
        )

    async def forgive(self, tx: Tx, address: bytes) -> None:
        await tx.execute("DELETE FROM sign_in_attempt WHERE address = ?", address)

    async def delete_forgotten(self, tx: Tx, now_ms: int, limit: int) -> int:
        return await tx.execute(
            "DELETE FROM sign_in_attempt WHERE address IN (SELECT address FROM sign_in_attempt"
            " WHERE forgotten_at_ms <= ? ORDER BY forgotten_at_ms LIMIT ?)",
            now_ms,
            limit,
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
