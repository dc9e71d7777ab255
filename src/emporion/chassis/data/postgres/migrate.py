"""Applies migrations to a PostgreSQL database, each once, each whole or not at all."""

from collections.abc import Sequence

from emporion.chassis.data.migrations.runner import File, MigrationFailed, Migrations, missing
from emporion.chassis.data.postgres.errors import ERRORS
from emporion.chassis.data.postgres.session import Session

STARTERS_WAIT_S = 60
"""How long a second starter waits for the first one's migrations."""

_LOCK = "SELECT pg_advisory_lock(hashtextextended('emporion migrations', 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('emporion migrations', 0))"
_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    component text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at_ms bigint NOT NULL,
    PRIMARY KEY (component, number)
)"""
_APPLIED = "SELECT number, checksum FROM migration WHERE component = $1"
_NOTE = "INSERT INTO migration VALUES ($1, $2, $3, $4, $5)"


async def migrate(session: Session, sources: Sequence[Migrations], *, now_ms: int) -> None:
    """Bring the schema up to date, component by component, in the order of the numbers.

    Several may start at once: the first one migrates, the others wait and find it done. Raises
    MigrationFailed naming the file: when its SQL fails (nothing of it is kept), when another
    starter does not come to an end, and as `missing` does.
    """
    connection = session.connection
    try:
        await connection.execute(f"SET lock_timeout = '{STARTERS_WAIT_S}s'")
        await connection.fetch(_LOCK)
    except ERRORS as error:
        raise MigrationFailed(f"another starter migrates and does not end: {error}") from error
    try:
        await connection.execute(_TABLE)
        for source in sources:
            rows = await connection.fetch(_APPLIED, source.component)
            for file in missing(source, {row[0]: row[1] for row in rows}):
                await _apply(session, source.component, file, now_ms=now_ms)
    finally:
        if not session.is_lost:
            await connection.fetch(_UNLOCK)


async def _apply(session: Session, component: str, file: File, *, now_ms: int) -> None:
    connection = session.connection
    try:
        async with connection.transaction():
            await connection.execute(file.sql)
            await connection.execute(
                _NOTE, component, file.number, file.name, file.checksum, now_ms
            )
    except ERRORS as error:
        raise MigrationFailed(f"{component}/{file.name}: {error}") from error
