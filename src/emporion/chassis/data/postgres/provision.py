"""Gives a service a database of its own on a PostgreSQL server, and a role that owns it."""

import re

import asyncpg

from emporion.chassis.data.postgres.errors import CANNOT_CONNECT, place, reason
from emporion.kernel.errors import InvalidArgument, Unavailable

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
CONNECT_TIMEOUT_S = 5.0


async def provide(admin_dsn: str, *, name: str, password: str, template: str = "template1") -> bool:
    """A database `name`, owned by a role `name`, to which no other role may connect.

    Safe to repeat: a role that exists gets the password, a database that exists stays as it is.
    Returns whether the database was made. Two that do it at once may meet: one raises.

    Args:
        admin_dsn: of a role that may create roles and databases.
        name: lower-case letters, digits and underscores.
        password: of the role.
        template: the database that it is a copy of; nobody may be connected to that.

    Raises Unavailable naming the server when it cannot be reached or refuses, InvalidArgument for
    a name that is none.
    """
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(template)):
        raise InvalidArgument("a database is named by lower-case letters, digits and underscores")
    try:
        connection = await asyncpg.connect(admin_dsn, timeout=CONNECT_TIMEOUT_S)
        try:
            return await _provide(connection, name, password=password, template=template)
        finally:
            await connection.close()
    except CANNOT_CONNECT as error:
        why = reason(error, admin_dsn)
        raise Unavailable(f"cannot make a database through {place(admin_dsn)}: {why}") from error


async def _provide(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, *, password: str, template: str
) -> bool:
    has_role = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER" if has_role else "CREATE"
    literal = await connection.fetchval("SELECT quote_literal($1)", password)
    await connection.execute(f'{verb} ROLE "{name}" LOGIN PASSWORD {literal}')
    if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        return False
    await connection.execute(f'CREATE DATABASE "{name}" OWNER "{name}" TEMPLATE "{template}"')
    await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    return True
