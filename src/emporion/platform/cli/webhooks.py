"""`emporion webhooks`: who gets which events, what could not be delivered, and trying it again."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from emporion.platform.cli.asking import consulted, target_of
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    OperatorEmail,
    OperatorPassword,
    RunningUrl,
)

if TYPE_CHECKING:
    from emporion.chassis.calls.clients import Clients
    from emporion.contracts.webhook import Hook, WebhookService
    from emporion.platform.operating import Target

T = TypeVar("T")
PAGE = 200
SHOWN_MAX = 1_000
Webhook = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The subscription's id.")]
Since = Annotated[
    datetime | None, typer.Option("--since", help="From which instant on; UTC.", show_default=False)
]


def list_(
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """List the subscriptions, the newest first, and how many deliveries wait or failed.

    For example:

      emporion webhooks list
    """
    target = target_of(data, url, email=operator_email, password=operator_password)
    found = _ask(target, _every_hook)
    if not found:
        print("nobody subscribes")
        return
    for each in found:
        print(f"{each.hook_id}  {each.status}  {each.url}: {', '.join(each.events)}")
        print(f"  {each.waiting} wait, {each.failed} failed")


async def _every_hook(service: "WebhookService") -> "list[Hook]":
    from emporion.contracts.webhook import ListHooks
    from emporion.platform.operating import pages

    async def turn(cursor: str) -> "tuple[list[Hook], str]":
        page = await service.list_hooks(ListHooks(limit=PAGE, cursor=cursor))
        return page.hooks, page.next_cursor

    return await pages(turn, SHOWN_MAX)


def add(  # noqa: PLR0913 - each is an option of the command line
    to: Annotated[str, typer.Argument(metavar="URL", help="Where to send; https.")],
    events: Annotated[list[str], typer.Argument(metavar="EVENT...", help="Which events.")],
    *,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Subscribe a URL to events, and print the secret that verifies them, this once.

    For example:

      emporion webhooks add https://merchant.example/hooks orders.created orders.cancelled
    """
    from emporion.contracts.webhook import CreateHook

    target = target_of(data, url, email=operator_email, password=operator_password)
    request = CreateHook(url=to, events=events, description=description)
    made = _ask(target, lambda service: service.create_hook(request))
    print(f"{made.hook.hook_id} sends {', '.join(made.hook.events)} to {made.hook.url}")
    print(f"secret (not shown again): {made.secret}")


def redrive(  # noqa: PLR0913 - each is an option of the command line
    webhook: Webhook,
    *,
    since: Since = None,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Send again what failed, all of it or what was collected since an instant.

    For example:

      emporion webhooks redrive whk_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b --since 2026-11-01T08:00:00
    """
    from emporion.contracts.webhook import RedriveHook
    from emporion.kernel.ids import HookId

    target = target_of(data, url, email=operator_email, password=operator_password)
    request = RedriveHook(hook_id=HookId(webhook), failed_since=_utc(since))
    redriven = _ask(target, lambda service: service.redrive_deliveries(request))
    print(f"{redriven.deliveries} deliveries will be sent again")


def replay(  # noqa: PLR0913 - each is an option of the command line
    webhook: Webhook,
    *,
    since: Annotated[datetime, typer.Option("--since", help="From which instant on; UTC.")],
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Send a subscription what happened before it was made, as far as the shop's history reaches.

    Every publisher's events are given to the webhook service again; others get nothing twice.

    For example:

      emporion webhooks replay whk_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b --since 2026-11-01T08:00:00
    """
    import asyncio

    from emporion.platform.operating import consult
    from emporion.platform.webhook_replay import replay_to

    target = target_of(data, url, email=operator_email, password=operator_password)
    from_ = since.replace(tzinfo=UTC)

    async def work(clients: "Clients") -> list[str]:
        return await replay_to(clients, webhook, from_)

    for line in asyncio.run(consult(target, work)):
        print(line)


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.replace(tzinfo=UTC)


def _ask(target: "Target", work: "Callable[[WebhookService], Awaitable[T]]") -> T:
    from emporion.contracts.webhook import WebhookService

    return consulted(target, lambda clients: work(clients.get(WebhookService)))
