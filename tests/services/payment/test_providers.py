"""One suite over the payment providers: the rehearsal one, and Stripe on a local server."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
import pytest
import stripe

from emporion.chassis.testing.time import START_MS, manual_runtime
from emporion.contracts.payment import PaymentStatus, WebhookRefused
from emporion.kernel.errors import FailedPrecondition, Unavailable
from emporion.kernel.ids import OrderId
from emporion.kernel.money import Money
from emporion.platform.supervisor.ports import free_port
from emporion.services.payment import audit
from emporion.services.payment.adapters.rehearsal import RehearsalProvider
from emporion.services.payment.adapters.signing import signature_of
from emporion.services.payment.adapters.stripe import StripeConfig, StripeProvider
from emporion.services.payment.domain import capture_key, charge_key, refund_key, void_key
from emporion.services.payment.ports import Approval, Decline, PaymentProvider, Standing
from tests.services.payment.desk import SECRET, open_desk, order_id, part, request

EUR = Money(1250, "EUR")
GOOD, BROKE = "4242424242424242", "4000000000000341"
KEY = "sk_test_12345"
HERE = Path(__file__).parents[3]


@dataclass
class Rig:
    """A provider, tokens that are good and that are declined, and how it writes webhooks."""

    provider: PaymentProvider
    good: str
    declined: str
    webhook: Callable[[OrderId, str], bytes]
    now_ms: int

    async def take(self, number: int = 1) -> Approval:
        """A charge that is approved."""
        key = charge_key(order_id(number))
        answer = await self.provider.charge(key=key, amount=EUR, token=self.good)
        assert isinstance(answer, Approval)
        return answer

    async def hold(self, number: int = 1) -> Approval:
        """An authorisation that is approved."""
        key = charge_key(order_id(number))
        answer = await self.provider.authorise(key=key, amount=EUR, token=self.good)
        assert isinstance(answer, Approval)
        return answer

    async def look(self, number: int = 1, reference: str = "") -> Standing | None:
        """Where the money of an order is."""
        return await self.provider.look(order_id=order_id(number), reference=reference)


async def payment_method(url: str, card: str) -> str:
    """A token for a card, as a browser gets it from Stripe."""
    data = {
        "type": "card",
        "card[number]": card,
        "card[exp_month]": "12",
        "card[exp_year]": "2030",
        "card[cvc]": "123",
    }
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.post(f"{url}/v1/payment_methods", data=data) as answer,
    ):
        token: str = (await answer.json())["id"]
        return token


@pytest.fixture
async def stripe_url() -> AsyncIterator[str]:
    """A local Stripe."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.services.payment.stripe_server",
        str(port),
        cwd=HERE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    yield f"http://127.0.0.1:{port}"
    process.kill()
    await process.wait()


