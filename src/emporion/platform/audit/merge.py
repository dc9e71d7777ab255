"""Joins several services' books by order id, page by page, without holding any of them whole."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from emporion.platform.audit.facts import (
    HoldFact,
    MailFact,
    OrderFact,
    PaymentFact,
    SaleFact,
    ScreeningFact,
    SpendingFact,
    Story,
)

F = TypeVar(
    "F",
    bound=OrderFact | PaymentFact | HoldFact | MailFact | SaleFact | ScreeningFact | SpendingFact,
)
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
    sales: AsyncIterator[SaleFact]
    screenings: AsyncIterator[ScreeningFact]
    spendings: AsyncIterator[SpendingFact]
    open_sagas: frozenset[str]
    unread: dict[str, frozenset[str]]


class _Source(Generic[F]):
    """One book, read fact by fact."""

    def __init__(self, facts: AsyncIterator[F]) -> None:
        self._facts = facts
        self._next: F | None = None
        self.order_id = ""

    async def advance(self) -> None:
        """Read the next fact."""
        self._next = await anext(self._facts, None)
        self.order_id = END if self._next is None else self._next.order_id

    async def take(self, order_id: str) -> F | None:
        """What the book says of an order, which is the next in it or not in it at all."""
        if self.order_id != order_id:
            return None
        taken = self._next
        await self.advance()
        return taken


async def stories(books: Books) -> AsyncIterator[Story]:
    """Every order that any service knows of, by rising id."""
    unread = [(name, ids) for name, ids in books.unread.items() if ids]
    orders, payments = _Source(books.orders), _Source(books.payments)
    holds, mails, sales = _Source(books.holds), _Source(books.mails), _Source(books.sales)
    screenings, spendings = _Source(books.screenings), _Source(books.spendings)
    sources = (orders, payments, holds, mails, sales, screenings, spendings)
    for source in sources:
        await source.advance()
    while True:
        order_id = min(source.order_id for source in sources)
        if order_id == END:
            return
        mail = await mails.take(order_id)
        yield Story(
            order_id=order_id,
            order=await orders.take(order_id),
            payment=await payments.take(order_id),
            hold=await holds.take(order_id),
            confirmations=mail.confirmations if mail else 0,
            is_saga_open=order_id in books.open_sagas,
            unread_by=frozenset(name for name, ids in unread if order_id in ids)
            if unread
            else NOBODY,
            sale=await sales.take(order_id),
            is_screened=await screenings.take(order_id) is not None,
            spending=await spendings.take(order_id),
        )
