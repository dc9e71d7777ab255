"""The steps of a return's refund that happen in this service's own database, and their input."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.saga.definition import Saga
from emporion.contracts.contract import Message
from emporion.contracts.giftcard import GiftCardShare
from emporion.contracts.order import OrderRefunded
from emporion.contracts.order_returns import ReturnedLine
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import Conflict, EmporionError
from emporion.kernel.ids import OrderId, ReturnId, UserId, WarehouseId
from emporion.kernel.money import Money
from emporion.services.order.domain import (
    Counted,
    Order,
    Piece,
    Share,
    shares_back,
    shares_paid,
    total_of_shares,
)
from emporion.services.order.ports import OrderStore, ReturnStore


class SettleReturn(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What receiving a return needs, in every step and in their undoing.

    `to_cards`: what of the refund goes back to gift cards; the rest to the payment.

    `refund_id` is of this attempt: when the provider refuses it, another attempt has another.
    """

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    refund_id: str
    warehouse_id: WarehouseId
    counted: list[ReturnedLine]
    refund: Money
    reason: str
    to_cards: list[GiftCardShare] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReturnSagas:
    """The sagas of refunds, as its commands start them; `sagas/returns.py` defines them."""

    refund_return: Saga[SettleReturn]
    refund_gift_card_return: Saga[SettleReturn]

    def saga(self, settling: SettleReturn) -> Saga[SettleReturn]:
        """The one that settles that return."""
        return self.refund_gift_card_return if settling.to_cards else self.refund_return


class ReturnSteps:
    """Receive, reopen, close: each in one transaction with the saga's own progress."""

    def __init__(self, orders: OrderStore, returns: ReturnStore, clock: Clock) -> None:
        self._orders = orders
        self._returns = returns
        self._clock = clock

    async def receive(self, tx: Tx, settling: SettleReturn) -> None:
        """The units are here. Raises NotInThisState, NotExpected.

        Raises Conflict when they are worth something else than a moment before: ask again.
        """
        order = await self._order(tx, settling)
        pieces = [Piece(each.sku, each.quantity, each.is_restocked) for each in settling.counted]
        counted = order.priced(settling.return_id, pieces)
        to_cards = cards_back(order, counted)
        if (counted, to_cards) != (_counted(settling), _to_cards(settling)):
            raise Conflict(f"other units of {order.id} came back at the same moment")
        order.receive_return(settling.return_id, settling.warehouse_id, counted, to_cards=to_cards)
        await self._save(tx, order, settling)

    async def reopen(self, tx: Tx, settling: SettleReturn, refusal: EmporionError) -> None:
        """Nothing was given back: it can be received again, or refused."""
        order = await self._order(tx, settling)
        order.reopen_return(settling.return_id, f"{refusal.slug}: {refusal.detail}")
        await self._save(tx, order, settling)

    async def close(self, tx: Tx, settling: SettleReturn) -> None:
        """Money and stock are where they belong, and everybody may know."""
        order = await self._order(tx, settling)
        order.refund_return(settling.return_id)
        now_ms = await self._save(tx, order, settling)
        await tx.publish(
            OrderRefunded(
                order_id=settling.order_id,
                user_id=settling.user_id,
                return_id=settling.return_id,
                amount=settling.refund,
                lines=settling.counted,
                refunded_at=to_datetime(now_ms),
                to_gift_cards=_to_gift_cards(settling),
            )
        )

    async def _order(self, tx: Tx, settling: SettleReturn) -> Order:
        await self._returns.lock(tx, settling.order_id)
        return (await self._orders.load(tx, settling.order_id)).order

    async def _save(self, tx: Tx, order: Order, settling: SettleReturn) -> int:
        now_ms = self._clock.now_ms()
        await self._orders.save(tx, order, at_ms=now_ms)
        await self._returns.save(tx, order, settling.return_id, at_ms=now_ms)
        return now_ms


def cards_back(order: Order, counted: Sequence[Counted]) -> tuple[Share, ...]:
    """What of the refund for what was counted goes back to the order's gift cards."""
    paid = shares_paid(order.details)
    if not paid:
        return ()
    refund_minor = sum(each.refund_minor for each in counted)
    total_minor = order.total.amount_minor
    return shares_back(refund_minor, total_minor=total_minor, paid=paid, returns=order.returns)


def _to_gift_cards(settling: SettleReturn) -> Money | None:
    if not settling.to_cards:
        return None
    return Money(total_of_shares(_to_cards(settling)), settling.refund.currency)


def _to_cards(settling: SettleReturn) -> tuple[Share, ...]:
    return tuple([Share(each.card_id, each.amount.amount_minor) for each in settling.to_cards])


def _counted(settling: SettleReturn) -> tuple[Counted, ...]:
    return tuple(
        [
            Counted(each.sku, each.quantity, each.is_restocked, each.refund.amount_minor)
            for each in settling.counted
        ]
    )
