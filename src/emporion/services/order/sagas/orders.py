"""Taking an order and calling one off, over several services."""

from collections.abc import Awaitable, Callable

from emporion.chassis.saga.definition import Saga, local, step
from emporion.contracts.catalog import CatalogService
from emporion.contracts.contract import Empty, Message
from emporion.contracts.giftcard import GiftCardService, SpendGiftCards
from emporion.contracts.giftcard_refusals import UNUSABLE
from emporion.contracts.inventory import (
    InventoryService,
    Line,
    OutOfStock,
    ReservationReleased,
    Reserve,
)
from emporion.contracts.order import CalledOff
from emporion.contracts.payment import (
    Charge,
    PaymentDeclined,
    PaymentService,
    PaymentVoided,
)
from emporion.contracts.pricing import CodeUsedUp, UsePromotions
from emporion.kernel.money import Money
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


def create_gift_card_order(
    promoted: Saga[TakeOrder],
    order: OrderSteps,
    *,
    catalog: CatalogService,
    cards: GiftCardService,
    payment: PaymentService,
) -> Saga[TakeOrder]:
    """The same for an order that gift cards pay, or help to pay: only the rest is charged."""
    opening, _, reserving, _, confirming = promoted.steps
    return Saga(
        "create-gift-card-order",
        version=1,
        input=TakeOrder,
        steps=(
            opening,
            step(
                "use promotions",
                request=_uses,
                do=_unless_none(catalog.use_promotions),
                undo=_unless_none(catalog.free_promotions),
            ),
            step(
                "spend gift cards", request=_spent, do=cards.spend_cards, undo=cards.undo_spending
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
        refusals=(*UNUSABLE, *promoted.refusals),
    )


def cancel_gift_card_order(
    plain: Saga[CallOff], payment: PaymentService, cards: GiftCardService
) -> Saga[CallOff]:
    """The same for an order that gift cards paid, or helped to pay."""
    cancelling, releasing, _ = plain.steps
    return Saga(
        "cancel-gift-card-order",
        version=1,
        input=CallOff,
        steps=(
            cancelling,
            releasing,
            step("refund payment", request=_charged, do=_unless_free(payment.refund)),
            step("give back to gift cards", request=_spent, do=cards.undo_spending),
        ),
    )


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


def _unless_none(
    ask: Callable[[UsePromotions], Awaitable[Message]],
) -> Callable[[UsePromotions], Awaitable[Message]]:
    """No call about promotions that are not counted."""

    async def asked(uses: UsePromotions) -> Message:
        return await ask(uses) if uses.promotion_ids else Empty()

    return asked


def _spent(input_: TakeOrder | CallOff) -> SpendGiftCards:
    return SpendGiftCards(order_id=input_.order_id, user_id=input_.user_id, shares=input_.cards)


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
        amount=_rest(taking),
        payment_token=taking.payment_token,
    )


def _reserved(calling_off: CallOff) -> Reserve:
    return Reserve(order_id=calling_off.order_id, lines=calling_off.lines, expires_in_s=HOLD_S)


def _charged(calling_off: CallOff) -> Charge:
    return Charge(
        order_id=calling_off.order_id, user_id=calling_off.user_id, amount=_rest(calling_off)
    )


def _rest(input_: TakeOrder | CallOff) -> Money:
    """What gift cards do not pay."""
    rest = input_.total
    for share in input_.cards:
        rest -= share.amount
    return rest
