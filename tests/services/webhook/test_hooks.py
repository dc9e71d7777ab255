"""Subscriptions: made, changed and ended by staff; what is asked about deliveries."""

import pytest
from aiohttp import web

from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.webhook import (
    ChangeHook,
    CreateHook,
    DeliveryOf,
    DeliveryStatus,
    HookOf,
    HookStatus,
    ListDeliveries,
    ListHooks,
    RedriveHook,
    TooManyHooks,
    UnknownEventType,
    UnusableUrl,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import DeliveryId, HookId
from emporion.services.webhook.commands.sending import KEEP_MS
from emporion.services.webhook.domain.target import HOOKS_MAX
from tests.services.webhook.desk import STAFF, Desk, Endpoint, event_id

NOWHERE = HookId("whk_" + "0" * 32)
NOTHING = DeliveryId("dlv_" + "f" * 32)
URL = "https://merchant.example/hooks"


async def test_a_secret_is_shown_when_it_is_made_and_never_again(desk: Desk):
    made = await desk.subscribe(URL, "orders.created", "orders.created", description="the shop's")

    assert made.secret.startswith("whsec_")
    assert made.hook.events == ["orders.created"]
    assert (made.hook.created_by, made.hook.description) == (STAFF, "the shop's")
    page = await desk.service.list_hooks(ListHooks())
    assert page.hooks == [await desk.hook(made.hook.hook_id)] == [made.hook]
    assert "whsec_" not in str(page)


@pytest.mark.parametrize("url", ["http://merchant.example/", "https://a:b@merchant.example/"])
async def test_a_url_that_is_not_sent_to_is_refused(desk: Desk, url: str):
    made = await desk.subscribe(URL)
    with pytest.raises(UnusableUrl):
        await desk.subscribe(url)
    with pytest.raises(UnusableUrl):
        await desk.ask("change_hook", ChangeHook(hook_id=made.hook.hook_id, url=url))

    assert (await desk.hook(made.hook.hook_id)).url == URL


async def test_an_event_that_there_is_not_is_refused_with_those_there_are(desk: Desk):
    made = await desk.subscribe(URL)
    with pytest.raises(UnknownEventType, match=r"orders\.cancelled, orders\.created"):
        await desk.subscribe(URL, "orders.create")
    change = ChangeHook(hook_id=made.hook.hook_id, events=["orders.create"])
    with pytest.raises(UnknownEventType):
        await desk.ask("change_hook", change)


async def test_there_are_not_more_subscriptions_than_there_may_be(desk: Desk):
    for _ in range(HOOKS_MAX):
        await desk.subscribe(URL)

    with pytest.raises(TooManyHooks):
        await desk.subscribe(URL)


async def test_what_was_left_out_of_a_change_stays(desk: Desk, endpoint: Endpoint):
    made = await desk.subscribe(URL, description="old")
    hook_id = made.hook.hook_id
    await desk.tell(1)

    changed = await desk.ask("change_hook", ChangeHook(hook_id=hook_id, url=endpoint.url))
    assert (changed.url, changed.events, changed.description) == (
        endpoint.url,
        ["orders.created"],
        "old",
    )
    changed = await desk.ask(
        "change_hook",
        ChangeHook(
            hook_id=hook_id,
            events=["orders.cancelled"],
            description="new",
            since=to_datetime(1_000),
        ),
    )
    assert (changed.events, changed.description) == (["orders.cancelled"], "new")
    assert changed.since == to_datetime(1_000)
    await desk.send()
    assert len(endpoint.posts) == 1


async def test_an_ended_subscription_gets_nothing_more_and_is_forgotten(
    desk: Desk, endpoint: Endpoint
):
    made = await desk.subscribe(endpoint.url)
    await desk.tell(1)
    for _ in range(2):
        await desk.ask("delete_hook", HookOf(hook_id=made.hook.hook_id))
    await desk.tell(2)
    await desk.send()
    await desk.assembly.alarms[1]._run_due()

    assert endpoint.posts == []
    for table in ("hook", "hook_delivery", "hook_message"):
        assert await desk.rows(f"SELECT * FROM {table}") == []


async def test_what_is_over_is_forgotten_after_thirty_days_and_what_waits_never(
    desk: Desk, endpoint: Endpoint
):
    made = await desk.subscribe(endpoint.url)
    await desk.tell(1)
    await desk.send()
    endpoint.answers = [web.Response(status=500)]
    await desk.tell(2)
    await desk.send()
    desk.clock.advance(KEEP_MS / 1_000 + 1)
    await desk.assembly.alarms[1]._run_due()

    assert [each.webhook_id for each in await desk.deliveries(made.hook.hook_id)] == [event_id(2)]
    assert len(await desk.rows("SELECT * FROM hook_message")) == 1
    assert len(await desk.rows("SELECT * FROM hook_attempt")) == 1


@pytest.mark.parametrize(
    "method", ["get_hook", "pause_hook", "resume_hook", "rotate_secret", "change_hook"]
)
async def test_a_subscription_that_there_is_not_is_not_found(desk: Desk, method: str):
    request = ChangeHook if method == "change_hook" else HookOf

    with pytest.raises(NotFound):
        await desk.ask(method, request(hook_id=NOWHERE))


async def test_deliveries_of_nowhere_are_not_found(desk: Desk):
    made = await desk.subscribe(URL)
    for hook_id in (NOWHERE, made.hook.hook_id):
        of = DeliveryOf(hook_id=hook_id, delivery_id=NOTHING)
        for method in ("get_delivery", "preview_delivery"):
            with pytest.raises(NotFound):
                await desk.ask(method, of)
        with pytest.raises(NotFound):
            await desk.ask("redrive_deliveries", RedriveHook(hook_id=hook_id, delivery_id=NOTHING))
    with pytest.raises(NotFound):
        await desk.service.list_deliveries(ListDeliveries(hook_id=NOWHERE))
    with pytest.raises(NotFound):
        await desk.ask("redrive_deliveries", RedriveHook(hook_id=NOWHERE))


async def test_a_preview_shows_what_would_be_sent_and_sends_nothing(desk: Desk, endpoint: Endpoint):
    made = await desk.subscribe(endpoint.url)
    await desk.tell(1)
    (summary,) = await desk.deliveries(made.hook.hook_id)

    preview = await desk.service.preview_delivery(
        DeliveryOf(hook_id=made.hook.hook_id, delivery_id=summary.delivery_id)
    )
    assert endpoint.posts == []
    await desk.send()

    (post,) = endpoint.posts
    assert preview.url == endpoint.url
    assert preview.body.encode() == post.body
    assert {each.name.lower(): each.value for each in preview.headers}.items() <= (
        post.headers.items()
    )


async def test_one_delivery_is_sent_again_under_its_id(desk: Desk, endpoint: Endpoint):
    made = await desk.subscribe(endpoint.url)
    hook_id = made.hook.hook_id
    await desk.tell(1, 2)
    await desk.send()
    first = (await desk.deliveries(hook_id))[0]

    again = RedriveHook(hook_id=hook_id, delivery_id=first.delivery_id)
    assert (await desk.ask("redrive_deliveries", again)).deliveries == 1
    await desk.send()

    assert sorted(post.webhook_id for post in endpoint.posts) == [
        event_id(1),
        event_id(1),
        event_id(2),
    ]
    assert len((await desk.delivery(hook_id)).attempts) == 2


async def test_those_that_failed_since_an_instant_are_sent_again(desk: Desk, endpoint: Endpoint):
    made = await desk.subscribe(endpoint.url)
    hook_id = made.hook.hook_id
    for number in (1, 2):
        endpoint.answers = [web.Response(status=410)]
        await desk.tell(number)
        await desk.send()
        await desk.ask("resume_hook", HookOf(hook_id=hook_id))
        desk.clock.advance(60)
    since = to_datetime(desk.clock.now_ms() - 90_000)

    redriven = await desk.ask(
        "redrive_deliveries", RedriveHook(hook_id=hook_id, failed_since=since)
    )
    await desk.send()

    assert redriven.deliveries == 1
    assert [each.status for each in await desk.deliveries(hook_id)] == [
        DeliveryStatus.FAILED,
        DeliveryStatus.DELIVERED,
    ]


@pytest.mark.parametrize("status", [None, *DeliveryStatus])
async def test_pages_hold_every_delivery_once_newest_first(
    desk: Desk, endpoint: Endpoint, status: DeliveryStatus | None
):
    made = await desk.subscribe(endpoint.url)
    hook_id = made.hook.hook_id
    await desk.tell(0, 1, 2)
    await desk.send()
    await desk.ask("pause_hook", HookOf(hook_id=hook_id))
    await desk.tell(3, 4)
    expected = {None: 5, DeliveryStatus.DELIVERED: 3, DeliveryStatus.WAITING: 2}.get(status, 0)

    seen, cursor = [], ""
    while True:
        page = await desk.service.list_deliveries(
            ListDeliveries(hook_id=hook_id, status=status, limit=2, cursor=cursor)
        )
        seen += [each.delivery_id for each in page.deliveries]
        cursor = page.next_cursor
        if not cursor:
            break

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == expected


async def test_subscriptions_are_listed_in_pages_and_by_status(desk: Desk):
    made = [(await desk.subscribe(URL)).hook.hook_id for _ in range(5)]
    await desk.ask("pause_hook", HookOf(hook_id=made[2]))

    seen, cursor = [], ""
    while True:
        page = await desk.service.list_hooks(ListHooks(limit=2, cursor=cursor))
        seen += [each.hook_id for each in page.hooks]
        cursor = page.next_cursor
        if not cursor:
            break
    paused = await desk.service.list_hooks(ListHooks(status=HookStatus.PAUSED))

    assert seen == made[::-1]
    assert [each.hook_id for each in paused.hooks] == [made[2]]


async def test_cursors_that_are_none_of_ours_are_refused(desk: Desk):
    made = await desk.subscribe(URL)
    with pytest.raises(UnknownCursor):
        await desk.service.list_hooks(ListHooks(cursor="7"))
    for cursor in ("-1", "\u00b2", "9" * 19):
        with pytest.raises(UnknownCursor):
            await desk.service.list_deliveries(
                ListDeliveries(hook_id=made.hook.hook_id, cursor=cursor)
            )


def test_a_request_without_events_is_no_request():
    import msgspec

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": URL, "events": []}, CreateHook)
