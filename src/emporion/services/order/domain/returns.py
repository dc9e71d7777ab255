"""The rules of a return: what may come back, what was counted, and what it is worth.

A unit's refund is its price as paid. Where the units of a SKU were not paid for evenly, what goes
back for the first n of them is n parts of what was paid for all, rounded down; what was rounded off
comes with a later unit, so that all units together are worth exactly what was paid. What was paid
beside the lines, the delivery, goes back with the last unit: an order that comes back whole costs
nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.errors import FailedPrecondition, InvalidArgument
from emporion.kernel.ids import ReturnId, Sku, WarehouseId
from emporion.services.order.domain.events import (
    AllRefunded,
    AllReturned,
    Counted,
    ReturnApproved,
    ReturnReceived,
    ReturnRefunded,
    ReturnRefused,
    ReturnReopened,
    ReturnRequested,
    Share,
    Units,
)

RETURNS_MAX = 100
"""Of one order, refused ones included."""


class ReturnStatus(StrEnum):
    """Where a return stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    RECEIVED = "received"
    REFUNDED = "refunded"


class ReturnAction(StrEnum):
    """What can happen to a return."""

    APPROVE = "approve"
    REFUSE = "refuse"
    RECEIVE = "receive"
    REOPEN = "reopen"
    REFUND = "refund"


RETURN_LIFECYCLE: Mapping[tuple[ReturnStatus, ReturnAction], ReturnStatus] = {
    # before                                       what happens    after
    (ReturnStatus.REQUESTED, ReturnAction.APPROVE): ReturnStatus.APPROVED,
    (ReturnStatus.REQUESTED, ReturnAction.REFUSE): ReturnStatus.REFUSED,
    (ReturnStatus.APPROVED, ReturnAction.REFUSE): ReturnStatus.REFUSED,  # it never came
    (ReturnStatus.APPROVED, ReturnAction.RECEIVE): ReturnStatus.RECEIVED,
    (ReturnStatus.RECEIVED, ReturnAction.REOPEN): ReturnStatus.APPROVED,  # the refund was refused
    (ReturnStatus.RECEIVED, ReturnAction.REFUND): ReturnStatus.REFUNDED,
}
AboutAReturn = (
    ReturnApproved
    | ReturnRefused
    | ReturnReceived
    | AllReturned
    | ReturnReopened
    | ReturnRefunded
    | AllRefunded
)
_OPEN = (ReturnStatus.REQUESTED, ReturnStatus.APPROVED)


class NotReturnable(FailedPrecondition):
    """More units than arrived, or than have not been returned yet."""

    slug = "order-not-returnable"
    title = "So many units cannot be returned"


class NotExpected(FailedPrecondition):
    """More units were counted than the return is about."""

    slug = "order-not-expected"
    title = "So many units were not expected"


class TooManyReturns(FailedPrecondition):
    """An order has at most 100 returns."""

    slug = "order-too-many-returns"
    title = "The order has too many returns"


class NothingCounted(InvalidArgument):
    """A return that was received holds at least one unit."""

    slug = "nothing-counted"
    title = "Nothing was counted"


class DifferentReturn(InvalidArgument):
    """The key was used for another return of the order."""

    slug = "different-return"
    title = "The key was used for another return"


class Return(NamedTuple):
    """A return as its order's events left it; `counted` is empty until it was received."""

    return_id: ReturnId
    key: str
    units: tuple[Units, ...]
    reason: str
    requested_at_ms: int
    status: ReturnStatus = ReturnStatus.REQUESTED
    counted: tuple[Counted, ...] = ()
    warehouse_id: WarehouseId | None = None
    note: str = ""
    to_cards: tuple[Share, ...] = ()

    @property
    def refund_minor(self) -> int:
        """What it is worth; 0 until it was received."""
        return sum(each.refund_minor for each in self.counted)

    def bound(self) -> Counter[Sku]:
        """The units that no other return can be about."""
        bound: Counter[Sku] = Counter()
        if self.status in _OPEN:
            bound.update(dict(self.units))
        for each in self.counted:
            bound[each.sku] += each.quantity
        return bound


class Piece(NamedTuple):
    """Units that were counted, and whether they are restocked or written off."""

    sku: Sku
    quantity: int
    is_restocked: bool


