"""The clients of SNS and SQS, made once for a process, with their errors in our words."""

from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import BotoCoreError, ClientError

from emporion.chassis.events.log import LogUnreachable

T = TypeVar("T")
BATCH_MAX = 10
"""Messages in one request, for SNS and SQS alike."""
BATCH_BYTES_MAX = 250_000
"""Of one request's messages together; both take 262,144 bytes."""
TEXT = "String"


@dataclass(frozen=True, slots=True)
class AwsConfig:
    """Where SNS and SQS are, and how queues are kept. Credentials come as boto finds them.

    Args:
        region: of the topics and queues.
        endpoint_url: another place than AWS, for emulators; empty: AWS.
        prefix: the first word of every name.
        visibility_s: how long a received message is hidden from other readers. Renewed while
            its reader lives; after it died, its keys wait for so long.
        wait_s: how long a request for messages waits, 0..20.
        retention_s: how long a queue keeps what its subscriber does not fetch, at most 14 days.
        receives_max: a message that was received so often, and never handled or set aside,
            kills its readers: SQS puts it into the queue of dead letters.
        fetch_max: messages fetched ahead for a subscriber.
        topic_arns: what the ARNs of all topics begin with, up to their names, when whoever
            deployed made topics, queues and subscriptions; then nothing is made here, and no
            right to make it is needed. Empty: what is missing is made.
        request_timeout_s: how long an answer is waited for, beyond `wait_s`.
    """

    region: str
    endpoint_url: str = ""
    prefix: str = "emporion"
    visibility_s: int = 60
    wait_s: int = 20
    retention_s: int = 14 * 86_400
    receives_max: int = 50
    fetch_max: int = 100
    topic_arns: str = ""
    request_timeout_s: float = 10.0


class Connection:
    """The process's clients."""

    def __init__(self, config: AwsConfig, *, session: AioSession | None = None) -> None:
        self.config = config
        self._session = session
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}

    async def open(self) -> None:
        """Make the clients. Connects to nothing yet."""
        if self._clients:
            return
        session = self._session or get_session()
        bounds = AioConfig(
            connect_timeout=self.config.request_timeout_s,
            read_timeout=self.config.request_timeout_s + self.config.wait_s,
            retries={"total_max_attempts": 1},
            max_pool_connections=64,
        )
        for service in ("sns", "sqs"):
            client = session.create_client(
                service,
                region_name=self.config.region,
                endpoint_url=self.config.endpoint_url or None,
                config=bounds,
            )
            self._clients[service] = await self._stack.enter_async_context(client)

    async def close(self) -> None:
        """Close the clients."""
        self._clients = {}
        await self._stack.aclose()

    @property
    def sns(self) -> Any:
        """The client of SNS. Raises LogUnreachable when it was not opened."""
        return self._client("sns")

    @property
    def sqs(self) -> Any:
        """The client of SQS. Raises LogUnreachable when it was not opened."""
        return self._client("sqs")

    def _client(self, service: str) -> Any:
        client = self._clients.get(service)
        if client is None:
            raise LogUnreachable(f"{service} is not connected")
        return client


async def answer(asked: Awaitable[T]) -> T:
    """What AWS answers. Raises LogUnreachable when it does not, or says no."""
    try:
        return await asked
    except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
        raise LogUnreachable(f"AWS: {type(error).__name__}: {error}") from error


def is_code(error: LogUnreachable, *codes: str) -> bool:
    """Whether AWS said no with one of these codes."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"]["Code"] in codes


def chunks(sizes: Sequence[int]) -> list[range]:
    """Runs of at most BATCH_MAX messages and BATCH_BYTES_MAX bytes, as indices."""
    found: list[range] = []
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start == BATCH_MAX or total + size > BATCH_BYTES_MAX):
            found.append(range(start, index))
            start, total = index, 0
        total += size
    if start < len(sizes):
        found.append(range(start, len(sizes)))
    return found
