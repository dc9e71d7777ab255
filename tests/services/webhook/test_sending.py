"""Sending: signed, at least once, for days; a slow or broken endpoint is nobody else's trouble."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from emporion.chassis.testing.time import ManualClock
from emporion.contracts.order import OrderCancelled
from emporion.contracts.webhook import DeliveryStatus, HookOf, HookStatus, RedriveHook
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import OrderId
from emporion.kernel.money import Money
from emporion.services.webhook import audit
from emporion.services.webhook.commands.sending import SLOTS, TAKEN_MS
from emporion.services.webhook.ports import Reply
from tests.services.webhook.desk import ADA, Desk, Endpoint, event_id, open_desk

DAY_S = 86_400


def refused(status: int = 500, **headers: str) -> web.Response:
    return web.Response(
        status=status, text="no\n", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def test_an_event_arrives_signed_as_the_scheme_says(
    desk: Desk, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    made = await desk.subscribe(endpoint.url)
    await desk.tell(1)
    await desk.send()

    (post,) = endpoint.posts
    at = datetime.fromtimestamp(desk.clock.now_ms() / 1_000, tz=UTC)

    class Frozen(datetime):
        @classmethod
        def now(cls, tz=None):
            return at

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Frozen)
    said = Webhook(made.secret).verify(post.body, post.headers)
    assert said["type"] == "orders.created"
    assert said["timestamp"] == "2026-01-01T00:00:00Z"
    assert said["data"]["order_id"] == f"ord_{1:032x}"
    assert (post.path, post.webhook_id) == ("/hooks", event_id(1))
    assert post.headers["content-type"] == "application/json"
    (delivery,) = await desk.deliveries(made.hook.hook_id)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 1)
    assert (delivery.last_status, delivery.last_error) == (204, "")


async def test_an_event_that_comes_again_is_sent_once(desk: Desk, endpoint: Endpoint):
    await desk.subscribe(endpoint.url)
    await desk.tell(1, 1)
    await desk.tell(1)
    await desk.send()
    await desk.tell(1)
    await desk.send()

    assert [post.webhook_id for post in endpoint.posts] == [event_id(1)]


async def test_what_nobody_wants_is_not_kept(desk: Desk, endpoint: Endpoint):
    await desk.tell(1)
    await desk.subscribe(endpoint.url, "orders.cancelled")
    await desk.tell(2)
    await desk.send()

    assert endpoint.posts == []
    assert await desk.rows("SELECT * FROM hook_message") == []


async def test_each_subscription_gets_the_events_of_its_own_wishes(desk: Desk, endpoint: Endpoint):
    both = await desk.subscribe(endpoint.url + "/both", "orders.created", "orders.cancelled")
    await desk.subscribe(endpoint.url + "/one")
    cancelled = OrderCancelled(
        order_id=OrderId("ord_" + "1" * 32),
        user_id=ADA,
        amount=Money(1, "EUR"),
        reason="",
        cancelled_at=to_datetime(desk.clock.now_ms()),
    )
    await desk.tell(1)
    await desk.tell(2, event=cancelled)
    await desk.send()

    got = sorted((post.path, json.loads(post.body)["type"]) for post in endpoint.posts)
    assert got == [
        ("/hooks/both", "orders.cancelled"),
        ("/hooks/both", "orders.created"),
        ("/hooks/one", "orders.created"),
    ]
    assert len(await desk.deliveries(both.hook.hook_id)) == 2
    assert len(await desk.rows("SELECT * FROM hook_message")) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 503, 301, 304])
async def test_any_answer_but_a_yes_is_tried_again_with_the_same_id(
    desk: Desk, endpoint: Endpoint, status: int
):
    made = await desk.subscribe(endpoint.url)
    endpoint.answers = [refused(status, Location=endpoint.url + "/elsewhere"), refused(status)]
    await desk.tell(1)
    await desk.send()
    await desk.send()
    assert len(endpoint.posts) == 1
    for _ in range(2):
        await desk.until_due(made.hook.hook_id)
        await desk.send()

    assert {(post.path, post.webhook_id) for post in endpoint.posts} == {("/hooks", event_id(1))}
    stamps = [int(post.headers["webhook-timestamp"]) for post in endpoint.posts]
    assert len(stamps) == len(set(stamps)) == 3
    delivery = await desk.delivery(made.hook.hook_id)
    assert delivery.delivery.status is DeliveryStatus.DELIVERED
    assert [each.status for each in delivery.attempts] == [204, status, status]


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(desk: Desk, endpoint: Endpoint, status: int):
    made = await desk.subscribe(endpoint.url)
    endpoint.answers = [refused(status, Retry_After="3600")]
    await desk.tell(1)
    await desk.send()

    assert await desk.until_due(made.hook.hook_id) == 3600
    await desk.send()
    assert len(endpoint.posts) == 2


async def test_an_endpoint_that_takes_nothing_for_five_days_fails_and_is_redriven(
    desk: Desk, endpoint: Endpoint
):
    made = await desk.subscribe(endpoint.url)
    hook_id = made.hook.hook_id
    endpoint.answers = [refused(404) for _ in range(200)]
    await desk.tell(1)
    await desk.send()
    tries = 1
    while (await desk.deliveries(hook_id))[0].status is DeliveryStatus.WAITING:
        await desk.until_due(hook_id)
        await desk.send()
        tries += 1

    assert 20 < tries < 35
    assert len(endpoint.posts) == tries
    assert (await desk.hook(hook_id)).failed == 1
    assert (await desk.deliveries(hook_id))[0].last_error == "404 no"
    endpoint.answers = [refused()]
    assert (await desk.ask("redrive_deliveries", RedriveHook(hook_id=hook_id))).deliveries == 1
    await desk.send()
    assert 4 <= await desk.until_due(hook_id) <= 6
    await desk.send()
    assert (await desk.deliveries(hook_id))[0].status is DeliveryStatus.DELIVERED
    assert len({post.webhook_id for post in endpoint.posts}) == 1
    assert [each async for each in audit.violations(desk.database)] == []


async def test_410_disables_and_nothing_is_collected_until_somebody_resumes(
    desk: Desk, endpoint: Endpoint
):
    made = await desk.subscribe(endpoint.url)
    hook_id = made.hook.hook_id
    endpoint.answers = [refused(410)]
    await desk.tell(1)
    await desk.send()
    await desk.tell(2)
    await desk.send()

    hook = await desk.hook(hook_id)
    assert (hook.status, hook.reason) == (HookStatus.DISABLED, "the endpoint said 410 Gone")
    assert [each.status for each in await desk.deliveries(hook_id)] == [DeliveryStatus.FAILED]
    assert len(endpoint.posts) == 1
    await desk.ask("resume_hook", HookOf(hook_id=hook_id))
    await desk.tell(3)
    await desk.send()
    assert [post.webhook_id for post in endpoint.posts] == [event_id(1), event_id(3)]


async def test_nobody_at_the_address_is_written_down_and_tried_again(desk: Desk):
    async with Endpoint().open() as gone:
        url = gone.url
    made = await desk.subscribe(url)
    await desk.tell(1)
    await desk.send()

    delivery = await desk.delivery(made.hook.hook_id)
    assert delivery.delivery.status is DeliveryStatus.WAITING
    (attempt,) = delivery.attempts
    assert attempt.status == 0
    assert "Connect" in attempt.error


async def test_a_slow_endpoint_holds_up_its_own_messages_only(desk: Desk, endpoint: Endpoint):
    async with Endpoint(is_slow=True).open() as slow:
        late = await desk.subscribe(slow.url)
        await desk.subscribe(endpoint.url)
        await desk.tell(*range(20))
        await desk.start_sending()
        while len(endpoint.posts) < 20 or len(slow.posts) < SLOTS:
            await desk.start_sending()
            await asyncio.sleep(0)

        assert len(slow.posts) == SLOTS
        assert {each.status for each in await desk.deliveries(late.hook.hook_id)} == {
            DeliveryStatus.WAITING
        }
        slow.let_go.set()
        await desk.send()
        assert sorted(post.webhook_id for post in slow.posts) == sorted(map(event_id, range(20)))


async def test_a_restart_takes_up_what_waits_and_what_was_under_way(engine, tmp_path: Path):
    clock = ManualClock()
    async with Endpoint(is_slow=True).open() as endpoint:
        async with open_desk(tmp_path, engine, clock) as desk:
            made = await desk.subscribe(endpoint.url)
            await desk.tell(*range(SLOTS + 2))
            await desk.start_sending()
            while len(endpoint.posts) < SLOTS:
                await asyncio.sleep(0)
        endpoint.let_go.set()
        # Where others may be sending, what the dead one took is left to it for a while.
        clock.advance(0 if engine == "sqlite" else TAKEN_MS / 1_000)
        async with open_desk(tmp_path, engine, clock) as desk:
            await desk.send()

            statuses = {each.status for each in await desk.deliveries(made.hook.hook_id)}
            assert statuses == {DeliveryStatus.DELIVERED}
    assert {post.webhook_id for post in endpoint.posts} == set(map(event_id, range(SLOTS + 2)))


async def test_of_two_instances_each_message_is_sent_by_one(tmp_path: Path, endpoint: Endpoint):
    clock = ManualClock()
    async with (
        open_desk(tmp_path, "postgres", clock) as one,
        open_desk(tmp_path, "postgres", clock) as other,
    ):
        await one.subscribe(endpoint.url)
        await one.tell(*range(30))
        await asyncio.gather(one.send(), other.send())
        await one.send()

    assert sorted(post.webhook_id for post in endpoint.posts) == sorted(map(event_id, range(30)))


async def test_a_paused_subscription_keeps_what_happens_until_it_is_resumed(
    desk: Desk, endpoint: Endpoint
):
    made = await desk.subscribe(endpoint.url)
    of = HookOf(hook_id=made.hook.hook_id)
    paused = [await desk.ask("pause_hook", of) for _ in range(2)][-1]
    await desk.tell(1, 2)
    await desk.send()
    assert (paused.status, endpoint.posts) == (HookStatus.PAUSED, [])
    assert (await desk.hook(made.hook.hook_id)).waiting == 2

    for _ in range(2):
        await desk.ask("resume_hook", HookOf(hook_id=made.hook.hook_id))
    await desk.send()
    assert len(endpoint.posts) == 2


async def test_history_reaches_a_new_subscription_from_the_instant_it_asked_for(
    desk: Desk, endpoint: Endpoint
):
    old = await desk.subscribe(endpoint.url + "/old")
    await desk.tell(1)
    desk.clock.advance(DAY_S)
    await desk.tell(2)
    await desk.send()
    since = to_datetime(desk.clock.now_ms() - 1_000)
    await desk.subscribe(endpoint.url + "/new", since=since)
    # A replay of the bus: everything comes again.
    await desk.tell(1, at_ms=desk.clock.now_ms() - DAY_S * 1_000)
    await desk.tell(2)
    await desk.send()

    # Messages to one endpoint may overtake each other.
    assert sorted((post.path, post.webhook_id) for post in endpoint.posts) == [
        ("/hooks/new", event_id(2)),
        ("/hooks/old", event_id(1)),
        ("/hooks/old", event_id(2)),
    ]
    assert len(await desk.deliveries(old.hook.hook_id)) == 2


async def test_after_a_rotation_both_secrets_verify_for_a_day(desk: Desk, endpoint: Endpoint):
    made = await desk.subscribe(endpoint.url)
    rotated = await desk.ask("rotate_secret", HookOf(hook_id=made.hook.hook_id))
    await desk.tell(1)
    await desk.send()
    desk.clock.advance(DAY_S)
    await desk.tell(2)
    await desk.send()

    during, after = (post.headers["webhook-signature"].split() for post in endpoint.posts)
    assert made.secret != rotated.secret
    assert (len(during), len(after)) == (2, 1)
    at = datetime.fromtimestamp(int(endpoint.posts[0].headers["webhook-timestamp"]), tz=UTC)
    body = endpoint.posts[0].body.decode()
    signed = [Webhook(each.secret).sign(event_id(1), at, body) for each in (rotated, made)]
    assert during == signed


class Quitting:
    """A courier that hands over and then takes the process with it."""

    def __init__(self) -> None:
        self.carried: list[str] = []

    async def carry(self, url, headers, body) -> Reply:
        self.carried.append(headers["webhook-id"])
        raise asyncio.CancelledError


async def test_a_crash_after_the_answer_sends_again_under_the_same_id(
    engine, tmp_path: Path, endpoint: Endpoint
):
    clock, courier = ManualClock(), Quitting()
    async with open_desk(tmp_path, engine, clock, courier) as desk:
        await desk.subscribe(endpoint.url)
        await desk.tell(1)
        await desk.start_sending()
        await asyncio.gather(*desk.tries(), return_exceptions=True)
    clock.advance(TAKEN_MS / 1_000)
    async with open_desk(tmp_path, engine, clock) as desk:
        await desk.send()

    assert courier.carried == [post.webhook_id for post in endpoint.posts] == [event_id(1)]
