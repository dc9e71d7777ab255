"""Where published events stand in PostgreSQL: by their transaction's number, not by a sequence.

A sequence hands out 5 before 6, and 6 may become visible first: a reader that remembers "6" passes
5 by for ever. So a position is made of the number of its transaction and the event's place within
it, and readers stop below the oldest transaction that is still open (`pg_snapshot_xmin`): whatever
becomes visible later stands above that.

Transaction numbers begin again where a dump is restored into another server. Then everything that
is published from there on is set above what was, by a base that is added.
"""

from emporion.chassis.data.postgres.session import Session
from emporion.chassis.data.postgres.transaction import EVENTS_PER_TRANSACTION_BITS

_HAS_OUTBOX = "SELECT to_regclass('outbox_base') IS NOT NULL"
_NOW = f"""
(SELECT base FROM outbox_base)
+ (CAST(CAST(pg_current_xact_id() AS text) AS bigint) << {EVENTS_PER_TRANSACTION_BITS})"""  # noqa: S608 - a constant
_MOVE = f"""
UPDATE outbox_base SET base = newest.position + 1 FROM (
    SELECT max(position) AS position FROM outbox
) AS newest WHERE newest.position >= {_NOW}"""  # noqa: S608 - constants
_FORGET = """
UPDATE outbox SET xid = '3' WHERE xid > pg_current_xact_id()"""
"""3 is the first number of all: the rows are readable, as those of every finished transaction."""


async def settle_base(session: Session) -> int:
    """What positions of this database's events begin at, on this server."""
    connection = session.connection
    async with connection.transaction():
        if not await connection.fetchval(_HAS_OUTBOX):
            return 0
        if await connection.execute(_MOVE) != "UPDATE 0":
            await connection.execute(_FORGET)
        base: int = await connection.fetchval("SELECT base FROM outbox_base")
        return base
