"""From what a task is told, and its secrets, to a process of the shop."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.runtime.system import system_runtime
from emporion.kernel.errors import Unavailable
from emporion.platform.ecs.held import held_service
from emporion.platform.ecs.metadata import task_place
from emporion.platform.ecs.secrets import Secrets, password_in, setting_in
from emporion.platform.ecs.told import (
    TASK,
    BadTask,
    TaskTold,
    identity_secret,
    read_told,
    tls_secret,
    trust_secret,
)
from emporion.platform.fabric import migrations_of
from emporion.platform.serve import opened_shop, serving_process
from emporion.platform.services import SERVICES
from emporion.platform.settings import SECRET, Environment, Settings, load
from emporion.platform.split_fabric import open_engine
from emporion.platform.supervisor.certificates import Issued, tls_files
from emporion.platform.topology.kinds import BusKind, DiscoveryKind
from emporion.platform.topology.process_file import (
    BusPlace,
    DiscoveryPlace,
    ProcessFile,
    TrustedCaller,
)


async def serve_task(environ: Mapping[str, str] = os.environ) -> None:
    """Serve what the environment says until SIGTERM, then drain.

    Raises BadTask, UnknownSetting, Unavailable naming a secret or an engine, MigrationFailed; then
    nothing of it runs, and ECS starts another.
    """
    told = read_told(TaskTold, environ, TASK)
    process = await process_file(told, environ)
    async with serving_process(process) as lifecycle:
        await lifecycle.run()


async def migrate_task(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Bring the schemas of the task's services up to date, and end; which services.

    Raises what `serve_task` raises.
    """
    told = read_told(TaskTold, environ, TASK)
    async with Secrets(told.region, endpoint_url=told.endpoint_url) as secrets:
        held = [await held_service(one, secrets) for one in told.services]
    runtime = system_runtime()
    for one in held:
        database = open_engine(one, runtime)
        try:
            await database.open(migrations_of(one.name, one.engine))
        finally:
            await database.close()
    return [one.name for one in held]


async def operator_task(email: str, environ: Mapping[str, str] = os.environ) -> str:
    """Make the shop's first operator, with the password in the setting `operator_password`; its id.

    An account of that address becomes an operator's, with that password. Raises what `serve_task`
    raises, and BadTask where the user service is not in the task or no password is set.
    """
    told = read_told(TaskTold, environ, TASK)
    if "user" not in {one.name for one in told.services} or "operator_password" not in told.secrets:
        raise BadTask("an operator is made by a task of the user service with operator_password")
    process = await process_file(told, environ)
    async with opened_shop(process) as shop:
        password = process.settings.operator_password
        return str(await shop.user.operators.put(email, password))


async def process_file(told: TaskTold, environ: Mapping[str, str]) -> ProcessFile:
    """What the process is to know, its secrets among it. Raises BadTask, Unavailable."""
    place = task_place(environ)
    instance = f"{told.process}-{place.instance}"
    async with Secrets(told.region, endpoint_url=told.endpoint_url) as secrets:
        identity = identity_secret(told.shop, told.process)
        tls_names = [tls_secret(told.shop, told.process)] if told.is_tls else []
        names = [identity, trust_secret(told.shop), *tls_names, *told.secrets.values()]
        said = await secrets.all_of(names)
        held = [await held_service(one, secrets) for one in told.services]
    folder = Path(told.data) / "processes" / instance
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    tls = tls_files(folder / "tls", told.process) if told.is_tls else None
    if tls is not None:
        _issued(said[tls_secret(told.shop, told.process)]).write(tls)
    key = SigningKey.from_secret(password_in(identity, said[identity]))
    return ProcessFile(
        process=told.process,
        instance=instance,
        services=tuple(held),
        elsewhere=tuple(name for name in SERVICES if name in told.elsewhere),
        settings=_settings(told, environ, folder=folder, said=said),
        grpc_host=told.host,
        grpc_port=told.grpc_port,
        address=told.host,
        place=dict(place.attributes),
        bus=_bus(told),
        discovery=DiscoveryPlace(
            kind=DiscoveryKind.CLOUD_MAP,
            namespace=told.namespace,
            region=told.region,
            endpoint_url=told.endpoint_url,
            process_of=told.elsewhere,
        ),
        service_key=key.stored(),
        trusted=_trusted(said[trust_secret(told.shop)]),
        tls=tls,
        trusted_proxies=told.trusted_proxies,
        listening_file=str(folder / "listening.json"),
        drain_grace_s=told.drain_grace_s,
        is_seeding=told.is_development and any(one.name == "user" for one in held),
    )


def _bus(told: TaskTold) -> BusPlace:
    return BusPlace(
        kind=BusKind.SNS_SQS,
        url=told.endpoint_url,
        region=told.region,
        publishers=tuple(SERVICES),
        prefix=told.shop,
        topic_arns=told.topic_arns,
    )


def _settings(
    told: TaskTold, environ: Mapping[str, str], *, folder: Path, said: Mapping[str, str]
) -> Settings:
    unknown = [name for name in told.secrets if name not in SECRET]
    if unknown:
        raise BadTask(f"{', '.join(unknown)}: no setting that is a secret")
    settings = load(environ=environ)
    kept: dict[str, Any] = {name: setting_in(said[secret]) for name, secret in told.secrets.items()}
    empty = [name for name, value in kept.items() if not value]
    if empty and not told.is_development:
        names = ", ".join(told.secrets[name] for name in empty)
        raise Unavailable(f"nobody has filled in the secret {names}; see docs/aws.md")
    if told.mail_domain:
        kept |= {"ses_region": told.region, "mail_from": f"shop@{told.mail_domain}"}
    return replace(
        settings,
        **{name: value for name, value in kept.items() if name not in empty},
        host=told.host,
        port=told.http_port,
        data=str(folder),
        drain_s=told.drain_s,
        environment=Environment.DEVELOPMENT if told.is_development else Environment.PRODUCTION,
    )


def _issued(said: str) -> Issued:
    try:
        return msgspec.json.decode(said, type=Issued)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"no certificate was issued, run the task `prepare`: {error}") from None


def _trusted(said: str) -> tuple[TrustedCaller, ...]:
    try:
        return msgspec.json.decode(said, type=tuple[TrustedCaller, ...])
    except msgspec.MsgspecError as error:
        raise Unavailable(f"the shop is not prepared, run its task `prepare`: {error}") from error
