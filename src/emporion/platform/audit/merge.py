"""Joins several services' books by order id, page by page, without holding any of them whole."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from emporion.platform.audit.facts import HoldFact, MailFact, OrderFact, PaymentFact, Story

END = "\uffff"
"""Sorts after every order id."""
NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Books:
    """What there is to join; each source comes by rising order id, one fact an order.

    Args:
        open_sagas: ids of orders that an open saga is about.
        unread: per subscriber the ids of orders whose `orders.created` it has still to handle.
    """

    orders: AsyncIterator[OrderFact]
    payments: AsyncIterator[PaymentFact]
    holds: AsyncIterator[HoldFact]
    mails: AsyncIterator[MailFact]
    open_sagas: frozenset[str]
    unread: dict[str, frozenset[str]]


async def stories(books: Books) -> AsyncIterator[Story]:
    """Every order that any service knows of, by rising id."""
    unread = [(name, ids) for name, ids in books.unread.items() if ids]
    order = await anext(books.orders, None)
    payment = await anext(books.payments, None)
    hold = await anext(books.holds, None)
    mail = await anext(books.mails, None)
    while True:
        order_id = min(
            order.order_id if order else END,
            payment.order_id if payment else END,
            hold.order_id if hold else END,
            mail.order_id if mail else END,
        )
        if order_id == END:
            return
        has_order = order is not None and order.order_id == order_id
        has_payment = payment is not None and payment.order_id == order_id
        has_hold = hold is not None and hold.order_id == order_id
        has_mail = mail is not None and mail.order_id == order_id
        yield Story(
            order_id=order_id,
            order=order if has_order else None,
            payment=payment if has_payment else None,
            hold=hold if has_hold else None,
            confirmations=mail.confirmations if mail and has_mail else 0,
            is_saga_open=order_id in books.open_sagas,
            unread_by=frozenset(name for name, ids in unread if order_id in ids)
            if unread
            else NOBODY,
        )
        if has_order:
            order = await anext(books.orders, None)
        if has_payment:
            payment = await anext(books.payments, None)
        if has_hold:
            hold = await anext(books.holds, None)
        if has_mail:
            mail = await anext(books.mails, None)
