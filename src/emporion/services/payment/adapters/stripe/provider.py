"""PaymentProvider on Stripe: PaymentIntents and refunds, by the official library.

Our idempotency keys are Stripe's, and stand in the metadata of what they made: Stripe forgets a
key after a day, metadata it keeps. Payment methods are tokens (`pm_...`); a card is never seen.
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import stripe

from emporion.contracts.payment import WebhookRefused
from emporion.kernel.errors import FailedPrecondition
from emporion.kernel.ids import ORDER, OrderId, has_prefix
from emporion.kernel.money import Money
from emporion.services.payment.adapters.stripe.things import (
    KEY,
    LIVE,
    ORDER_ID,
    Declined,
    Intent,
    Refund,
    answer_of,
    asked,
    decode_event,
    from_stripe,
    metadata_in,
    metadata_of,
    plain,
    reversal_of,
    to_stripe,
)
from emporion.services.payment.domain import charge_key
from emporion.services.payment.ports import (
    Answer,
    Approval,
    Decline,
    Listener,
    Notice,
    ReturnedThere,
    Reversal,
    Standing,
)

CALL_TIMEOUT_S = 4.0
TOLERANCE_S = 300
PAGE = 100
REFUNDS_MAX = 1_000


class StripeConfig(msgspec.Struct, frozen=True):
    """Where and as whom Stripe is asked. `url` empty: Stripe itself. `webhook_secret`: whsec_..."""

    secret_key: str
    webhook_secret: str = ""
    url: str = ""


_REASONS = dict.fromkeys(("resource_missing", "refused"), "invalid_payment_method")


class StripeProvider:
    """The port, on Stripe's API. No connection is made before the first call."""

    name = "stripe"

    def __init__(self, config: StripeConfig) -> None:
        self._config = config
        self._http = stripe.AIOHTTPClient(timeout=CALL_TIMEOUT_S)
        api = stripe.StripeClient(
            config.secret_key,
            http_client=self._http,
            max_network_retries=0,  # one retry layer: the caller's
            base_addresses={"api": config.url} if config.url else None,
        ).v1
        self._intents, self._refunds = api.payment_intents, api.refunds

    async def charge(self, *, key: str, amount: Money, token: str) -> Answer:
        return await self._create(key, amount, token, capture_method="automatic")

    async def authorise(self, *, key: str, amount: Money, token: str) -> Answer:
        return await self._create(key, amount, token, capture_method="manual")

    async def capture(self, *, key: str, reference: str, amount: Money) -> Approval:
        try:
            await asked(self._intents.capture_async(reference, options={"idempotency_key": key}))
        except FailedPrecondition as error:
            intent = await self._retrieve(reference)
            if intent is None or intent.status != "succeeded":
                raise FailedPrecondition("it is not held any more") from error
        return Approval(reference)

    async def void(self, *, key: str, reference: str) -> None:
        try:
            await asked(self._intents.cancel_async(reference, options={"idempotency_key": key}))
        except FailedPrecondition as error:
            intent = await self._retrieve(reference)
            if intent is not None and intent.status == "succeeded":
                raise FailedPrecondition("it was captured") from error

    async def refund(self, *, key: str, reference: str, amount: Money) -> Reversal:
        async for made in self._refunds_of(reference):
            if made.key == key:
                return reversal_of(made)
        answer = await asked(
            self._refunds.create_async(
                {
                    "payment_intent": reference,
                    "amount": to_stripe(amount),
                    "metadata": metadata_of(key),
                },
                options={"idempotency_key": key},
            )
        )
        return reversal_of(plain(answer, Refund))

    async def find(self, *, key: str) -> Answer | None:
        intent = await self._search(key)
        if intent is None:
            return None
        answer = answer_of(intent)
        return answer if isinstance(answer, Approval) else None

    async def look(self, *, order_id: OrderId, reference: str) -> Standing | None:
        intent = (
            await self._retrieve(reference)
            if reference.startswith("pi_")
            else await self._search(charge_key(order_id))
        )
        return None if intent is None else await self._standing(order_id, intent)

    async def dealings(self, *, since_ms: int) -> AsyncIterator[Standing]:
        after: dict[str, Any] = {}
        while True:
            params: Any = {"created": {"gte": since_ms // 1000}, "limit": PAGE, **after}
            page = await asked(self._intents.list_async(params))
            for each in page.data:
                order_id = metadata_in(each).get(ORDER_ID, "")
                if has_prefix(order_id, ORDER):
                    yield await self._standing(OrderId(order_id), plain(each, Intent))
            if not page.has_more:
                return
            after = {"starting_after": page.data[-1].id}

    async def _standing(self, order_id: OrderId, intent: Intent) -> Standing:
        refunds = [
            ReturnedThere(each.key, each.id, from_stripe(each.amount_minor, each.currency))
            async for each in self._refunds_of(intent.id)
            if not each.is_lost
        ]
        return Standing(
            order_id,
            intent.id,
            from_stripe(intent.amount_minor, intent.currency),
            is_held=intent.status == "requires_capture",
            is_taken=intent.status == "succeeded",
            returned=tuple(refunds),
            reason=intent.reason,
        )

    def read_webhook(self, body: bytes, signature: str, *, now_ms: int) -> Notice:
        if not self._config.webhook_secret:
            raise WebhookRefused("no secret is set to check webhooks with")
        try:
            stripe.WebhookSignature.verify_header(
                body.decode(), signature, self._config.webhook_secret, TOLERANCE_S
            )
            event = decode_event(body)
        except stripe.SignatureVerificationError:
            raise WebhookRefused("the signature does not fit, or is too old") from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise WebhookRefused("it is signed, and no event of Stripe") from None
        thing = event.data.object
        order_id = thing.metadata.get(ORDER_ID, "")
        reference = thing.id if thing.object == "payment_intent" else thing.payment_intent or ""
        return Notice(event.id, OrderId(order_id if has_prefix(order_id, ORDER) else ""), reference)

    def listen(self, listener: Listener) -> None:
        """Stripe tells by webhooks only."""

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def _create(self, key: str, amount: Money, token: str, *, capture_method: Any) -> Answer:
        try:
            intent = await asked(
                self._intents.create_async(
                    {
                        "amount": to_stripe(amount),
                        "currency": amount.currency.lower(),
                        "payment_method": token,
                        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                        "capture_method": capture_method,
                        "confirm": True,
                        "off_session": True,  # nobody is there to authenticate: then it is declined
                        "metadata": metadata_of(key),
                    },
                    options={"idempotency_key": key},
                )
            )
        except Declined as error:
            return Decline(error.detail)
        except FailedPrecondition as error:
            return Decline(_REASONS.get(error.detail, error.detail))
        return answer_of(plain(intent, Intent))

    async def _retrieve(self, reference: str) -> Intent | None:
        try:
            return plain(await asked(self._intents.retrieve_async(reference)), Intent)
        except FailedPrecondition:
            return None

    async def _search(self, key: str) -> Intent | None:
        """The intent of a key. Stripe's search may be a minute behind: rechecks come later, too."""
        found = await asked(
            self._intents.search_async({"query": f"metadata['{KEY}']:'{key}'", "limit": PAGE})
        )
        intents = [plain(each, Intent) for each in found.data]
        return min(intents, key=lambda intent: intent.status not in LIVE, default=None)

    async def _refunds_of(self, reference: str) -> AsyncIterator[Refund]:
        """The refunds of an intent, at most REFUNDS_MAX."""
        after: dict[str, Any] = {}
        for _ in range(REFUNDS_MAX // PAGE):
            params: Any = {"payment_intent": reference, "limit": PAGE, **after}
            page = await asked(self._refunds.list_async(params))
            for refund in page.data:
                yield plain(refund, Refund)
            if not page.has_more:
                return
            after = {"starting_after": page.data[-1].id}
