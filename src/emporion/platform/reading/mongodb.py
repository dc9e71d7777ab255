"""A service's MongoDB database, read beside the processes that write it."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, TypeVar

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from emporion.chassis.data.mongo.errors import host_of, named
from emporion.chassis.data.mongo.transaction import Connected, MongoTx
from emporion.chassis.runtime.system import SystemClock, SystemIds
from emporion.kernel.errors import Unavailable
from emporion.platform.reading.refusals import ReadOnly

T = TypeVar("T")
CONNECT_TIMEOUT_MS = 5_000


class ReadOnlyMongo:
    """Database (the port) of documents, whose transactions refuse every write.

    Every read sees one instant. Connects when it is first read from: raises Unavailable naming
    the host then.

    Args:
        url: `mongodb://...`; never shown in an error.
        source: the service's name, and that of its database.
    """

    engine = "mongodb"

    def __init__(self, url: str, source: str) -> None:
        self._where = host_of(url)
        try:
            client = AsyncMongoClient[dict[str, Any]](
                url,
                serverSelectionTimeoutMS=CONNECT_TIMEOUT_MS,
                connectTimeoutMS=CONNECT_TIMEOUT_MS,
                appname=f"emporion-{source}-reader",
            )
        except (PyMongoError, ValueError):  # their texts may quote the address
            raise Unavailable(f"the address of the {source} database is not valid") from None
        self._connected = Connected(
            client,
            database_name=source,
            source=source,
            where=self._where,
            clock=SystemClock(),
            ids=SystemIds(),
            has_bulk=False,
        )
        self._looks = count()

    @property
    def revision(self) -> int:
        """Another one at each look: somebody else may be writing."""
        return next(self._looks)

    async def transaction(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Raises ReadOnly."""
        raise ReadOnly

    async def read(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Run `work` on what is committed now; there is no limit on how long it takes."""
        client = self._connected.client
        try:
            async with client.start_session(causal_consistency=False, snapshot=True) as session:
                return await work(MongoTx(self._connected, session, is_writable=False))
        except PyMongoError as error:
            raise named(error, self._where) from error

    async def close(self) -> None:
        """Disconnect."""
        await self._connected.client.close()
