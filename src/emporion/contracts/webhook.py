"""Webhook: the shop's events, signed, to endpoints of merchants, until they are taken."""

from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    Empty,
    Message,
    Reply,
    Request,
    Service,
    command,
    delete,
    get,
    patch,
    post,
    query,
    staff,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.words import Cursor, DeliveryId, HookId, Instant, PageSize, ReadableNote
from emporion.kernel.errors import FailedPrecondition, InvalidArgument, NotFound

Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2_000,
        description="https, or http to this machine in a development shop.",
        examples=["https://merchant.example/hooks"],
    ),
]
EventType = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z_]{0,39}\.[a-z][a-z_]{0,39}$(?!\n)",
        description="The name of an event, e.g. `orders.created`; contracts/asyncapi.json lists "
        "them.",
        examples=["orders.created"],
    ),
]
EventTypes = Annotated[list[EventType], Meta(min_length=1, max_length=100)]


class UnusableUrl(InvalidArgument):
    """We do not send there: not https, a name or password in it, or an address of our own net."""

    slug = "unusable-url"
    title = "Webhooks are not sent to this URL"


class UnknownEventType(InvalidArgument):
    """No event has that name (field `event_type`)."""

    slug = "unknown-event-type"
    title = "There is no event of that name"


class TooManyHooks(FailedPrecondition):
    """There are as many subscriptions as there may be."""

    slug = "too-many-webhooks"
    title = "There are too many webhooks"


