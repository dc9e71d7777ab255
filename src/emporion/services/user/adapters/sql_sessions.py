"""The tables of sessions and of attempts to sign in, in SQL that SQLite and PostgreSQL share."""

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import UserId
from emporion.services.user.domain import SESSIONS_PER_ACCOUNT_MAX, Attempts, Session


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
