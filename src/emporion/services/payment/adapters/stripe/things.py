"""What we read of Stripe's objects, and how its answers and errors become ours."""

import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec
import stripe

from emporion.kernel.errors import FailedPrecondition, Unavailable
from emporion.kernel.money import Money
from emporion.services.payment.domain import order_of_key
from emporion.services.payment.ports import Answer, Approval, Decline, Reversal

T = TypeVar("T")
_log = logging.getLogger(__name__)
KEY, ORDER_ID = "emporion_key", "emporion_order"
FACTORS = {"ISK": 100, "UGX": 100}
"""Currencies without minor units that Stripe writes with two digits all the same."""


class Error(msgspec.Struct, frozen=True):
    """Why Stripe refused."""

    code: str | None = None
    decline_code: str | None = None


class Intent(msgspec.Struct, frozen=True):
    """A PaymentIntent."""

    id: str
    status: str
    currency: str
    amount_minor: int = msgspec.field(name="amount")
    last_payment_error: Error | None = None

    @property
    def reason(self) -> str:
        """Why no money came, as a code; empty when there is no reason."""
        error = self.last_payment_error or Error()
        code = error.decline_code or error.code
        return code or ("voided" if self.status == "canceled" else "")


class Refund(msgspec.Struct, frozen=True):
    """A refund."""

    id: str
    status: str
    currency: str
    amount_minor: int = msgspec.field(name="amount")
    failure_reason: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def key(self) -> str:
        """Our key; empty when it was not asked for by us."""
        return (self.metadata or {}).get(KEY, "")

    @property
    def is_lost(self) -> bool:
        """Whether its money will not reach the customer."""
        return self.status in {"failed", "canceled"}


class Thing(msgspec.Struct, frozen=True):
    """What an event is about."""

    object: str = ""
    id: str = ""
    payment_intent: str | None = None
    metadata: dict[str, str] = {}


class Data(msgspec.Struct, frozen=True):
    """Holds it."""

    object: Thing


class Event(msgspec.Struct, frozen=True):
    """A webhook."""

    id: str
    data: Data


decode_event = msgspec.json.Decoder(Event).decode


LIVE = ("succeeded", "requires_capture", "processing")


class Declined(FailedPrecondition):
    """The card was declined; the detail is Stripe's code."""

    slug = "stripe-declined"


async def asked(call: Awaitable[T]) -> T:
    """What Stripe answers.

    Raises Declined or FailedPrecondition when it refused, and Unavailable when that is not known
    or comes from us: a wrong key or too many requests can be put right, and then it is repeated.
    """
    try:
        return await call
    except stripe.CardError as error:
        raise Declined(_code_of(error)) from None
    except stripe.InvalidRequestError as error:
        raise FailedPrecondition(error.code or "refused") from None
    except stripe.StripeError as error:
        _log.warning("stripe did not answer: %s", type(error).__name__)
        raise Unavailable(f"the payment provider did not answer: {type(error).__name__}") from None


def _code_of(error: stripe.CardError) -> str:
    body: Any = error.json_body
    said = msgspec.convert(body.get("error", {}) if isinstance(body, dict) else {}, Error)
    return said.decline_code or said.code or "declined"


def plain(thing: stripe.StripeObject, kind: type[T]) -> T:
    """What we read of it, checked."""
    return msgspec.convert(thing.to_dict(), kind)


def answer_of(intent: Intent) -> Answer:
    """What became of an intent. Raises Unavailable while Stripe has not decided."""
    match intent.status:
        case "succeeded":
            return Approval(intent.id)
        case "requires_capture":
            return Approval(intent.id, is_held=True)
        case "processing":
            raise Unavailable("the payment provider has not decided yet")
        case _:
            return Decline(intent.reason or "authentication_required")


def reversal_of(refund: Refund) -> Reversal:
    """Raises FailedPrecondition when its money came back to us."""
    if refund.is_lost:
        raise FailedPrecondition(refund.failure_reason or refund.status)
    return Reversal(refund.id)


def metadata_of(key: str) -> dict[str, str]:
    """What goes with everything that is made under a key."""
    return {KEY: key, ORDER_ID: order_of_key(key)}


def metadata_in(thing: stripe.StripeObject) -> dict[str, str]:
    """What we, or somebody else, put there."""
    said = thing.to_dict().get("metadata")
    return msgspec.convert(said or {}, dict[str, str])


def to_stripe(amount: Money) -> int:
    """An amount as Stripe writes it."""
    return amount.amount_minor * FACTORS.get(amount.currency, 1)


def from_stripe(amount_minor: int, currency: str) -> Money:
    """Ours, from an amount as Stripe writes it."""
    code = currency.upper()
    return Money(amount_minor // FACTORS.get(code, 1), code)
