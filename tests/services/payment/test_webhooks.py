"""Webhooks: kept first, in any order and number to the same end, never dropped."""

import asyncio
from itertools import permutations
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emporion.contracts.payment import (
    PaymentDeclined,
    PaymentStatus,
    TakeWebhook,
    WebhookRefused,
)
from emporion.kernel.errors import EmporionError, NotFound, Unavailable
from emporion.kernel.ids import OrderId
from emporion.kernel.money import Money
from emporion.services.payment.adapters.signing import TOLERANCE_S, signature_of
from emporion.services.payment.commands.webhooks import KEPT_MS, UNKNOWN
from emporion.services.payment.domain import charge_key
from tests.services.payment.desk import (
    SECRET,
    Desk,
    Interrupted,
    open_desk,
    order_id,
    part,
    request,
)
from tests.services.payment.test_partial_refunds import is_sound

EUR = Money(1250, "EUR")


def webhook(
    desk: Desk, event: str = "evt1", *, order: OrderId | None = None, secret: str = SECRET
) -> TakeWebhook:
    """A webhook of the test provider about order 1, signed now."""
    body = msgspec.json.encode({"id": event, "order_id": order or order_id(1)})
    signature = signature_of(body, secret, at_s=desk.clock.now_ms() // 1000)
    return TakeWebhook(provider="rehearsal", signature=signature, body=body)


async def arrive(desk: Desk, event: str = "evt1") -> None:
    """It comes, and is acted upon."""
    await desk.service.take_webhook(webhook(desk, event))
    await desk.act_upon_webhooks()


async def kept(desk: Desk) -> list[tuple[str, bool, str]]:
    rows = await desk.rows("SELECT event_id, due_at_ms, last_error FROM webhook ORDER BY event_id")
    return [(event, due is not None, error) for event, due, error in rows]


async def test_a_webhook_is_noted_before_it_is_acknowledged_and_its_body_is_not_kept(desk: Desk):
    await desk.service.take_webhook(webhook(desk))

    assert await desk.rows("SELECT provider, event_id, order_id, body FROM webhook") == [
        ("rehearsal", "evt1", order_id(1), b"")
    ]
    assert desk.provider.calls == []  # nothing was asked while the provider waited for its 204


async def test_the_same_event_again_is_kept_once(desk: Desk):
    for _ in range(3):
        await desk.service.take_webhook(webhook(desk))
    await asyncio.gather(*(desk.beside().service.take_webhook(webhook(desk)) for _ in range(5)))

    assert len(await kept(desk)) == 1


async def test_a_webhook_that_is_not_signed_by_the_provider_is_refused(desk: Desk):
    good = webhook(desk)
    now_s = desk.clock.now_ms() // 1000
    wrong = [
        webhook(desk, secret="guessed").signature,
        signature_of(good.body + b" ", SECRET, at_s=now_s),
        good.signature.replace("t=", "t=1"),
        good.signature.partition(",")[0],
        good.signature.partition(",")[2],
        "t=x,v1=y",
        "nonsense",
        "v1=ä,t=1",
    ]

    for signature in wrong:
        with pytest.raises(WebhookRefused):
            await desk.service.take_webhook(msgspec.structs.replace(good, signature=signature))
    with pytest.raises(NotFound):
        await desk.service.take_webhook(msgspec.structs.replace(good, provider="other"))

    assert await kept(desk) == []


async def test_a_webhook_of_long_ago_is_refused(desk: Desk):
    old = webhook(desk)
    desk.clock.advance(TOLERANCE_S)
    await desk.service.take_webhook(old)
    desk.clock.advance(1)

    with pytest.raises(WebhookRefused):
        await desk.service.take_webhook(old)


async def test_one_of_several_signatures_is_enough_while_a_secret_is_changed(desk: Desk):
    good = webhook(desk)
    both = f"{good.signature},v1={'0' * 64}"

    await desk.service.take_webhook(msgspec.structs.replace(good, signature=both))

    assert len(await kept(desk)) == 1


async def test_what_is_signed_and_no_webhook_is_refused(desk: Desk):
    body = b'{"id": 7}'
    signature = signature_of(body, SECRET, at_s=desk.clock.now_ms() // 1000)

    with pytest.raises(WebhookRefused):
        await desk.service.take_webhook(
            TakeWebhook(provider="rehearsal", signature=signature, body=body)
        )


async def test_a_charge_whose_answer_was_lost_is_recorded_by_its_webhook(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_timeout"))

    await arrive(desk)

    assert await desk.rows("SELECT status FROM payment") == [("captured",)]
    assert await desk.transfers() == [("capture", 1250)]
    assert await desk.published() == ["payments.captured"]
    assert (await desk.service.charge(request("tok_timeout"))).status is PaymentStatus.CAPTURED
    assert await kept(desk) == [("evt1", False, "")]


async def test_defect_9_a_webhook_that_races_the_confirming_call_captures_once(desk: Desk):
    """It arrives while the call waits for the provider, which has taken the money already."""

    async def arrive_meanwhile(call: str) -> None:
        if call.startswith("charge"):
            desk.provider.after = None
            await desk.beside().service.take_webhook(webhook(desk))
            await desk.beside().act_upon_webhooks()

    desk.provider.after = arrive_meanwhile
    payment = await desk.service.charge(request())
    desk.clock.advance(10)
    await desk.act_upon_webhooks()

    assert payment.status is PaymentStatus.CAPTURED
    assert await desk.transfers() == [("capture", 1250)]
    assert await desk.published() == ["payments.captured"]
    assert await kept(desk) == [("evt1", False, "")]


async def test_defect_9_a_webhook_without_its_order_is_kept_and_heals_when_it_comes(desk: Desk):
    await desk.provider.real.charge(key=charge_key(order_id(1)), amount=EUR, token="tok_ok")
    await arrive(desk)
    for _ in range(15):
        desk.clock.advance(3_600)
        await desk.act_upon_webhooks()
    assert await kept(desk) == [("evt1", True, UNKNOWN)]

    assert (await desk.service.charge(request())).status is PaymentStatus.CAPTURED
    desk.clock.advance(3_600)
    await desk.act_upon_webhooks()

    assert await kept(desk) == [("evt1", False, "")]
    assert await desk.transfers() == [("capture", 1250)]
    assert await is_sound(desk)


async def test_a_webhook_acknowledged_before_a_crash_is_acted_upon_after_it(engine, tmp_path: Path):
    async with open_desk(tmp_path, engine) as desk:
        with pytest.raises(Unavailable):
            await desk.service.charge(request("tok_timeout"))

        async def crash(call: str) -> None:
            raise Interrupted(call)

        desk.provider.before = crash
        await desk.service.take_webhook(webhook(desk))
        with pytest.raises(Interrupted):
            await desk.act_upon_webhooks()

    async with open_desk(tmp_path, engine) as restarted:
        await restarted.act_upon_webhooks()
        assert await restarted.rows("SELECT status FROM payment") == [("captured",)]


async def test_a_provider_that_cannot_be_asked_holds_up_no_other_webhook(desk: Desk):
    for number in (1, 2):
        with pytest.raises(Unavailable):
            await desk.service.charge(request("tok_timeout", order=number))
        await desk.service.take_webhook(webhook(desk, f"evt{number}", order=order_id(number)))

    async def lose(call: str) -> None:
        if call.endswith(order_id(1)):
            raise Unavailable("lost")

    desk.provider.before = lose
    next_ms = await desk.act_upon_webhooks()

    assert await kept(desk) == [("evt1", True, "lost"), ("evt2", False, "")]
    assert next_ms == desk.clock.now_ms() + 1_000
    desk.provider.before = None
    desk.clock.advance(1)
    await desk.act_upon_webhooks()
    assert [due for _, due, _ in await kept(desk)] == [False, False]


async def test_a_refund_made_at_the_provider_is_taken_into_the_books(desk: Desk):
    payment = await desk.service.charge(request())
    await desk.provider.real.refund(
        key="dashboard", reference=payment.provider_reference, amount=Money(200, "EUR")
    )
    book = desk.provider.real._book  # type: ignore[attr-defined]
    book._refunds.setdefault(order_id(1), []).append(book._where["dashboard"])

    for event in ("evt1", "evt2"):
        await arrive(desk, event)

    assert await desk.transfers() == [("capture", 1250), ("refund", 200)]
    assert await desk.published() == ["payments.captured", "payments.refunded"]
    assert (await desk.service.refund(request())).status is PaymentStatus.REFUNDED


async def test_a_refund_whose_answer_was_lost_is_ended_by_its_webhook(desk: Desk):
    await desk.service.charge(request())

    async def lose(_: str) -> None:
        raise Unavailable("lost")

    desk.provider.after = lose
    with pytest.raises(Unavailable):
        await desk.service.refund_part(part("r1", 300))
    desk.provider.after = None

    await arrive(desk)

    assert await desk.transfers() == [("capture", 1250), ("refund", 300)]
    assert "refund" not in " ".join(desk.provider.calls[2:])


async def test_money_taken_after_a_decline_goes_back_when_a_webhook_tells(desk: Desk):
    with pytest.raises(PaymentDeclined):
        await desk.service.charge(request("tok_declined"))
    await desk.provider.real.charge(key=charge_key(order_id(1)), amount=EUR, token="tok_ok")

    await arrive(desk)
    await desk.recheck()

    assert await desk.transfers() == [("capture", 1250), ("refund", 1250)]
    assert await is_sound(desk)


async def test_what_was_dealt_with_is_forgotten_after_a_month(desk: Desk):
    await desk.service.charge(request())
    await arrive(desk)
    desk.clock.advance(KEPT_MS / 1000)
    await desk.act_upon_webhooks()
    assert len(await kept(desk)) == 1
    desk.clock.advance(1)

    await desk.act_upon_webhooks()

    assert await kept(desk) == []


TOKENS = ["tok_ok", "tok_timeout", "tok_timeout_lost", "tok_declined"]
STEPS = ["charge", "authorise", "undo", "part"]


async def live(desk: Desk, token: str, step: str) -> None:
    """One thing that a saga does."""
    try:
        match step:
            case "charge":
                await desk.service.charge(request(token))
            case "authorise":
                await desk.service.authorise(request(token))
            case "undo":
                await desk.service.refund(request(token))
            case _:
                await desk.service.refund_part(part("r1", 300))
    except EmporionError:
        return


async def end_of(folder: Path, token: str, steps: list[str], webhooks: list[str]) -> object:
    """The books after a life, and webhooks that come after it; "now" is one in between."""
    async with open_desk(folder, "sqlite") as desk:
        for step in steps:
            if step == "now":
                await arrive(desk, "evt-now")
            else:
                await live(desk, token, step)
        for event in webhooks:
            await arrive(desk, event)
        desk.clock.advance(86_400.0 * 2)
        await desk.act_upon_webhooks()
        await desk.recheck()
        assert await is_sound(desk)
        return (
            await desk.rows("SELECT status, refunded_minor, parts_minor, reference FROM payment"),
            sorted(await desk.transfers()),
            sorted(entry.kind for entry in desk.effects()),
        )


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    token=st.sampled_from(TOKENS),
    steps=st.lists(st.sampled_from([*STEPS, "now"]), min_size=1, max_size=5),
    webhooks=st.lists(st.sampled_from(["evt1", "evt2", "evt3"]), min_size=1, max_size=6),
)
async def test_any_order_and_number_of_webhooks_ends_in_the_same_books(
    tmp_path_factory, token, steps, webhooks
):
    folder = tmp_path_factory.mktemp("desks")
    ends = []
    for index, order in enumerate((webhooks, sorted(set(webhooks)), webhooks[::-1])):
        (folder / str(index)).mkdir()
        ends.append(await end_of(folder / str(index), token, steps, order))

    assert ends[0] == ends[1] == ends[2]


async def test_every_permutation_of_a_payments_webhooks_ends_in_the_same_books(tmp_path: Path):
    ends = []
    for index, order in enumerate(permutations(["evt1", "evt2", "evt3"])):
        (tmp_path / str(index)).mkdir()
        steps = ["charge", "part"]
        ends.append(await end_of(tmp_path / str(index), "tok_timeout", steps, [*order, order[0]]))

    assert all(end == ends[0] for end in ends)
