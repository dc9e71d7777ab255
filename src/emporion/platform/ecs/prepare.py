"""Makes what a shop needs before its first start: databases, who trusts whom, certificates."""

import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.data.postgres.provision import provide
from emporion.contracts.operations import OperationsService
from emporion.kernel.errors import Unavailable
from emporion.platform.ecs.secrets import Secrets, password_in
from emporion.platform.ecs.told import (
    PREPARE,
    DatabaseTold,
    PrepareTold,
    authority_secret,
    caller_secret,
    database_secret,
    identity_secret,
    read_told,
    tls_secret,
    trust_secret,
)
from emporion.platform.supervisor.certificates import Signer
from emporion.platform.supervisor.plan import PLATFORM, SEEDS
from emporion.platform.topology.process_file import TrustedCaller

AUTHORITY_DAYS: Final = 3_650
"""Everybody trusts it: another one would have to be made known to all before it signs."""


async def prepare_task(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Prepare what the environment says; which databases are new. Safe to repeat.

    Raises BadTask, or Unavailable naming the secret or the server that does not answer.
    """
    told = read_told(PrepareTold, environ, PREPARE)
    async with Secrets(told.region, endpoint_url=told.endpoint_url) as secrets:
        made = [one.service for one in told.databases if await _provide(told, one, secrets)]
        trusted = [await _caller(told, name, secrets) for name in told.processes]
        await secrets.put(trust_secret(told.shop), msgspec.json.encode(trusted).decode())
        if told.is_tls:
            await _issue(told, secrets)
    return made


async def _issue(told: PrepareTold, secrets: Secrets) -> None:
    """A new certificate for everybody, of the shop's one authority: those given out stay good."""
    signer = await _authority(told, secrets)
    for process, services in told.processes.items():
        issued = signer.issue(process, (*services, OperationsService.NAME))
        await secrets.put(tls_secret(told.shop, process), msgspec.json.encode(issued).decode())
    for caller in told.callers:
        issued = signer.issue(caller, (caller,))
        await secrets.put(caller_secret(told.shop, caller), msgspec.json.encode(issued).decode())


async def _authority(told: PrepareTold, secrets: Secrets) -> Signer:
    """The one that is kept, or a new one. Raises Unavailable when what is kept is none."""
    name = authority_secret(told.shop)
    try:
        kept = msgspec.json.decode(await secrets.get(name), type=dict[str, str])
        if kept:
            return Signer.from_stored(kept["key"], kept["certificate"])
    except (msgspec.MsgspecError, KeyError, ValueError, TypeError) as error:
        raise Unavailable(f"the secret {name} holds no authority") from error
    made = Signer.new(valid_days=AUTHORITY_DAYS)
    said = {"key": made.key, "certificate": made.certificate}
    await secrets.put(name, msgspec.json.encode(said).decode())
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
