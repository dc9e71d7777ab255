"""Refunding a return, over several services."""

from emporion.chassis.saga.definition import Saga, local, step
from emporion.contracts.contract import Message
from emporion.contracts.giftcard import GiftCardService, ReturnToGiftCards
from emporion.contracts.inventory import InventoryService, Line, Restock
from emporion.contracts.payment import (
    PaymentService,
    RefundExceedsCapture,
    RefundPart,
    RefundRefused,
)
from emporion.kernel.errors import FailedPrecondition, NotFound, Unavailable
from emporion.services.order.commands.return_steps import ReturnSteps, SettleReturn


def refund_return(
    returns: ReturnSteps, inventory: InventoryService, payment: PaymentService
) -> Saga[SettleReturn]:
    """The refund decides: refused, the return is as before; given, the rest is done for certain.

    So what came is restocked only after its money went back, and never taken off the shelf again.
    """
    settled = AfterRefund(inventory, payment)
    return Saga(
        "refund-return",
        version=1,
        input=SettleReturn,
        steps=(
            local("receive return", do=returns.receive, undo=returns.reopen),
            step("refund payment", request=_same, do=settled.refund),
            step("restock", request=_same, do=settled.restock),
            local("close return", do=returns.close),
        ),
        refusals=(RefundExceedsCapture, RefundRefused),
    )


def refund_gift_card_return(
    plain: Saga[SettleReturn], cards: GiftCardService
) -> Saga[SettleReturn]:
    """The same for a return of which a part, or all, goes back to gift cards.

    The payment's part first, for it alone can be refused.
    """
    receiving, refunding, restocking, closing = plain.steps
    give_back = _GiveBack(cards)
    return Saga(
        "refund-gift-card-return",
        version=1,
        input=SettleReturn,
        steps=(
            receiving,
            refunding,
            step("give back to gift cards", request=_same, do=give_back.shares),
            restocking,
            closing,
        ),
        refusals=plain.refusals,
    )


class _GiveBack:
    def __init__(self, cards: GiftCardService) -> None:
        self._cards = cards

    async def shares(self, settling: SettleReturn) -> Message:
        """Raises Unavailable, and what calls raise.

        The payment's part is back: no refusal can turn the saga any more, it waits until somebody
        looks into it.
        """
        request = ReturnToGiftCards(
            order_id=settling.order_id, refund_id=settling.refund_id, shares=settling.to_cards
        )
        try:
            return await self._cards.return_to_cards(request)
        except FailedPrecondition as error:
            raise Unavailable(f"{settling.return_id} cannot be given back: {error}") from error


class AfterRefund:
    """The steps in other services: what was free, or written off, is no call."""

    def __init__(self, inventory: InventoryService, payment: PaymentService) -> None:
        self._inventory = inventory
        self._payment = payment

    async def refund(self, settling: SettleReturn) -> Message:
        """Give back what does not go to gift cards.

        Raises RefundExceedsCapture, RefundRefused, and what calls raise.
        """
        amount = settling.refund
        for share in settling.to_cards:
            amount -= share.amount
        if not amount.amount_minor:
            return settling
        request = RefundPart(
            order_id=settling.order_id,
            refund_id=settling.refund_id,
            amount=amount,
            reason=settling.reason,
        )
        return await self._payment.refund_part(request)

    async def restock(self, settling: SettleReturn) -> Message:
        """Put onto the shelf what is good. Raises Unavailable, and what calls raise.

        The money is back: no refusal can turn the saga any more, it waits until somebody makes
        room.
        """
        lines = [
            Line(sku=each.sku, quantity=each.quantity)
            for each in settling.counted
            if each.is_restocked
        ]
        if not lines:
            return settling
        request = Restock(
            return_id=settling.return_id,
            order_id=settling.order_id,
            warehouse_id=settling.warehouse_id,
            lines=lines,
        )
        try:
            return await self._inventory.restock(request)
        except (NotFound, FailedPrecondition) as error:
            raise Unavailable(f"{settling.return_id} cannot be restocked: {error}") from error


def _same(settling: SettleReturn) -> SettleReturn:
    return settling
