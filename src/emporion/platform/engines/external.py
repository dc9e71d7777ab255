"""Whether an engine that somebody else runs can be reached, said without its password."""

from typing import Final
from urllib.parse import urlsplit

import asyncpg
from nats.aio.client import Client
from nats.errors import Error as NatsError

from emporion.platform.topology.kinds import Engine

REACH_TIMEOUT_S: Final = 5
_HAS_TIMESCALE: Final = "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"


async def check_database(engine: Engine, address: str) -> None:
    """Connect and ask for a trifle. Raises ConnectionError saying where and why not."""
    match engine:
        case Engine.SQLITE:
            return  # a file of our own
        case Engine.POSTGRES:
            await _check_postgres(address)
        case Engine.TIMESCALE:
            await _check_timescale(address)
        case Engine.MONGODB:
            await _check_mongodb(address)


async def check_nats(address: str) -> None:
    """Connect. Raises ConnectionError saying where and why not."""
    client = Client()
    try:
        await client.connect(
            address,
            allow_reconnect=False,
            reconnect_time_wait=0,
            connect_timeout=REACH_TIMEOUT_S,
            error_cb=_unheard,
        )
    except (NatsError, OSError, ValueError) as error:
        raise _unreachable("NATS", address, error) from error
    finally:
        await client.close()


async def _check_postgres(address: str) -> None:
    try:
        connection = await asyncpg.connect(address, timeout=REACH_TIMEOUT_S)
        await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise _unreachable("PostgreSQL", address, error) from error


async def _check_timescale(address: str) -> None:
    try:
        connection = await asyncpg.connect(address, timeout=REACH_TIMEOUT_S)
        try:
            is_there = await connection.fetchval(_HAS_TIMESCALE)
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise _unreachable("TimescaleDB", address, error) from error
    if not is_there:
        why = ConnectionError("this PostgreSQL has no extension timescaledb")
        raise _unreachable("TimescaleDB", address, why)


async def _check_mongodb(address: str) -> None:
    from pymongo import AsyncMongoClient  # noqa: PLC0415 - installed only where it is used
    from pymongo.errors import PyMongoError  # noqa: PLC0415 - same

    try:
        async with AsyncMongoClient[dict[str, object]](
            address, serverSelectionTimeoutMS=REACH_TIMEOUT_S * 1000
        ) as client:
            # A command that needs the user, unlike a ping.
            await client.get_default_database("test").list_collection_names()
    except (PyMongoError, OSError, ValueError) as error:
        raise _unreachable("MongoDB", address, error) from error


def _unreachable(what: str, address: str, error: Exception) -> ConnectionError:
    try:
        parts = urlsplit(address)
        where = f"{parts.hostname or '?'}:{parts.port or '?'}"
        password = parts.password or ""
    except ValueError:
        return ConnectionError(f"{what}: the address is no URL; write {what.lower()}://...")
    why = " ".join(str(error).split())[:200] or type(error).__name__
    if password:
        why = why.replace(password, "********")
    return ConnectionError(
        f"{what} at {where} cannot be used: {why}; see that it runs, and who may"
    )


async def _unheard(_: Exception) -> None:
    """The client tells its errors twice: here, and by raising them."""
