"""Refunding a return, over several services."""

from emporion.chassis.saga.definition import Saga, local, step
from emporion.contracts.contract import Message
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


class AfterRefund:
    """The steps in other services: what was free, or written off, is no call."""

    def __init__(self, inventory: InventoryService, payment: PaymentService) -> None:
        self._inventory = inventory
        self._payment = payment

    async def refund(self, settling: SettleReturn) -> Message:
        """Give the money back. Raises RefundExceedsCapture, RefundRefused, and what calls raise."""
        if not settling.refund.amount_minor:
            return settling
        request = RefundPart(
            order_id=settling.order_id,
            refund_id=settling.refund_id,
            amount=settling.refund,
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
