"""Where a service's data is, put together from what a task is told and from its secrets."""

from urllib.parse import quote

from emporion.platform.ecs.secrets import Secrets, password_in
from emporion.platform.ecs.told import BadTask, HeldTold
from emporion.platform.topology.kinds import Engine
from emporion.platform.topology.process_file import HeldService


async def held_service(told: HeldTold, secrets: Secrets) -> HeldService:
    """The service with its address. Raises BadTask, or Unavailable naming the secret."""
    return HeldService(
        name=told.name,
        engine=told.engine,
        dsn=await _dsn(told, secrets),
        instances=2,  # scaling may start another at any time
    )


async def _dsn(told: HeldTold, secrets: Secrets) -> str:
    if told.address_secret:
        return await secrets.get(told.address_secret)
    if told.engine is not Engine.POSTGRES:
        raise BadTask(f"{told.name}: {told.engine} needs the secret of its address")
    name = told.password_secret
    password = quote(password_in(name, await secrets.get(name)), safe="")
    if told.host.startswith("/"):  # a socket's folder, on a machine for tests
        return f"postgresql://{told.name}:{password}@/{told.name}?host={quote(told.host)}"
    where = f"{told.host}:{told.port}"
    return f"postgresql://{told.name}:{password}@{where}/{told.name}?sslmode=require"
