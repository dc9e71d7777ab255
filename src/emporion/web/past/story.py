"""The story of one order: its traces, what changed, its mails and webhooks, in one timeline."""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from emporion.chassis.calls.clients import Clients
from emporion.contracts.email import EmailService, ListMails
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import TraceDetails, TraceOf
from emporion.contracts.webhook import ListDeliveries, ListHooks, WebhookService
from emporion.kernel.clock import to_instant_ms
from emporion.kernel.errors import EmporionError, NotFound
from emporion.kernel.ids import OrderId
from emporion.web.past.of_order import changes_of
from emporion.web.past.spans import depth_of, in_order

T = TypeVar("T")
TRACES_MAX: Final = 20
HOOKS_MAX: Final = 20
PAGE: Final = 200


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something in the timeline.

    Args:
        kind: a kind of span, or change, log, mail or webhook.
        at_us, duration_us: microseconds, since the epoch and in all; what is no span takes none.
        depth: how many causes are above it.
        outcome: `ok`, or why not; of a mail or webhook its state.
        details: what else is known.
    """

    kind: str
    at_us: int
    service: str
    what: str
    duration_us: int = 0
    depth: int = 0
    outcome: str = "ok"
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    process: str = ""
    details: dict[str, str] = {}


class Story(msgspec.Struct, frozen=True):
    """All of it, in the order of time.

    Args:
        order_id: empty for the story of a trace.
        trace_ids: those of which something is kept, the order's own first.
        lost: traces of which nothing is kept: they were not recorded, or long ago.
        missing: processes, and services, that did not answer.
    """

    order_id: str
    trace_ids: list[str]
    lost: list[str]
    missing: list[str]
    entries: list[Entry]


async def story_of_order(clients: Clients, order_id: OrderId) -> Story:
    """What is known of an order.

    Raises NotFound when there is none, and what asking about its past raises. A service beside
    it that does not answer is named as missing.
    """
    changes = await changes_of(clients, order_id)
    ids = list(dict.fromkeys(each.change.trace_id for each in changes if each.change.trace_id))
    traces, lost = await _traces(clients, ids[:TRACES_MAX])
    missing = [name for trace in traces for name in trace.missing]
    entries = [
        Entry(
            kind="change",
            at_us=to_instant_ms(each.change.at) * 1000,
            service=each.service,
            what=each.change.what,
            trace_id=each.change.trace_id,
            details={"by": each.change.command} if each.change.command else {},
        )
        for each in changes
    ]
    for service, asked in (
        ("email", _mails(clients, order_id)),
        ("webhook", _deliveries(clients, order_id)),
    ):
        try:
            entries += await asked
        except EmporionError:
            missing.append(service)
    return _told(order_id, traces, lost=lost, entries=entries, missing=missing)


async def story_of_trace(clients: Clients, trace_id: str) -> Story:
    """What is kept of a trace. Raises NotFound when that is nothing."""
    trace = await clients.get(OperationsService).get_trace(TraceOf(trace_id=trace_id))
    return _told("", [trace], lost=[], entries=[], missing=list(trace.missing))


def _told(
    order_id: str,
    traces: Sequence[TraceDetails],
    *,
    lost: Sequence[str],
    entries: Sequence[Entry],
    missing: Sequence[str],
) -> Story:
    told = [*entries, *(entry for trace in traces for entry in _of_trace(trace))]
    return Story(
        order_id=order_id,
        trace_ids=[trace.trace_id for trace in traces],
        lost=list(lost),
        missing=sorted(set(missing)),
        entries=sorted(told, key=lambda entry: entry.at_us),
    )


def _of_trace(trace: TraceDetails) -> Iterator[Entry]:
    by_id = {span.span_id: span for span in trace.spans}
    for span in in_order(trace.spans):
        yield Entry(
            kind=span.kind,
            at_us=span.started_us,
            service=span.service,
            what=span.name,
            duration_us=span.duration_us,
            depth=depth_of(span, by_id),
            outcome=span.outcome,
            trace_id=trace.trace_id,
            span_id=span.span_id,
            parent_id=span.parent_id,
            process=span.process,
            details=span.fields,
        )
    for line in trace.logs:
        yield Entry(
            kind="log",
            at_us=to_instant_ms(line.at) * 1000,
            service=line.service,
            what=line.message,
            outcome=line.level,
            trace_id=trace.trace_id,
            process=line.process,
            details=line.fields,
        )


async def _traces(
    clients: Clients, trace_ids: Sequence[str]
) -> tuple[list[TraceDetails], list[str]]:
    operations = clients.get(OperationsService)
    asked = [_or_none(operations.get_trace(TraceOf(trace_id=each))) for each in trace_ids]
    found = await asyncio.gather(*asked)
    lost = [
        trace_id
        for trace_id, trace in zip(trace_ids, found, strict=True)
        if trace is None or not trace.spans
    ]
    return [trace for trace in found if trace is not None], lost


async def _mails(clients: Clients, order_id: OrderId) -> list[Entry]:
    page = await clients.get(EmailService).list_mails(ListMails(order_id=order_id, limit=PAGE))
    return [
        Entry(
            kind="mail",
            at_us=to_instant_ms(mail.sent_at or mail.created_at) * 1000,
            service="email",
            what=f"{mail.template} mail",
            outcome=str(mail.status.value),
            details={"attempts": str(mail.attempts)}
            | ({"error": mail.last_error} if mail.last_error else {}),
        )
        for mail in page.mails
    ]


async def _deliveries(clients: Clients, order_id: OrderId) -> list[Entry]:
    """Of the first HOOKS_MAX subscriptions the newest deliveries that are about the order."""
    webhooks = clients.get(WebhookService)
    hooks = (await webhooks.list_hooks(ListHooks(limit=HOOKS_MAX))).hooks
    pages = await asyncio.gather(
        *(
            webhooks.list_deliveries(ListDeliveries(hook_id=hook.hook_id, limit=PAGE))
            for hook in hooks
        )
    )
    return [
        Entry(
            kind="webhook",
            at_us=to_instant_ms(delivery.created_at) * 1000,
            service="webhook",
            what=f"{delivery.event_type} to {hook.hook_id}",
            outcome=str(delivery.status.value),
            details={"attempts": str(delivery.attempts), "answer": str(delivery.last_status)},
        )
        for hook, page in zip(hooks, pages, strict=True)
        for delivery in page.deliveries
        if delivery.key == order_id
    ]


async def _or_none(asked: Awaitable[T]) -> T | None:
    try:
        return await asked
    except NotFound:
        return None
