"""A service's PostgreSQL database, read beside the processes that write it."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from emporion.chassis.data.database import Tx
from emporion.chassis.data.postgres.readers import Readers
from emporion.chassis.data.postgres.session import Limits, Link, Session, connect
from emporion.chassis.data.postgres.transaction import PostgresTx
from emporion.chassis.runtime.system import SystemClock, SystemIds
from emporion.platform.reading.refusals import ReadOnly

T = TypeVar("T")
LIMITS = Limits(connect_s=5.0, statement_s=0.0)
"""A statement of an audit takes as long as the tables are large."""


class ReadOnlyPostgres:
    """Database (the port) on one connection, on which the server refuses every write.

    Connects when it is first read from: raises Unavailable naming host and database then.

    Args:
        dsn: `postgresql://role:password@host:port/database`; never shown in an error.
        source: the service's name.
        engine: whether it has an extension that services have an adapter for.
    """

    def __init__(self, dsn: str, source: str, *, engine: str = "postgres") -> None:
        self.engine = engine
        self._dsn = dsn
        self._source = source
        self._readers = Readers([Link(self._connect)], self._tx)
        self._looks = count()

    @property
    def revision(self) -> int:
        """Another one at each look: somebody else may be writing."""
        return next(self._looks)

    async def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Raises ReadOnly."""
        raise ReadOnly

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` on what is committed now; there is no limit on how long it takes."""
        return await self._readers.run(work)

    async def close(self) -> None:
        """Disconnect."""
        await self._readers.close()

    async def _connect(self) -> Session:
        return await connect(self._dsn, source=self._source, limits=LIMITS, is_read_only=True)

    def _tx(self) -> PostgresTx:
        return PostgresTx(self._source, clock=SystemClock(), ids=SystemIds())
