"""Instances as AWS Cloud Map knows them, through its API: only those that are healthy.

Its DNS serves tasks that have stopped until their records expire; DiscoverInstances does not.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from emporion.chassis.discovery.resolver import Endpoint, polled
from emporion.chassis.runtime.ports import Tasks
from emporion.kernel.errors import EmporionError, Unavailable

LOOK_S: Final = 5.0
"""Cloud Map itself needs about as long to notice a change."""
INSTANCES_MAX: Final = 1_000
"""What one request may return at most."""
TIMEOUT_S: Final = 3
_UNKNOWN: Final = frozenset({"ServiceNotFound", "NamespaceNotFound"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CloudMapSettings:
    """Where to ask.

    Args:
        namespace: the namespace's name.
        region: of the namespace.
        port: of instances that registered none (`AWS_INSTANCE_PORT`).
        endpoint_url: of another API than AWS's own, for tests; empty: AWS.
    """

    namespace: str
    region: str
    port: int = 0
    endpoint_url: str = ""


class CloudMapResolver:
    """Implements `Resolver` over DiscoverInstances; close it at the end."""

    def __init__(self, settings: CloudMapSettings, tasks: Tasks) -> None:
        self._settings = settings
        self._tasks = tasks
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._client: Any = None

    async def endpoints(self, service: str) -> Sequence[Endpoint]:
        """The healthy instances; none for an unknown service. Raises Unavailable."""
        try:
            client = await self._opened()
            found = await client.discover_instances(
                NamespaceName=self._settings.namespace,
                ServiceName=service,
                HealthStatus="HEALTHY",
                MaxResults=INSTANCES_MAX,
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _UNKNOWN:
                return ()
            raise _unanswered(error) from error
        except (BotoCoreError, OSError) as error:
            raise _unanswered(error) from error
        endpoints = [self._endpoint(instance) for instance in found["Instances"]]
        return [endpoint for endpoint in endpoints if endpoint is not None]

    def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        """See Resolver; asked every LOOK_S."""
        return polled(
            partial(self.endpoints, service),
            self._tasks,
            interval_s=lambda: LOOK_S,
            warn=partial(_warn, service),
        )

    async def close(self) -> None:
        """End the connections to the API."""
        self._client = None
        await self._stack.aclose()

    async def _opened(self) -> Any:
        async with self._opening:
            if self._client is None:
                settings = self._settings
                client = get_session().create_client(
                    "servicediscovery",
                    region_name=settings.region,
                    endpoint_url=settings.endpoint_url or None,
                    config=AioConfig(
                        connect_timeout=TIMEOUT_S,
                        read_timeout=TIMEOUT_S,
                        retries={"total_max_attempts": 2},
                        inject_host_prefix=not settings.endpoint_url,
                    ),
                )
                self._client = await self._stack.enter_async_context(client)
        return self._client

    def _endpoint(self, instance: dict[str, Any]) -> Endpoint | None:
        told = instance["Attributes"]
        host = told.get("AWS_INSTANCE_IPV4") or told.get("AWS_INSTANCE_IPV6")
        port = int(told.get("AWS_INSTANCE_PORT", self._settings.port))
        if not host or not port:
            _log.warning("%s has no address or no port", instance["InstanceId"])
            return None
        return Endpoint(host, port, instance["InstanceId"])


def _unanswered(error: Exception) -> Unavailable:
    return Unavailable(f"Cloud Map does not answer: {error}")


def _warn(service: str, error: EmporionError) -> None:
    _log.warning("the instances of %s cannot be found out: %s", service, error.detail)
