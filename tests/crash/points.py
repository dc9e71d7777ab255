"""Every place at which the crash matrix kills the process: one table."""

from tests.crash.hooks import Call, Checkpoint, Commit, Hook, Point, Step, When

_SERVICES = "emporion.services"
_PROVIDER = f"{_SERVICES}.payment.adapters.rehearsal:RehearsalProvider"

STARTED = Commit("order", "create-order: start")
RESERVED = Commit("inventory", "create-order: do reserve inventory")
TAKEN = Call(f"{_PROVIDER}._take")
CHARGED = Commit("payment", "create-order: do charge payment")
DEFERRED = Commit("order", "create-order: defer")
CONFIRMED = Commit("order", "create-order: do confirm order")
ANSWERED = Call(f"{_SERVICES}.order.api:OrderApi.place_order")

DECLINED = Commit("payment", "create-order: do charge payment", "declined")
TURNED = Commit("order", "create-order: turn")
UNCHARGED = Step("create-order: undo charge payment")
RELEASED = Commit("inventory", "create-order: undo reserve inventory")
REJECTED = Commit("order", "create-order: undo open order")

CANCELLED = Commit("order", "cancel-order: start")
CANCEL_RELEASED = Commit("inventory", "cancel-order: do release inventory")
GIVEN_BACK = Call(f"{_PROVIDER}.refund")
PUT_ASIDE = Commit("payment", "cancel-order: do refund payment", "captured")
REFUNDED = Commit("payment", "cancel-order: do refund payment", "refunded")
CANCEL_ENDED = Commit("order", "cancel-order: do refund payment")

_CARDS = "create-gift-card-order"
CARD_STARTED = Commit("order", f"{_CARDS}: start")
SPENT = Commit("giftcard", f"{_CARDS}: do spend gift cards")
CARD_RESERVED = Commit("inventory", f"{_CARDS}: do reserve inventory")
CARD_CONFIRMED = Commit("order", f"{_CARDS}: do confirm order")
CARD_RELEASED = Commit("inventory", f"{_CARDS}: undo reserve inventory")
CARD_REJECTED = Commit("order", f"{_CARDS}: undo open order")
REST_CHARGED = Commit("payment", f"{_CARDS}: do charge payment")
CARD_TURNED = Commit("order", f"{_CARDS}: turn")
UNSPENT = Commit("giftcard", f"{_CARDS}: undo spend gift cards")
GIVEN_TO_CARD = Commit("giftcard", "cancel-gift-card-order: do give back to gift cards")

TOLD_EMAIL = Commit("email", "order -> email")
TOLD_INVENTORY = Commit("inventory", "order -> inventory")
MAILED = Call(f"{_SERVICES}.email.adapters.kept:KeptMailer.send")
MARKED_SENT = Commit("email", "mails")

SHIPPING = Commit("shipping", "send-shipment: start")
CLEARED = Commit("order", "send-shipment: do clear with order")
DEPARTED = Commit("inventory", "send-shipment: do take from stock")
SHIPPED = Commit("shipping", "send-shipment: do ship")
SHIP_ANSWERED = Call(f"{_SERVICES}.shipping.api:ShippingApi.ship")

RETURN_ASKED = Call(f"{_SERVICES}.order.api:OrderApi.ask_return")
RECEIVED = Commit("order", "refund-return: start")
PART_PUT_ASIDE = Commit("payment", "refund_part: put aside")
PART_GIVEN_BACK = Call(f"{_PROVIDER}.refund", "refund-return: do refund payment")
PART_REFUNDED = Commit("payment", "refund-return: do refund payment")
RESTOCKED = Commit("inventory", "refund-return: do restock")
CLOSED = Commit("order", "refund-return: do close return")
GIVEN_TO_RETURN = Commit("giftcard", "refund-gift-card-return: do give back to gift cards")
RECEIVE_ANSWERED = Call(f"{_SERVICES}.order.api:OrderApi.receive_return")

MADE_DUE = Commit("order", "recover")
MIGRATED = Call("emporion.chassis.data.sqlite.database:migrate")

