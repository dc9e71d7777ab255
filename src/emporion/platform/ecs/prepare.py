"""Makes what a shop needs before its first start: databases with owners, and who trusts whom."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.data.postgres.provision import provide
from emporion.kernel.errors import Unavailable
from emporion.platform.ecs.secrets import Secrets, password_in
from emporion.platform.ecs.told import (
    PREPARE,
    DatabaseTold,
    PrepareTold,
    database_secret,
    identity_secret,
    read_told,
    trust_secret,
)
from emporion.platform.supervisor.plan import PLATFORM, SEEDS
from emporion.platform.topology.process_file import TrustedCaller


async def prepare_task(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Prepare what the environment says; which databases are new. Safe to repeat.

    Raises BadTask, or Unavailable naming the secret or the server that does not answer.
    """
    told = read_told(PrepareTold, environ, PREPARE)
    async with Secrets(told.region, endpoint_url=told.endpoint_url) as secrets:
        made = [one.service for one in told.databases if await _provide(told, one, secrets)]
        trusted = [await _caller(told, name, secrets) for name in told.processes]
        await secrets.put(trust_secret(told.shop), msgspec.json.encode(trusted).decode())
    return made


async def _provide(told: PrepareTold, database: DatabaseTold, secrets: Secrets) -> bool:
    own = database_secret(told.shop, database.service)
    password = password_in(own, await secrets.get(own))
    admin = _admin_dsn(database, await secrets.get(database.admin_secret))
    return await provide(admin, name=database.service, password=password)


def _admin_dsn(database: DatabaseTold, said: str) -> str:
    """RDS keeps `{"username": ..., "password": ...}` for the owner of an instance."""
    try:
        admin = msgspec.json.decode(said, type=dict[str, Any])
        user, password = quote(admin["username"], safe=""), quote(admin["password"], safe="")
    except (msgspec.MsgspecError, KeyError) as error:
        raise Unavailable(f"the secret {database.admin_secret} is not one of RDS") from error
    if database.host.startswith("/"):
        return f"postgresql://{user}:{password}@/postgres?host={quote(database.host)}"
    where = f"{database.host}:{database.port}"
    return f"postgresql://{user}:{password}@{where}/postgres?sslmode=require"


async def _caller(told: PrepareTold, process: str, secrets: Secrets) -> TrustedCaller:
    """The public half of a process's key, and for which services it speaks."""
    name = identity_secret(told.shop, process)
    key = SigningKey.from_secret(password_in(name, await secrets.get(name)))
    services = told.processes[process]
    speaks_for = (*services, PLATFORM) if SEEDS in services else services
    return TrustedCaller(services=speaks_for, key=key.public)
