"""What the gift card service needs from its storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import GiftCardId, OrderId, UserId
from emporion.services.giftcard.domain import Card, Entry, Guesses, Share, Spending, Status, Why


class PageOfCards(NamedTuple):
    """Which cards: older than `before`, at most `limit`; None and the empty text do not narrow."""

    status: Status | None
    currency: str
    before: str
    limit: int


class CardStore(Protocol):
    """Cards, each with a ledger. Every method also raises what the transaction raises."""

    async def add(self, tx: Tx, card: Card, why: Why) -> None:
        """Write a new card, and its balance as the first entry of its ledger."""
        ...

    async def find(self, tx: Tx, card_id: str) -> Card | None:
        """A card, or None."""
        ...

    async def hold(self, tx: Tx, card_ids: Sequence[str]) -> dict[str, Card]:
        """Those cards that there are; nobody else changes them until the transaction ends.

        They are held in the order of their ids, so that nobody waits for one who waits for them.
        """
        ...

    async def of_code(self, tx: Tx, code_hash: str) -> Card | None:
        """The card whose code has that hash, or None."""
        ...

    async def move(self, tx: Tx, card: Card, amount_minor: int, *, why: Why) -> Card:
        """Change the balance of a card that is held, and write the entry; the card after that.

        The card's status and expiry are written as they are given. Raises Conflict when it is not
        as it was when it was held, or would fall below zero.
        """
        ...

    async def page(self, tx: Tx, wanted: PageOfCards) -> list[Card]:
        """Cards by falling id."""
        ...

    async def entries(self, tx: Tx, card_id: str, *, below: int, limit: int) -> list[Entry]:
        """A card's ledger by falling version, below that one."""
        ...

    async def overdue(self, tx: Tx, now_ms: int, limit: int) -> list[GiftCardId]:
        """Active cards whose time is over, by expiry."""
        ...

    async def next_expiry_ms(self, tx: Tx) -> int | None:
        """When the time of the next active card is over, if it ever is."""
        ...


class SpendingStore(Protocol):
    """What orders took from cards. Every method also raises what the transaction raises."""

    async def is_spent(self, tx: Tx, order_id: OrderId) -> bool | None:
        """Whether an order spends cards; None when nothing was heard of it, False once undone."""
        ...

    async def note(self, tx: Tx, order_id: OrderId, user_id: UserId, *, is_spent: bool) -> None:
        """Write down whether an order spends cards."""
        ...

    async def add(self, tx: Tx, order_id: OrderId, spending: Spending) -> None:
        """Write down what an order took from a card."""
        ...

    async def save(self, tx: Tx, order_id: OrderId, spending: Spending) -> None:
        """Write down what has come back of it."""
        ...

    async def add_return(
        self, tx: Tx, order_id: OrderId, refund_id: str, *, back: Sequence[Share]
    ) -> None:
        """Write down what a refund gave back, by card."""
        ...

    async def is_returned(self, tx: Tx, refund_id: str) -> bool:
        """Whether a refund was written down."""
        ...

    async def of_order(self, tx: Tx, order_id: OrderId) -> list[Spending]:
        """What an order took, by card."""
        ...


class GuessStore(Protocol):
    """Codes that were tried in vain, by who tried. Methods raise what the transaction raises."""

    async def find(self, tx: Tx, user_id: UserId) -> Guesses:
        """Of a person; nobody else changes them until the transaction ends."""
        ...

    async def put(self, tx: Tx, user_id: UserId, guesses: Guesses) -> None:
        """Write them down."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The service's storage."""

    cards: CardStore
    spendings: SpendingStore
    guesses: GuessStore