class HookStatus(StrEnum):
    """Whether a subscription's deliveries leave."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Deliveries wait until it is resumed."""
    DISABLED = "disabled"
    """The endpoint said 410 Gone. Nothing is collected for it; resuming starts from then on."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    """The endpoint answered 2xx."""
    FAILED = "failed"
    """Tried for five days, or the endpoint is gone; redrive it when it is well again."""


class CreateHook(Request, frozen=True, kw_only=True):
    """Where to send which events; from now on, or from `since` when history is replayed to it."""

    url: Url
    events: EventTypes
    description: ReadableNote = ""
    since: Instant | None = None


class HookOf(Request, frozen=True, kw_only=True):
    """Which subscription."""

    hook_id: HookId


class ChangeHook(Request, frozen=True, kw_only=True):
    """What to change; fields left out, and an empty list, stay as they are."""

    hook_id: HookId
    url: Url | None = None
    events: Annotated[list[EventType], Meta(max_length=100)] = []  # noqa: RUF012 - a struct copies it
    description: ReadableNote | None = None
    since: Instant | None = None


class ListHooks(Request, frozen=True, kw_only=True):
    """Which subscriptions, the newest first."""

    status: HookStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class Hook(Reply, frozen=True, kw_only=True):
    """A subscription. Its secret is shown when it is made or rotated, and never again."""

    hook_id: HookId
    url: str
    events: list[str]
    description: str
    status: HookStatus
    reason: str
    since: Instant
    created_at: Instant
    created_by: str
    waiting: int
    failed: int


class HookSecret(Reply, frozen=True, kw_only=True):
    """A subscription and its new secret: keep it, it is not shown again."""

    hook: Hook
    secret: str


class HookPage(Reply, frozen=True, kw_only=True):
    """A page of subscriptions; `next_cursor` is empty on the last one, as on all pages."""

    hooks: list[Hook]
    next_cursor: str


class DeliveryOf(Request, frozen=True, kw_only=True):
    """Which delivery of which subscription."""

    hook_id: HookId
    delivery_id: DeliveryId


class ListDeliveries(Request, frozen=True, kw_only=True):
    """Which deliveries of a subscription, the newest first."""

    hook_id: HookId
    status: DeliveryStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class DeliverySummary(Message, frozen=True, kw_only=True):
    """A delivery in a list. `webhook_id` is the header that stays the same at every attempt."""

    delivery_id: DeliveryId
    webhook_id: str
    event_type: str
    key: str
    status: DeliveryStatus
    attempts: int
    last_status: int
    last_error: str
    created_at: Instant
    next_at: Instant | None


class DeliveryPage(Reply, frozen=True, kw_only=True):
    """A page of deliveries."""

    deliveries: list[DeliverySummary]
    next_cursor: str


class Attempt(Message, frozen=True, kw_only=True):
    """One try: what was answered (0: nothing) and how long it took."""

    at: Instant
    status: int
    duration_ms: int
    error: str


class Delivery(Reply, frozen=True, kw_only=True):
    """A delivery with its newest attempts, the last one first."""

    delivery: DeliverySummary
    attempts: list[Attempt]


class Header(Message, frozen=True, kw_only=True):
    """A header as it would be sent."""

    name: str
    value: str


class Preview(Reply, frozen=True, kw_only=True):
    """What would be sent now, signed; nothing was."""

    url: str
    headers: list[Header]
    body: str


class RedriveHook(Request, frozen=True, kw_only=True):
    """Which deliveries to send again: one, or all that failed since an instant."""

    hook_id: HookId
    delivery_id: DeliveryId | None = None
    failed_since: Instant | None = None


class Redriven(Reply, frozen=True, kw_only=True):
    """How many deliveries will be sent again, at once."""

    deliveries: int


_READ = staff("webhooks:read")
_WRITE = staff("webhooks:write")
_ONE = "/api/webhooks/{hook_id}"


class WebhookService(Service, Protocol):
    """Sends the shop's events to endpoints of merchants."""

    NAME: ClassVar[str] = "webhook"
    SUMMARY: ClassVar[str] = "The shop's events, signed, to endpoints of merchants."

    @command(
        access=_WRITE,
        rest=post("/api/webhooks", status=201),
        raises=(UnusableUrl, UnknownEventType, TooManyHooks),
    )
    async def create_hook(self, request: CreateHook) -> HookSecret:
        """Subscribe a URL to events. The answer holds the secret, this once.

        Raises UnusableUrl, UnknownEventType or TooManyHooks.
        """

    @query(access=_READ, rest=get("/api/webhooks"), raises=(UnknownCursor,))
    async def list_hooks(self, request: ListHooks) -> HookPage:
        """Subscriptions, the newest first. Raises UnknownCursor."""

    @query(access=_READ, rest=get(_ONE), raises=(NotFound,))
    async def get_hook(self, request: HookOf) -> Hook:
        """One subscription. Raises NotFound."""

    @command(
        access=_WRITE,
        key="hook_id",
        rest=patch(_ONE),
        raises=(NotFound, UnusableUrl, UnknownEventType),
    )
    async def change_hook(self, request: ChangeHook) -> Hook:
        """Change a subscription; what waits already goes to the new URL.

        `since` opens it for history that is then replayed to the service. Raises NotFound,
        UnusableUrl or UnknownEventType.
        """

    @command(access=_WRITE, key="hook_id", rest=post(_ONE + "/pause"), raises=(NotFound,))
    async def pause_hook(self, request: HookOf) -> Hook:
        """Let its deliveries wait. Safe to repeat. Raises NotFound."""

    @command(access=_WRITE, key="hook_id", rest=post(_ONE + "/resume"), raises=(NotFound,))
    async def resume_hook(self, request: HookOf) -> Hook:
        """Send again: at once what waits; after 410, what happens from now on.

        Safe to repeat. Raises NotFound.
        """

    @command(access=_WRITE, rest=post(_ONE + "/rotate"), raises=(NotFound,))
    async def rotate_secret(self, request: HookOf) -> HookSecret:
        """A new secret. For a day messages carry signatures by both. Raises NotFound."""

    @command(access=_WRITE, key="hook_id", rest=delete(_ONE))
    async def delete_hook(self, request: HookOf) -> Empty:
        """End a subscription; what waits is not sent. Succeeds when it is gone."""

    @query(access=_READ, rest=get(_ONE + "/deliveries"), raises=(NotFound, UnknownCursor))
    async def list_deliveries(self, request: ListDeliveries) -> DeliveryPage:
        """Deliveries, the newest first. Raises NotFound or UnknownCursor."""

    @query(access=_READ, rest=get(_ONE + "/deliveries/{delivery_id}"), raises=(NotFound,))
    async def get_delivery(self, request: DeliveryOf) -> Delivery:
        """A delivery and its attempts. Raises NotFound."""

    @query(access=_READ, rest=get(_ONE + "/deliveries/{delivery_id}/preview"), raises=(NotFound,))
    async def preview_delivery(self, request: DeliveryOf) -> Preview:
        """What would be sent now, signed, without sending it. Raises NotFound."""

    @command(access=_WRITE, rest=post(_ONE + "/redrive"), raises=(NotFound,))
    async def redrive_deliveries(self, request: RedriveHook) -> Redriven:
        """Send one delivery again, or all that failed since an instant; waiting ones at once.

        They carry the same `webhook-id` as before. Raises NotFound.
        """
