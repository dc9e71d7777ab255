"""What webhook needs from outside: where its books are kept, and who carries messages."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from emporion.chassis.data.database import Tx
from emporion.services.webhook.domain.hook import HookStatus
from emporion.services.webhook.domain.schedule import Status


class StoredHook(msgspec.Struct, frozen=True, gc=False):
    """A subscription's row. Instants in ms since the epoch."""

    hook_id: str
    url: str
    events: tuple[str, ...]
    description: str
    status: HookStatus
    reason: str
    secret: str
    old_secret: str
    old_until_ms: int
    since_ms: int
    created_at_ms: int
    created_by: str


class Wish(msgspec.Struct, frozen=True, gc=False):
    """What a subscription wants: events of these names from an instant on."""

    hook_id: str
    events: tuple[str, ...]
    since_ms: int


class Post(msgspec.Struct, frozen=True, gc=False):
    """An event as it is sent, to all who want it; `traceparent` of the call that published it."""

    event_id: str
    name: str
    key: str
    occurred_at_ms: int
    body: bytes
    traceparent: str = ""


class Due(msgspec.Struct, frozen=True, gc=False):
    """What the sender needs of a delivery whose time has come."""

    seq: int
    event_id: str
    attempts: int
    tried_since_ms: int
    body: bytes
    traceparent: str = ""


class StoredDelivery(msgspec.Struct, frozen=True, gc=False):
    """A delivery's row, with the event that it carries."""

    seq: int
    hook_id: str
    event_id: str
    name: str
    key: str
    status: Status
    attempts: int
    next_at_ms: int
    last_status: int
    last_error: str
    created_at_ms: int


class StoredAttempt(msgspec.Struct, frozen=True, gc=False):
    """One try. `status` is 0 when nothing was answered."""

    at_ms: int
    status: int
    duration_ms: int
    error: str


class Tried(msgspec.Struct, frozen=True, gc=False):
    """What a try made of a delivery: the row from now on, and the attempt to be kept."""

    seq: int
    status: Status
    attempts: int
    next_at_ms: int
    attempt: StoredAttempt


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What an endpoint made of a message; `status` is 0 when it gave no answer, and why."""

    status: int
    error: str = ""
    retry_after_s: int = 0


class Courier(Protocol):
    """Who carries messages to endpoints."""

    async def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send once. Raises nothing: what went wrong is in the reply."""
        ...


class HookStore(Protocol):
    """Subscriptions. Every method raises what the transaction raises."""

    async def add(self, tx: Tx, hook: StoredHook) -> None:
        """A new one."""
        ...

    async def find(self, tx: Tx, hook_id: str) -> StoredHook | None:
        """One, or None."""
        ...

    async def find_to_change(self, tx: Tx, hook_id: str) -> StoredHook | None:
        """One, or None; nobody else changes it until the transaction ends."""
        ...

    async def save(self, tx: Tx, hook: StoredHook) -> None:
        """Write it down as it is now."""
        ...

    async def remove(self, tx: Tx, hook_id: str) -> None:
        """Forget it; its deliveries are pruned later."""
        ...

    async def count(self, tx: Tx) -> int:
        """How many there are. Others that count wait until this transaction ends."""
        ...

    async def page(
        self, tx: Tx, *, status: HookStatus | None, before: str, limit: int
    ) -> list[StoredHook]:
        """Up to `limit` below an id, the newest first."""
        ...

    async def wishes(self, tx: Tx) -> list[Wish]:
        """What those want for whom events are collected."""
        ...

    async def active(self, tx: Tx) -> list[StoredHook]:
        """Those whose deliveries leave."""
        ...


class DeliveryStore(Protocol):
    """Deliveries. Every method raises what the transaction raises."""

    async def collect(
        self, tx: Tx, posts: Sequence[Post], wanted: Sequence[tuple[str, str]], *, at_ms: int
    ) -> None:
        """Keep messages, and a delivery for each (hook, event) that has none; due at once."""
        ...

    async def take(
        self, tx: Tx, hook_id: str, *, now_ms: int, until_ms: int, limit: int
    ) -> list[Due]:
        """Deliveries whose time has come, the longest due first.

        Nobody else takes them before `until_ms`.
        """
        ...

    async def give_back_all(self, tx: Tx, *, now_ms: int) -> None:
        """What was taken and not settled is due: nobody else can have taken it."""
        ...

    async def next_due_ms(self, tx: Tx, hook_id: str) -> int | None:
        """When the next delivery of a subscription is due, or None."""
        ...

    async def settle(self, tx: Tx, tried: Tried) -> None:
        """Write down a try, unless the delivery is over."""
        ...

    async def fail_waiting(self, tx: Tx, hook_id: str, reason: str, *, at_ms: int) -> None:
        """Give up all that waits for a subscription."""
        ...

    async def redrive(self, tx: Tx, hook_id: str, seq: int, *, now_ms: int) -> int:
        """Send one again, at once; how many that is."""
        ...

    async def redrive_failed(
        self, tx: Tx, hook_id: str, *, since_ms: int, now_ms: int, limit: int
    ) -> int:
        """Send up to `limit` that were collected since an instant and failed again; how many."""
        ...

    async def find(self, tx: Tx, hook_id: str, seq: int) -> StoredDelivery | None:
        """One, or None."""
        ...

    async def body(self, tx: Tx, event_id: str) -> bytes:
        """What is sent."""
        ...

    async def attempts(self, tx: Tx, seq: int, *, limit: int) -> list[StoredAttempt]:
        """The newest tries, the last one first."""
        ...

    async def page(
        self, tx: Tx, hook_id: str, *, status: Status | None, before: int, limit: int
    ) -> list[StoredDelivery]:
        """Up to `limit` numbered below `before`, the newest first."""
        ...

    async def counts(self, tx: Tx, hook_id: str, *, limit: int) -> tuple[int, int]:
        """How many wait, and how many failed, each counted up to `limit`."""
        ...

    async def prune(self, tx: Tx, *, before_ms: int, limit: int) -> int:
        """Forget deliveries that are over since then, or of no subscription; how many."""
        ...
