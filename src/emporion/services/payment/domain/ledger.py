"""What a payment's events move in the double-entry ledger."""

from enum import StrEnum

from emporion.kernel.money import Money
from emporion.kernel.value import Value
from emporion.services.payment.domain.events import (
    Attempted,
    Authorised,
    Captured,
    Declined,
    PartRefunded,
    PaymentEvent,
    RefundBegun,
    RefundDropped,
    Refunded,
    Returned,
    TakenLate,
    Voided,
)


class Account(StrEnum):
    """The accounts of the ledger."""

    PROVIDER = "provider"
    """What the payment provider holds for us."""
    SALES = "sales"
    """What customers have paid for orders."""


class TransferKind(StrEnum):
    """Why money moved; a payment has at most one capture, and one refund under each id."""

    CAPTURE = "capture"
    REFUND = "refund"


class Transfer(Value, frozen=True):
    """One movement of money: a debit and a credit of the same amount in one row.

    The books are double-entry by construction: there is no row that could hold one side only.
    `refund_id` says which part went back; empty: all that was left.
    """

    kind: TransferKind
    debit: Account
    credit: Account
    amount: Money
    refund_id: str = ""


def transfers_of(event: PaymentEvent) -> tuple[Transfer, ...]:
    """What an event moves in the ledger."""
    match event:
        case Captured(amount=amount) | TakenLate(amount=amount):
            return (Transfer(*_CAPTURE, amount),)
        case Refunded(amount=amount) | PartRefunded(amount=amount):
            return (Transfer(*_REFUND, amount, event.refund_id),)
        case Returned(amount=amount):
            return Transfer(*_CAPTURE, amount), Transfer(*_REFUND, amount)
        case Attempted() | Authorised() | Declined() | Voided():
            return ()
        case RefundBegun() | RefundDropped():
            return ()


_CAPTURE = (TransferKind.CAPTURE, Account.PROVIDER, Account.SALES)
_REFUND = (TransferKind.REFUND, Account.SALES, Account.PROVIDER)
