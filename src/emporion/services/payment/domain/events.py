"""What can happen to a payment, as it is stored: names and fields are for ever."""

from typing import TypeAlias, get_args

from emporion.kernel.ids import UserId
from emporion.kernel.money import Money
from emporion.kernel.value import Value


class Attempted(Value, frozen=True):
    """The provider was asked for money and did not answer."""

    user_id: UserId
    amount: Money


class Authorised(Value, frozen=True):
    """The provider holds the money for us; it is the customer's until it is captured."""

    user_id: UserId
    amount: Money
    reference: str


class Captured(Value, frozen=True):
    """The provider took the money."""

    user_id: UserId
    amount: Money
    reference: str


class Declined(Value, frozen=True):
    """The provider said no; no money moved."""

    user_id: UserId
    amount: Money
    reason: str


class TakenLate(Value, frozen=True):
    """The provider took the money though it had said no: nobody waits for it any more."""

    amount: Money
    reference: str


class RefundBegun(Value, frozen=True):
    """Captured money is to go back under an id of its own; an empty id undoes the whole payment.

    Recorded before the provider is asked, so that the amount of an id can never change, and so
    that the sum of all that may go back stays within what was taken.
    """

    refund_id: str
    amount: Money
    reason: str


class PartRefunded(Value, frozen=True):
    """A part of the captured money went back; some of it remains."""

    refund_id: str
    amount: Money
    reference: str


class RefundDropped(Value, frozen=True):
    """The provider will never give that part back; it counts as captured again."""

    refund_id: str
    amount: Money
    reason: str


class Refunded(Value, frozen=True):
    """The last of the captured money went back: all of it, or what its parts had left."""

    amount: Money
    reference: str
    refund_id: str = ""


class Voided(Value, frozen=True):
    """The payment was undone before a charge of it was known."""

    user_id: UserId
    amount: Money


class Returned(Value, frozen=True):
    """A charge of a voided payment came to light at the provider, and its money went back."""

    amount: Money
    charge_reference: str
    refund_reference: str


PaymentEvent: TypeAlias = (
    Attempted
    | Authorised
    | Captured
    | Declined
    | TakenLate
    | RefundBegun
    | PartRefunded
    | RefundDropped
    | Refunded
    | Voided
    | Returned
)
EVENTS: tuple[type[PaymentEvent], ...] = get_args(PaymentEvent)
