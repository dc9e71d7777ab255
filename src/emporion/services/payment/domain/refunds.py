"""Refunds of one payment: how much of it went back, under which ids, and how much is left."""

from enum import StrEnum
from typing import Self

from emporion.kernel.errors import Conflict, FailedPrecondition, InvalidArgument
from emporion.kernel.money import Money
from emporion.kernel.value import Value

UNDO = ""
"""The id of the refund that undoes the whole payment: what its parts have left goes back."""
REFUNDS_MAX = 1_000
"""Refunds of one payment, dropped ones included."""
REFUND_PATIENCE_MS = 10_000
"""After so long, a refund that whoever began it has not settled is taken up by the alarm."""


class NothingToRefund(InvalidArgument):
    """The amount is zero or less."""

    slug = "nothing-to-refund"
    title = "There is nothing to refund"


class DifferentRefund(Conflict):
    """There is a refund of that id over another amount: this request is not about it."""

    slug = "different-refund"
    title = "That refund was over another amount"


class MoreThanIsLeft(FailedPrecondition):
    """More was to go back than is left of what was taken."""

    slug = "more-than-is-left"
    title = "This is more than is left of the payment"

    def __init__(self, left: Money) -> None:
        super().__init__(f"{left} are left", left_minor=left.amount_minor, currency=left.currency)
        self.left = left


class TooManyRefunds(FailedPrecondition):
    """A payment has so many refunds at most."""

    slug = "too-many-refunds"
    title = "The payment has too many refunds"


class RefundState(StrEnum):
    """Where a refund stands."""

    BEGUN = "begun"
    """The provider is to be asked, or was and has not answered: it is repeated until it does."""
    DONE = "done"
    DROPPED = "dropped"
    """The provider said no, for ever."""


class Refund(Value, frozen=True):
    """One refund. `note` is the provider's reference when done, its reason when dropped."""

    amount_minor: int
    state: RefundState
    reason: str
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether its outcome is not known."""
        return self.state is RefundState.BEGUN

    def settled(self, state: RefundState, note: str) -> Self:
        """The same, at its end."""
        return type(self)(self.amount_minor, state, self.reason, note)


class Refunds(Value, frozen=True):
    """The refunds of a payment by id, in the order in which they were begun."""

    by_id: dict[str, Refund]

    @property
    def open_ids(self) -> list[str]:
        """Those whose outcome is not known."""
        return [refund_id for refund_id, refund in self.by_id.items() if refund.is_open]

    @property
    def open_minor(self) -> int:
        """What is on its way."""
        return sum(refund.amount_minor for refund in self.by_id.values() if refund.is_open)

    @property
    def parts_minor(self) -> int:
        """What went back in parts, so that the order stands without it."""
        return sum(
            refund.amount_minor
            for refund_id, refund in self.by_id.items()
            if refund_id != UNDO and refund.state is RefundState.DONE
        )

    def of(self, refund_id: str) -> Refund | None:
        """The refund of that id, or None."""
        return self.by_id.get(refund_id)

    def require_room(self) -> None:
        """Raises TooManyRefunds when there may be no more."""
        if len(self.by_id) >= REFUNDS_MAX:
            raise TooManyRefunds(f"there are {REFUNDS_MAX} refunds of this payment")

    def with_(self, refund_id: str, refund: Refund) -> Self:
        """These and one more, or one changed."""
        return type(self)({**self.by_id, refund_id: refund})

    def settled(self, refund_id: str, state: RefundState, note: str) -> Self:
        """These with one at its end; the same when there is none of that id."""
        refund = self.by_id.get(refund_id)
        return self if refund is None else self.with_(refund_id, refund.settled(state, note))


NO_REFUNDS = Refunds({})


def require_refundable(amount: Money) -> None:
    """Raises NothingToRefund unless the amount is more than zero."""
    if amount.amount_minor <= 0:
        raise NothingToRefund(f"{amount} is not an amount to give back")
