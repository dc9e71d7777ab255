"""Transactions over several services: taking an order, calling one off, refunding a return."""

from collections.abc import Awaitable, Callable

from emporion.chassis.saga.definition import Saga, local, step
from emporion.contracts.catalog import CatalogService
from emporion.contracts.contract import Empty, Message
from emporion.contracts.inventory import (
    InventoryService,
    Line,
    OutOfStock,
    ReservationReleased,
    Reserve,
    Restock,
)
from emporion.contracts.order import CalledOff
from emporion.contracts.payment import (
    Charge,
    PaymentDeclined,
    PaymentService,
    PaymentVoided,
    RefundExceedsCapture,
    RefundPart,
    RefundRefused,
)
from emporion.contracts.pricing import CodeUsedUp, UsePromotions
from emporion.kernel.errors import FailedPrecondition, NotFound, Unavailable
from emporion.services.order.commands.return_steps import ReturnSteps, SettleReturn
from emporion.services.order.commands.steps import CallOff, OrderSteps, TakeOrder

HOLD_S = 900


def create_order(
    order: OrderSteps, inventory: InventoryService, payment: PaymentService
) -> Saga[TakeOrder]:
    """The saga of the article, with an opening step that makes the order visible as pending."""
    return Saga(
        "create-order",
        version=1,
        input=TakeOrder,
        steps=(
            local("open order", do=order.open, undo=order.reject),
            step(
                "reserve inventory",
                request=_reserve,
                do=inventory.reserve,
                undo=inventory.release,
            ),
            step(
                "charge payment",
                request=_charge,
                do=order.unless_called_off(payment.charge),
                undo=payment.refund,
            ),
            local("confirm order", do=order.confirm),
        ),
        refusals=(OutOfStock, ReservationReleased, PaymentDeclined, PaymentVoided, CalledOff),
    )


def create_promoted_order(
    plain: Saga[TakeOrder],
    order: OrderSteps,
    *,
    catalog: CatalogService,
    payment: PaymentService,
) -> Saga[TakeOrder]:
    """The same for an order that uses promotions which are counted, or costs nothing by them."""
    opening, reserving, _, confirming = plain.steps
    return Saga(
        "create-promoted-order",
        version=1,
        input=TakeOrder,
        steps=(
            opening,
            step(
                "use promotions",
                request=_uses,
                do=catalog.use_promotions,
                undo=catalog.free_promotions,
            ),
            reserving,
            step(
                "charge payment",
                request=_charge,
                do=order.unless_called_off(_unless_free(payment.charge)),
                undo=_unless_free(payment.refund),
            ),
            confirming,
        ),
        refusals=(CodeUsedUp, *plain.refusals),
    )


def cancel_order(
    order: OrderSteps, inventory: InventoryService, payment: PaymentService
) -> Saga[CallOff]:
    """Forward only once the order is cancelled: both steps are repeated until they are done."""
    return Saga(
        "cancel-order",
        version=1,
        input=CallOff,
        steps=(
            local("cancel order", do=order.cancel),
            step("release inventory", request=_reserved, do=inventory.release),
            step("refund payment", request=_charged, do=payment.refund),
        ),
    )


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


def _reserve(taking: TakeOrder) -> Reserve:
    return Reserve(
        order_id=taking.order_id,
        lines=[Line(sku=line.sku, quantity=line.quantity) for line in taking.lines],
        expires_in_s=HOLD_S,
    )


def _uses(taking: TakeOrder) -> UsePromotions:
    return UsePromotions(
        order_id=taking.order_id, user_id=taking.user_id, promotion_ids=taking.counted
    )


def _unless_free(
    ask: Callable[[Charge], Awaitable[Message]],
) -> Callable[[Charge], Awaitable[Message]]:
    """No payment for an order that costs nothing."""

    async def asked(charge: Charge) -> Message:
        return await ask(charge) if charge.amount.amount_minor else Empty()

    return asked


def _charge(taking: TakeOrder) -> Charge:
    return Charge(
        order_id=taking.order_id,
        user_id=taking.user_id,
        amount=taking.total,
        payment_token=taking.payment_token,
    )


def _reserved(calling_off: CallOff) -> Reserve:
    return Reserve(order_id=calling_off.order_id, lines=calling_off.lines, expires_in_s=HOLD_S)


def _charged(calling_off: CallOff) -> Charge:
    return Charge(
        order_id=calling_off.order_id, user_id=calling_off.user_id, amount=calling_off.total
    )