def require_expected(expected: Iterable[Units], pieces: Iterable[Piece]) -> None:
    """Raises NothingCounted or NotExpected."""
    counted: Counter[Sku] = Counter()
    for piece in pieces:
        counted[piece.sku] += piece.quantity
    if not counted:
        raise NothingCounted
    wanted = Counter(dict(expected))
    if any(number > wanted[sku] for sku, number in counted.items()):
        raise NotExpected("more units were counted than the return is about")


def priced(
    pieces: Iterable[Piece], *, paid: Mapping[Sku, tuple[int, int]], before: Iterable[Counted]
) -> tuple[Counted, ...]:
    """What was counted, each with its refund.

    `paid` says for each SKU its units and what was paid for them, `before` what came back in other
    returns of the order.
    """
    units: Counter[Sku] = Counter()
    refunded: Counter[Sku] = Counter()
    for each in before:
        units[each.sku] += each.quantity
        refunded[each.sku] += each.refund_minor
    counted = []
    for sku, quantity, is_restocked in pieces:
        number, paid_minor = paid[sku]
        units[sku] += quantity
        refund_minor = max(0, paid_minor * units[sku] // number - refunded[sku])
        refunded[sku] += refund_minor
        counted.append(Counted(sku, quantity, is_restocked, refund_minor))
    return tuple(counted)


def units_of(shipments: Iterable[tuple[Units, ...]]) -> Counter[Sku]:
    """The units of each SKU over all of them."""
    counted: Counter[Sku] = Counter()
    for units in shipments:
        counted.update(dict(units))
    return counted


class Returns:
    """The returns of an order, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._known: dict[ReturnId, Return] = {}

    def __iter__(self) -> Iterator[Return]:
        """All of them."""
        return iter(self._known.values())

    def __getitem__(self, return_id: ReturnId) -> Return:
        """One that there is."""
        return self._known[return_id]

    def under(self, asked: ReturnRequested) -> Return | None:
        """The return that was asked for under the same key, if any.

        Raises DifferentReturn when it was another one, TooManyReturns when it would be one more
        than there may be.
        """
        for known in self:
            if known.key == asked.key:
                if (known.units, known.reason) != (asked.units, asked.reason):
                    raise DifferentReturn
                return known
        if len(self._known) >= RETURNS_MAX:
            raise TooManyReturns
        return None

    def bound(self) -> Counter[Sku]:
        """The units that a return is about, or was."""
        bound: Counter[Sku] = Counter()
        for known in self:
            bound.update(known.bound())
        return bound

    def counted(self) -> list[Counted]:
        """All that came back."""
        return [each for known in self for each in known.counted]

    def has_refund_under_way_beside(self, return_id: ReturnId) -> bool:
        """Whether the money of another one is on its way."""
        return any(
            known.status is ReturnStatus.RECEIVED and known.return_id != return_id for known in self
        )

    def require(self, return_id: ReturnId, action: ReturnAction) -> ReturnStatus:
        """The status after that. Raises NotInThisState."""
        status = self._known[return_id].status
        after = RETURN_LIFECYCLE.get((status, action))
        if after is None:
            raise NotInThisState(f"{return_id} is {status}: it cannot {action}", state=str(status))
        return after

    def add(self, event: ReturnRequested) -> None:
        """One more."""
        self._known[event.return_id] = Return(
            event.return_id, event.key, event.units, event.reason, event.at_ms
        )

    def fold(self, event: AboutAReturn) -> None:
        """Take over what happened to one. Raises NotInThisState on an impossible history."""
        action, changes = _meaning(event)
        status = self.require(event.return_id, action)
        known = self._known[event.return_id]
        self._known[event.return_id] = known._replace(status=status, **changes)


def _meaning(event: AboutAReturn) -> tuple[ReturnAction, dict[str, Any]]:
    match event:
        case ReturnApproved():
            return ReturnAction.APPROVE, {}
        case ReturnRefused():
            return ReturnAction.REFUSE, {"note": event.reason}
        case ReturnReceived() | AllReturned():
            what = {"counted": event.counted, "warehouse_id": event.warehouse_id}
            return ReturnAction.RECEIVE, {**what, "to_cards": event.to_cards}
        case ReturnReopened():
            return ReturnAction.REOPEN, {"counted": (), "to_cards": (), "note": event.reason}
        case ReturnRefunded() | AllRefunded():
            return ReturnAction.REFUND, {}
