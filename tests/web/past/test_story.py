"""The story of an order: every hop with its time, what changed, mails and webhooks, in one line."""

import io
import itertools
import json

import msgspec
import pytest
import pytest_asyncio
from rich.console import Console

from emporion.contracts.webhook import CreateHook, WebhookService
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import OrderId
from emporion.platform.operating import SCOPES
from emporion.platform.telling.waterfall import show_story
from emporion.web.past.story import Entry, Story, story_of_order, story_of_trace
from tests.defects.whole_shop import WholeShop
from tests.platform.telling.test_records import recorder_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEYS = (f"key-{number}" for number in itertools.count())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory):
    shop = WholeShop(tmp_path_factory.mktemp("story") / "shop")
    await shop.open()
    recorder = recorder_of(shop)
    await shop.stock("croissant", 9)
    yield shop
    await recorder.stop()
    await shop.close()


async def bought(shop: WholeShop, **headers: str) -> OrderId:
    ada = await shop.customer("Ada")
    content = {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_ok"}
    answer = await ada.send("POST", "/api/orders", content, key=next(KEYS), **headers)
    return OrderId(answer.json()["order_id"])


async def told(shop: WholeShop, order_id: OrderId) -> Story:
    clients = shop.shop.directory.clients("platform", scopes=SCOPES)
    return await story_of_order(clients, order_id)


def printed(story: Story, width: int = 80) -> list[str]:
    out = io.StringIO()
    show_story(story, Console(file=out, width=width, force_terminal=False))
    return out.getvalue().splitlines()


async def test_it_tells_every_hop_change_mail_and_webhook(shop):
    hooks = shop.client(WebhookService)
    hook = CreateHook(url="http://127.0.0.1:9/", events=["orders.created"])
    await shop.live(hooks.create_hook(hook))
    order_id = await bought(shop)
    await shop.deliver()
    await shop.send_mails()

    story = await told(shop, order_id)
    entries = [(entry.kind, entry.service, entry.what, entry.outcome) for entry in story.entries]
    for wanted in (
        ("edge", "edge", "POST /api/orders", "ok"),
        ("served", "inventory", "reserve", "ok"),
        ("step", "order", "create-order: charge payment", "ok"),
        ("outside", "payment", "rehearsal: charge", "ok"),
        ("data", "payment", "transaction", "ok"),
        ("change", "order", "paid", "ok"),
        ("change", "payment", "payment.captured", "ok"),
        ("reaction", "email", "react to orders.created", "ok"),
        ("mail", "email", "order-confirmation mail", "sent"),
    ):
        assert wanted in entries
    assert any(entry.kind == "webhook" and entry.outcome == "waiting" for entry in story.entries)
    assert (story.lost, story.missing, len(story.trace_ids)) == ([], [], 1)
    assert [e.at_us for e in story.entries] == sorted(e.at_us for e in story.entries)

    document = json.loads(msgspec.json.encode(story))
    assert document["order_id"] == order_id


async def test_it_fits_the_terminal_and_shows_what_caused_what(shop):
    story = await told(shop, await bought(shop))

    for width in (80, 100, 300):
        lines = printed(story, width)
        assert max(map(len, lines)) <= min(width, 120)
    lines = printed(story)
    (place,) = (number for number, text in enumerate(lines) if "order place_order" in text)
    (reserve,) = (number for number, text in enumerate(lines) if "inventory reserve" in text)
    (captured,) = (n for n, text in enumerate(lines) if "* payment payment.captured" in text)
    (confirm,) = (n for n, text in enumerate(lines) if "order create-order: confirm" in text)
    assert place < reserve < captured < confirm
    assert lines[reserve].index("inventory") > lines[place].index("order")


async def test_an_order_that_was_not_recorded_has_a_story_all_the_same(shop):
    unsampled = f"00-{'a' * 32}-{'b' * 16}-00"
    order_id = await bought(shop, traceparent=unsampled)

    story = await told(shop, order_id)
    assert story.lost == ["a" * 32]
    assert ("change", "paid") in {(entry.kind, entry.what) for entry in story.entries}
    assert f"no spans are kept of trace {'a' * 32}" in printed(story)


async def test_of_what_is_not_there_no_story_is_told(shop):
    clients = shop.shop.directory.clients("platform", scopes=SCOPES)
    with pytest.raises(NotFound):
        await told(shop, OrderId("ord_" + "0" * 32))
    with pytest.raises(NotFound):
        await story_of_trace(clients, "f" * 32)


async def test_what_a_log_line_quotes_does_not_steer_the_terminal():
    line = Entry(kind="log", at_us=1, service="order", what="[red]\x1b[2J\x07 oh", outcome="error")
    text = "\n".join(printed(Story("", ["a" * 32], [], ["two"], [line])))

    assert "[red] [2J  oh error" in text
    assert "\x1b" not in text
    assert "did not answer: two" in text


async def test_a_story_without_entries_is_its_heading():
    assert printed(Story("", ["a" * 32], [], ["one"], [])) == [
        f"trace {'a' * 32}",
        "did not answer: one",
    ]
