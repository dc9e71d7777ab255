"""AWS Secrets Manager: read at start-up, so that no secret is in a task's environment."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, Self

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from emporion.kernel.errors import Unavailable

TIMEOUT_S: Final = 5
ATTEMPTS: Final = 5
"""A throttled or unreachable service is asked again, with pauses that grow."""


class Secrets:
    """The client. Credentials come as boto finds them: on ECS from the role of the task.

    Args:
        region: of the secrets.
        endpoint_url: of an emulator; empty: AWS.
    """

    def __init__(self, region: str, *, endpoint_url: str = "") -> None:
        self._region = region
        self._endpoint_url = endpoint_url or None
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        client = get_session().create_client(
            "secretsmanager",
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            config=AioConfig(
                connect_timeout=TIMEOUT_S,
                read_timeout=TIMEOUT_S,
                retries={"total_max_attempts": ATTEMPTS},
            ),
        )
        self._client = await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def get(self, name: str) -> str:
        """What a secret says. Raises Unavailable naming it, never what it says."""
        try:
            found = await self._client.get_secret_value(SecretId=name)
        except (ClientError, BotoCoreError, OSError) as error:
            raise Unavailable(f"the secret {name} cannot be read: {_reason(error)}") from error
        return str(found["SecretString"])

    async def all_of(self, names: Iterable[str]) -> Mapping[str, str]:
        """Several at once. Raises Unavailable."""
        wanted = tuple(dict.fromkeys(names))
        return dict(zip(wanted, await asyncio.gather(*map(self.get, wanted)), strict=True))

    async def put(self, name: str, said: str) -> None:
        """Write a secret that is there. Raises Unavailable naming it."""
        try:
            await self._client.put_secret_value(SecretId=name, SecretString=said)
        except (ClientError, BotoCoreError, OSError) as error:
            raise Unavailable(f"the secret {name} cannot be written: {_reason(error)}") from error


def password_in(name: str, said: str) -> str:
    """The password of a secret that was generated, `{"password": ...}`. Raises Unavailable."""
    try:
        found = msgspec.json.decode(said, type=dict[str, Any]).get("password", "")
    except msgspec.MsgspecError:
        found = ""
    if not found:
        raise Unavailable(f"the secret {name} has no password in it; was it made by `deploy`?")
    return str(found)


def setting_in(said: str) -> str:
    """The value of a setting: what people filled in, or what was generated; empty: neither was."""
    try:
        found = msgspec.json.decode(said, type=dict[str, Any])
    except msgspec.MsgspecError:
        return said.strip()
    return str(found.get("password", ""))


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "refused"))
    return type(error).__name__
