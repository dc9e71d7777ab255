"""What orders took from cards, and guesses, in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import GiftCardId, OrderId, UserId
from emporion.services.giftcard.domain import Guesses, Share, Spending

_IS_SPENT = "SELECT is_spent FROM gift_card_order WHERE order_id = ?"
_NOTE = (
    "INSERT INTO gift_card_order (order_id, user_id, is_spent) VALUES (?, ?, ?)"
    " ON CONFLICT (order_id) DO UPDATE SET is_spent = excluded.is_spent"
)
_ADD = (
    "INSERT INTO gift_card_spending (order_id, card_id, amount_minor, undone_minor, returned_minor)"
    " VALUES (?, ?, ?, ?, ?)"
)
_SAVE = (
    "UPDATE gift_card_spending SET undone_minor = ?, returned_minor = ?"
    " WHERE order_id = ? AND card_id = ?"
)
_OF_ORDER = (
    "SELECT card_id, amount_minor, undone_minor, returned_minor FROM gift_card_spending"
    " WHERE order_id = ? ORDER BY card_id"
)
_RETURN = (
    "INSERT INTO gift_card_return (refund_id, card_id, order_id, amount_minor) VALUES (?, ?, ?, ?)"
)
_IS_RETURNED = "SELECT 1 FROM gift_card_return WHERE refund_id = ? LIMIT 1"
_GUESSES = "SELECT number, blocked_until_ms, forgotten_at_ms FROM gift_card_guess WHERE user_id = ?"
_GUESSED = (
    "INSERT INTO gift_card_guess VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET"
    " number = excluded.number, blocked_until_ms = excluded.blocked_until_ms,"
    " forgotten_at_ms = excluded.forgotten_at_ms"
)


class SqlSpendings:
    """SpendingStore over `gift_card_order` and `gift_card_spending`."""

    async def is_spent(self, tx: Tx, order_id: OrderId) -> bool | None:
        row = await tx.fetch_one(_IS_SPENT, order_id)
        return bool(row[0]) if row else None

    async def note(self, tx: Tx, order_id: OrderId, user_id: UserId, *, is_spent: bool) -> None:
        await tx.execute(_NOTE, order_id, user_id, int(is_spent))

    async def add(self, tx: Tx, order_id: OrderId, spending: Spending) -> None:
        await tx.execute(_ADD, order_id, *spending)

    async def save(self, tx: Tx, order_id: OrderId, spending: Spending) -> None:
        undone, returned = spending.undone_minor, spending.returned_minor
        await tx.execute(_SAVE, undone, returned, order_id, spending.card_id)

    async def add_return(
        self, tx: Tx, order_id: OrderId, refund_id: str, *, back: Sequence[Share]
    ) -> None:
        rows = [(refund_id, card_id, order_id, amount_minor) for card_id, amount_minor in back]
        await tx.execute_many(_RETURN, rows)

    async def is_returned(self, tx: Tx, refund_id: str) -> bool:
        return await tx.fetch_one(_IS_RETURNED, refund_id) is not None

    async def of_order(self, tx: Tx, order_id: OrderId) -> list[Spending]:
        rows = await tx.fetch(_OF_ORDER, order_id)
        return [Spending(GiftCardId(card_id), *figures) for card_id, *figures in rows]


class SqlGuesses:
    """GuessStore over `gift_card_guess`."""

    async def find(self, tx: Tx, user_id: UserId) -> Guesses:
        await tx.lock(f"gift card guesses of {user_id}")
        row = await tx.fetch_one(_GUESSES, user_id)
        return Guesses(*row) if row else Guesses()

    async def put(self, tx: Tx, user_id: UserId, guesses: Guesses) -> None:
        await tx.execute(_GUESSED, user_id, *guesses)