def told_by_stripe(order: OrderId, reference: str) -> bytes:
    """An event as Stripe sends it, as far as we read it and a little further."""
    thing = {
        "object": "payment_intent",
        "id": reference,
        "metadata": {"emporion_order": order},
        "status": "succeeded",
    }
    return msgspec.json.encode(
        {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": thing}}
    )


def told_in_rehearsal(order: OrderId, _: str) -> bytes:
    return msgspec.json.encode({"id": "evt_1", "order_id": order})


@pytest.fixture
async def on_stripe(stripe_url: str) -> AsyncIterator[Rig]:
    provider = StripeProvider(StripeConfig(KEY, SECRET, stripe_url))
    yield Rig(
        provider,
        await payment_method(stripe_url, GOOD),
        await payment_method(stripe_url, BROKE),
        told_by_stripe,
        time.time_ns() // 1_000_000,  # the library looks at the clock itself
    )
    await provider.close()


@pytest.fixture
async def rehearsed() -> Rig:
    provider = RehearsalProvider(manual_runtime().tasks, webhook_secret=SECRET)
    return Rig(provider, "tok_ok", "tok_declined", told_in_rehearsal, START_MS)


@pytest.fixture(params=["rehearsed", "on_stripe"])
def rig(request: pytest.FixtureRequest) -> Rig:
    chosen: Rig = request.getfixturevalue(request.param)
    return chosen


async def test_a_charge_is_taken_once_under_its_key(rig: Rig):
    first = await rig.take()
    answers = [await rig.take() for _ in range(2)]

    assert {answer.reference for answer in answers} == {first.reference}
    assert await rig.provider.find(key=charge_key(order_id(1))) == first
    assert await rig.look(reference=first.reference) == await rig.look()
    standing = await rig.look()
    assert standing is not None
    assert (standing.is_taken, standing.is_held, standing.amount) == (True, False, EUR)


async def test_a_decline_says_why_and_takes_nothing(rig: Rig):
    key = charge_key(order_id(1))
    answers = [await rig.provider.charge(key=key, amount=EUR, token=rig.declined) for _ in range(2)]

    assert answers[0] == answers[1]
    assert isinstance(answers[0], Decline)
    assert answers[0].reason in {"insufficient_funds", "card_declined"}
    assert await rig.provider.find(key=key) is None


async def test_an_unknown_token_is_declined(rig: Rig):
    answer = await rig.provider.charge(key=charge_key(order_id(1)), amount=EUR, token="pm_nobody")

    assert answer == Decline("invalid_payment_method")


async def test_nothing_is_known_of_an_order_that_was_never_charged(rig: Rig):
    assert await rig.look() is None
    assert await rig.provider.find(key=charge_key(order_id(1))) is None


async def test_what_is_held_is_captured_once(rig: Rig):
    held = await rig.hold()
    standing = await rig.look()
    assert standing is not None
    assert (held.is_held, standing.is_held, standing.is_taken) == (True, True, False)

    for _ in range(2):
        await rig.provider.capture(
            key=capture_key(order_id(1)), reference=held.reference, amount=EUR
        )

    assert await rig.provider.find(key=charge_key(order_id(1))) == Approval(held.reference)
    with pytest.raises(FailedPrecondition):
        await rig.provider.void(key=void_key(order_id(1)), reference=held.reference)


async def test_what_was_let_go_of_cannot_be_captured(rig: Rig):
    held = await rig.hold()

    for _ in range(2):
        await rig.provider.void(key=void_key(order_id(1)), reference=held.reference)

    with pytest.raises(FailedPrecondition):
        await rig.provider.capture(
            key=capture_key(order_id(1)), reference=held.reference, amount=EUR
        )
    assert await rig.provider.find(key=charge_key(order_id(1))) is None
    standing = await rig.look()
    assert standing is not None
    assert (standing.is_held, standing.is_taken, standing.reason) == (False, False, "voided")


@pytest.mark.parametrize("is_held_first", [False, True])
async def test_refunds_happen_once_each_and_never_exceed_the_charge(rig: Rig, is_held_first: bool):
    if is_held_first:
        taken = await rig.hold()
        key = capture_key(order_id(1))
        await rig.provider.capture(key=key, reference=taken.reference, amount=EUR)
    else:
        taken = await rig.take()

    async def back(refund_id: str, minor: int) -> str:
        made = await rig.provider.refund(
            key=refund_key(order_id(1), refund_id),
            reference=taken.reference,
            amount=Money(minor, "EUR"),
        )
        return made.reference

    first = await back("r1", 1000)
    assert await back("r1", 1000) == first
    with pytest.raises(FailedPrecondition):
        await back("r2", 251)
    await back("r3", 250)

    standing = await rig.look(reference=taken.reference)
    assert standing is not None
    assert sorted((each.key[-2:], each.amount.amount_minor) for each in standing.returned) == [
        ("r1", 1000),
        ("r3", 250),
    ]


async def test_a_webhook_says_which_order_to_look_at(rig: Rig):
    taken = await rig.take()
    body = rig.webhook(order_id(1), taken.reference)
    signature = signature_of(body, SECRET, at_s=rig.now_ms // 1000)

    notice = rig.provider.read_webhook(body, signature, now_ms=rig.now_ms)

    assert (notice.event_id, notice.order_id) == ("evt_1", order_id(1))
    assert notice.reference == taken.reference


async def test_a_webhook_of_somebody_else_or_of_long_ago_is_refused(rig: Rig):
    body = rig.webhook(order_id(1), "pi_1")
    now_s = rig.now_ms // 1000
    wrong = [
        (body, signature_of(body, "guessed", at_s=now_s)),
        (body + b" ", signature_of(body, SECRET, at_s=now_s)),
        (body, signature_of(body, SECRET, at_s=now_s - 400)),
        (body, "nonsense"),
        (b"\xff", signature_of(b"\xff", SECRET, at_s=now_s)),
        (b"[]", signature_of(b"[]", SECRET, at_s=now_s)),
    ]

    for sent, signature in wrong:
        with pytest.raises(WebhookRefused):
            rig.provider.read_webhook(sent, signature, now_ms=rig.now_ms)


async def test_without_a_secret_no_webhook_is_taken():
    for provider in (
        RehearsalProvider(manual_runtime().tasks),
        StripeProvider(StripeConfig(KEY)),
    ):
        with pytest.raises(WebhookRefused):
            provider.read_webhook(b"{}", "t=1,v1=0", now_ms=1000)


def test_what_the_library_signs_is_what_we_check():
    body = told_by_stripe(order_id(1), "pi_1")
    now_s = int(time.time())
    header = signature_of(body, SECRET, at_s=now_s)

    assert stripe.WebhookSignature.verify_header(body.decode(), header, SECRET, 300)


async def test_an_event_about_nothing_of_ours_names_no_order():
    provider = StripeProvider(StripeConfig(KEY, SECRET))
    for thing in ({"object": "payout", "id": "po_1"}, {"object": "x", "metadata": {"a": "b"}}):
        body = msgspec.json.encode({"id": "evt_2", "data": {"object": thing}})
        signature = signature_of(body, SECRET, at_s=int(time.time()))

        assert provider.read_webhook(body, signature, now_ms=0).order_id == ""


async def test_a_stripe_that_is_away_leaves_the_outcome_open():
    provider = StripeProvider(StripeConfig(KEY, url=f"http://127.0.0.1:{free_port()}"))

    with pytest.raises(Unavailable) as failure:
        await provider.charge(key="charge-x", amount=EUR, token="pm_secret")

    assert "pm_secret" not in str(failure.value)
    await provider.close()


async def test_a_wrong_key_can_be_put_right_and_is_no_decline(stripe_url: str):
    provider = StripeProvider(StripeConfig("wrong", url=stripe_url))

    with pytest.raises(Unavailable):
        await provider.charge(key="charge-x", amount=EUR, token="pm_1")
    await provider.close()


async def test_a_life_of_payments_on_stripe_keeps_the_books(on_stripe: Rig, engine, tmp_path: Path):
    async with open_desk(tmp_path, engine, real=on_stripe.provider) as desk:
        lost = {"after": True}

        async def lose(call: str) -> None:
            if lost.pop(call.split(maxsplit=1)[0], False):
                raise Unavailable("lost")

        desk.provider.after = lose
        lost["charge"] = True
        with pytest.raises(Unavailable):
            await desk.service.charge(request(on_stripe.good))
        await desk.service.charge(request(on_stripe.good))
        lost["refund"] = True
        with pytest.raises(Unavailable):
            await desk.service.refund_part(part("r1", 300))
        payment = await desk.service.refund_part(part("r1", 300))
        assert (payment.status, payment.refunded) == (PaymentStatus.CAPTURED, Money(300, "EUR"))
        payment = await desk.service.refund(request())

        assert payment.status is PaymentStatus.REFUNDED
        assert await desk.transfers() == [("capture", 1250), ("refund", 300), ("refund", 950)]
        assert [found async for found in audit.violations(desk.database)] == []
        standing = await on_stripe.look()
        assert standing is not None
        assert sorted(each.amount.amount_minor for each in standing.returned) == [300, 950]