CARDS = "gift cards"
"""Customers of whom most name a gift card."""
SILENCE = "silence"
"""A payment provider whose answers are lost for longer than a call asks for them."""
AFTERSALES = "aftersales"
"""Orders that are shipped, delivered, sent back and refunded."""
CARD_AFTERSALES = "aftersales of gift cards"
"""The same, and most name a gift card."""
MANY = (1, 4, 15)
FEW = (1, 2, 4)
"""For what happens to a few orders of a hundred."""
FIRST = (1,)


def around(
    stage: str, name: str, hook: Hook, hits: tuple[int, ...] = MANY, *, needs: str = ""
) -> tuple[Point, ...]:
    """Two points: before and after."""
    sides = (When.BEFORE, When.AFTER)
    return tuple(Point(stage, f"{when} {name}", hook, when, hits, needs) for when in sides)


def after_the_sale(stage: str, name: str, hook: Hook) -> tuple[Point, ...]:
    """Two points in the life of an order that was sold."""
    return around(stage, name, hook, FEW, needs=AFTERSALES)


AFTER_THE_SALE: tuple[Point, ...] = (
    *after_the_sale("shipment", "the commit that starts the saga", SHIPPING),
    *after_the_sale("shipment", "the commit that clears it with the order", CLEARED),
    *after_the_sale("shipment", "the commit that takes it from stock", DEPARTED),
    *after_the_sale("shipment", "the commit that marks it as shipped", SHIPPED),
    *after_the_sale("shipment", "all commits, before the answer", SHIP_ANSWERED)[1:],
    *after_the_sale("return", "it is asked for, before the answer", RETURN_ASKED)[1:],
    *after_the_sale("return", "the commit that receives it", RECEIVED),
    *after_the_sale("return", "the commit that puts its refund aside", PART_PUT_ASIDE),
    *after_the_sale("return", "the provider gives its money back", PART_GIVEN_BACK),
    *after_the_sale("return", "the commit of its refund", PART_REFUNDED),
    *after_the_sale("return", "the commit that restocks it", RESTOCKED),
    *after_the_sale("return", "the commit that closes it", CLOSED),
    *around(
        "return",
        "the commit that gives back to a card",
        GIVEN_TO_RETURN,
        FEW,
        needs=CARD_AFTERSALES,
    ),
    *after_the_sale("return", "all commits, before the answer", RECEIVE_ANSWERED)[1:],
)

PAID_BY_CARD: tuple[Point, ...] = (
    *around("gift card", "the commit that starts the saga", CARD_STARTED, FEW, needs=CARDS),
    *around("gift card", "the commit that spends a card", SPENT, MANY, needs=CARDS),
    *around("gift card", "the commit of the reservation", CARD_RESERVED, FEW, needs=CARDS),
    *around("gift card", "the commit of the charge of the rest", REST_CHARGED, FEW, needs=CARDS),
    *around("gift card", "the commit that confirms the order", CARD_CONFIRMED, FEW, needs=CARDS),
    *around("gift card", "the commit that turns the saga", CARD_TURNED, FEW, needs=CARDS),
    *around("gift card", "the commit that releases the stock", CARD_RELEASED, FEW, needs=CARDS),
    *around("gift card", "the commit that undoes the spending", UNSPENT, FEW, needs=CARDS),
    *around("gift card", "the commit that rejects the order", CARD_REJECTED, FEW, needs=CARDS),
    *around("gift card", "the commit that gives back", GIVEN_TO_CARD, FEW, needs=CARDS),
)

TABLE: tuple[Point, ...] = (
    *around("order", "the commit that starts the saga", STARTED),
    *around("order", "the commit of the reservation", RESERVED),
    *around("order", "the provider takes the money", TAKEN),
    *around("order", "the commit of the charge", CHARGED),
    *around("order", "the commit that notes a lost answer", DEFERRED, FEW, needs=SILENCE),
    *around("order", "the commit that confirms the order", CONFIRMED),
    Point("order", "after all commits, before the answer", ANSWERED, When.AFTER, MANY),
    *around("compensation", "the commit of the decline", DECLINED, FEW),
    *around("compensation", "the commit that turns the saga", TURNED, FEW),
    *around("compensation", "the commit that releases the stock", RELEASED, FEW),
    *around("compensation", "the commit that rejects the order", REJECTED, FEW),
    *around("cancel", "the commit that cancels the order", CANCELLED, FEW),
    *around("cancel", "the commit that releases the stock", CANCEL_RELEASED, FEW),
    *around("cancel", "the commit that puts the refund aside", PUT_ASIDE, FEW),
    *around("cancel", "the provider gives the money back", GIVEN_BACK, FEW),
    *around("cancel", "the commit of the refund", REFUNDED, FEW),
    *around("cancel", "the commit that ends the saga", CANCEL_ENDED, FEW),
    *PAID_BY_CARD,
    *AFTER_THE_SALE,
    *around("events", "the commit of a batch at email", TOLD_EMAIL, FEW),
    *around("events", "the commit of a batch at inventory", TOLD_INVENTORY, FEW),
    *around("mails", "the mailer takes a batch", MAILED, FEW),
    *around("mails", "the commit that marks a batch as sent", MARKED_SENT, FEW),
    *(
        Point("checkpoint", f"{when} the log of {name} is moved", Checkpoint(name), when, hits)
        for name in ("order", "inventory", "payment")
        for when, hits in ((When.BEFORE, (1, 3)), (When.AMID, (3, 40)), (When.AFTER, (1, 3)))
    ),
)
"""Points that a shop under load reaches: it is killed there, and started again."""

FIRST_START: tuple[Point, ...] = (
    *around("first start", "a migration", MIGRATED, (1, 3, 6)),
    *around("first start", "a commit of the demo catalogue", Commit("catalog", "seed"), FIRST),
    *around("first start", "a commit of the demo stock", Commit("inventory", "seed"), (1, 2)),
)
"""Points of a start on an empty folder: no load is needed to reach them."""

RELAPSES: tuple[tuple[Point, tuple[Point, ...]], ...] = (
    # killed there first     and then here, while it recovers from that
    (
        Point("order", "after the commit of the reservation", RESERVED, When.AFTER),
        (
            *around("recovery", "the commit that makes sagas due", MADE_DUE, FIRST),
            *around("recovery", "the provider takes the money", TAKEN, FIRST),
            *around("recovery", "the commit of the charge", CHARGED, FIRST),
            *around("recovery", "the commit that confirms the order", CONFIRMED, FIRST),
        ),
    ),
    (
        Point("compensation", "after the commit of the decline", DECLINED, When.AFTER),
        around("recovery", "the charge is undone", UNCHARGED, FIRST),
    ),
    (
        Point("compensation", "after the commit that turns the saga", TURNED, When.AFTER),
        (
            *around("recovery", "the commit that releases the stock", RELEASED, FIRST),
            *around("recovery", "the commit that rejects the order", REJECTED, FIRST),
        ),
    ),
    (
        Point("cancel", "after the provider gives the money back", GIVEN_BACK, When.AFTER),
        around("recovery", "the commit of the refund", REFUNDED, FIRST),
    ),
    (
        Point("cancel", "after the commit that puts the refund aside", PUT_ASIDE, When.AFTER),
        around("recovery", "the money is given back after it was put aside", GIVEN_BACK, FIRST),
    ),
    (
        Point("order", "after the commit that confirms the order", CONFIRMED, When.AFTER),
        (
            *around("recovery", "the commit of a batch at email", TOLD_EMAIL, FIRST),
            *around("recovery", "the commit that marks a batch as sent", MARKED_SENT, FIRST),
        ),
    ),
    (
        after_the_sale("return", "the commit that puts its refund aside", PART_PUT_ASIDE)[1],
        around("recovery", "the money of a return is given back", GIVEN_BACK, FIRST),
    ),
    (
        after_the_sale("return", "the provider gives its money back", PART_GIVEN_BACK)[1],
        around("recovery", "the commit that closes a return", CLOSED, FIRST),
    ),
    (
        around("gift card", "the commit that spends a card", SPENT, needs=CARDS)[1],
        (
            *around("recovery", "the commit of the charge of the rest", REST_CHARGED, FIRST),
            *around(
                "recovery", "the commit that confirms a gift card's order", CARD_CONFIRMED, FIRST
            ),
        ),
    ),
    (
        around("gift card", "the commit that turns the saga", CARD_TURNED, needs=CARDS)[1],
        around("recovery", "the commit that undoes the spending of a gift card", UNSPENT, FIRST),
    ),
)
"""Where a second kill meets a shop that recovers from a first one."""
