"""Gift card: money paid in before, spent by a code, and a ledger of where all of it went."""

from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    Empty,
    Event,
    EventSpec,
    Message,
    Part,
    Reply,
    Request,
    Service,
    anyone,
    command,
    get,
    internal,
    post,
    query,
    staff,
)
from emporion.contracts.giftcard_refusals import (
    UNPAYABLE,
    UNUSABLE,
    BadGiftCard,
    GiftCardExpired,
    GiftCardNotEnough,
    GiftCardVoid,
    MoreThanSpent,
    NoGiftCardKey,
    UnknownGiftCard,
)
from emporion.contracts.refusals import KeyReused, UnknownCursor
from emporion.contracts.words import (
    Cursor,
    GiftCardId,
    IdempotencyKey,
    Instant,
    OrderRef,
    PageSize,
    ReadableNote,
    UserRef,
)
from emporion.kernel.errors import NotFound
from emporion.kernel.money import Money

GiftCardCode = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9]{4}([ -]?[A-Za-z0-9]{4}){4}$(?!\n)",
        description="20 letters and digits, in groups of four; upper and lower case are alike, "
        "and so are O and 0, I, L and 1.",
        examples=["7K2M-Q9XA-0C4D-WZ5T-11HB"],
    ),
]
GiftCardCodes = Annotated[list[GiftCardCode], Meta(max_length=5)]


class GiftCardStatus(StrEnum):
    """Whether a card can be spent."""

    ACTIVE = "active"
    EXPIRED = "expired"
    """Its time is over, and what was on it was written off."""
    VOID = "void"
    """Blocked by staff, and what was on it was written off."""


class GiftCardEntryKind(StrEnum):
    """Why the balance of a card changed."""

    ISSUED = "issued"
    SPENT = "spent"
    UNDONE = "undone"
    """An order that was not fulfilled, or called off, gave it back."""
    RETURNED = "returned"
    """Goods that were paid with it came back."""
    EXPIRED = "expired"
    VOIDED = "voided"
    ADJUSTED = "adjusted"


class IssueGiftCard(Request, frozen=True, kw_only=True):
    """A new card: what it is worth, and until when; without an instant it is good for ever."""

    amount: Money
    expires_at: Instant | None = None
    note: ReadableNote = ""


class GiftCardOf(Request, frozen=True, kw_only=True):
    """Which card."""

    card_id: GiftCardId


class ListGiftCards(Request, frozen=True, kw_only=True):
    """Which cards, the newest first; `currency` and `status` narrow."""

    status: GiftCardStatus | None = None
    currency: Annotated[str, Meta(pattern=r"^([A-Z]{3})?$(?!\n)", examples=["EUR"])] = ""
    limit: PageSize = 50
    cursor: Cursor = ""


class GiftCard(Reply, frozen=True, kw_only=True):
    """A card as staff see it. Its code is shown when it is issued, and never again.

    `ending`: the last four characters of the code.
    """

    card_id: GiftCardId
    ending: str
    status: GiftCardStatus
    balance: Money
    expires_at: Instant | None
    note: str
    issued_at: Instant
    issued_by: str


class IssuedGiftCard(Reply, frozen=True, kw_only=True):
    """A new card and its code: pass it on, it is not shown again."""

    card: GiftCard
    code: str


class GiftCardPage(Reply, frozen=True, kw_only=True):
    """A page of cards; `next_cursor` is empty on the last one, as on all pages."""

    cards: list[GiftCard]
    next_cursor: str


class ListGiftCardEntries(Request, frozen=True, kw_only=True):
    """Which entries of a card's ledger, the newest first."""

    card_id: GiftCardId
    limit: PageSize = 50
    cursor: Cursor = ""


class GiftCardEntry(Message, frozen=True, kw_only=True):
    """A change of a balance: by how much, to what, for which order, by whom and why."""

    kind: GiftCardEntryKind
    amount: Money
    balance: Money
    order_id: str
    reason: str
    actor: str
    at: Instant


class GiftCardEntries(Reply, frozen=True, kw_only=True):
    """A page of a card's ledger. All entries of a card add up to its balance."""

    entries: list[GiftCardEntry]
    next_cursor: str


class VoidGiftCard(Request, frozen=True, kw_only=True):
    """Which card is blocked for good, and why."""

    card_id: GiftCardId
    reason: ReadableNote


class AdjustGiftCard(Request, frozen=True, kw_only=True):
    """What is added to a card, or, below zero, taken off it, and why."""

    idempotency_key: IdempotencyKey
    card_id: GiftCardId
    amount: Money
    reason: ReadableNote


class GiftCardByCode(Request, frozen=True, kw_only=True):
    """The code of a card."""

    code: GiftCardCode


class GiftCardBalance(Reply, frozen=True, kw_only=True):
    """What a card is good for, for whoever has its code."""

    ending: str
    status: GiftCardStatus
    balance: Money
    expires_at: Instant | None


class FindGiftCards(Request, frozen=True, kw_only=True):
    """The codes that somebody wants to pay with."""

    user_id: UserRef
    codes: list[str]


class FoundGiftCard(Message, frozen=True, kw_only=True):
    """A card that can be spent."""

    card_id: GiftCardId
    ending: str
    balance: Money


class FoundGiftCards(Reply, frozen=True, kw_only=True):
    """The cards of some codes, in their order, each once."""

    cards: list[FoundGiftCard]


class GiftCardShare(Part, frozen=True, kw_only=True):
    """What an order takes from a card, or gives back to it."""

    card_id: GiftCardId
    amount: Money


class SpendGiftCards(Request, frozen=True, kw_only=True):
    """An order takes so much from these cards, once, however often this is said."""

    order_id: OrderRef
    user_id: UserRef
    shares: Annotated[list[GiftCardShare], Meta(min_length=1, max_length=5)]


class ReturnToGiftCards(Request, frozen=True, kw_only=True):
    """A return gives so much back to cards that its order spent, once for its `refund_id`."""

    order_id: OrderRef
    refund_id: Annotated[str, Meta(min_length=1, max_length=64)]
    shares: Annotated[list[GiftCardShare], Meta(min_length=1, max_length=5)]


class GiftCardsRefunded(Event, frozen=True, kw_only=True):
    """Money went back to gift cards: by the refund of that id, or, without one, by undoing all."""

    SPEC = EventSpec("giftcards.refunded", key="order_id")

    order_id: OrderRef
    refund_id: str
    amount: Money
    refunded_at: Instant


class GiftCardsSpent(Reply, frozen=True, kw_only=True):
    """Whether the order has spent them (now)."""

    is_spent: bool


_READ, _WRITE = staff("giftcards:read"), staff("giftcards:write")
_ONE = "/api/gift-cards/{card_id}"


class GiftCardService(Service, Protocol):
    """Issues gift cards, keeps their ledger, and lets orders spend them."""

    NAME: ClassVar[str] = "giftcard"
    SUMMARY: ClassVar[str] = "Gift cards, spent by their codes, and the ledger behind them."

    @command(
        access=_WRITE,
        rest=post("/api/gift-cards", status=201),
        raises=(BadGiftCard, NoGiftCardKey),
    )
    async def issue_card(self, request: IssueGiftCard) -> IssuedGiftCard:
        """Make a card. The answer holds its code, this once.

        Raises BadGiftCard for an amount or an expiry that leaves nothing to spend, NoGiftCardKey.
        """

    @query(access=_READ, rest=get("/api/gift-cards"), raises=(UnknownCursor,))
    async def list_cards(self, request: ListGiftCards) -> GiftCardPage:
        """Cards, the newest first. Raises UnknownCursor."""

    @query(access=_READ, rest=get(_ONE), raises=(NotFound,))
    async def get_card(self, request: GiftCardOf) -> GiftCard:
        """One card. Raises NotFound."""

    @query(access=_READ, rest=get(_ONE + "/entries"), raises=(NotFound, UnknownCursor))
    async def list_entries(self, request: ListGiftCardEntries) -> GiftCardEntries:
        """The ledger of a card, the newest first. Raises NotFound or UnknownCursor."""

    @command(access=_WRITE, key="card_id", rest=post(_ONE + "/void"), raises=(NotFound,))
    async def void_card(self, request: VoidGiftCard) -> GiftCard:
        """Block a card for good and write off what is on it. Safe to repeat. Raises NotFound."""

    @command(
        access=_WRITE,
        key="idempotency_key",
        rest=post(_ONE + "/adjustments"),
        raises=(NotFound, BadGiftCard, GiftCardNotEnough, GiftCardExpired, GiftCardVoid, KeyReused),
    )
    async def adjust_card(self, request: AdjustGiftCard) -> GiftCard:
        """Add to a card that can be spent, or take off it; its ledger says who did, and why.

        Raises NotFound; BadGiftCard for nothing, or another currency than the card's;
        GiftCardNotEnough when it would fall below zero; GiftCardExpired; GiftCardVoid; KeyReused.
        """

    @command(
        access=anyone("whoever has the code may ask; how often an address may is limited"),
        rest=post("/api/gift-cards/balance"),
        raises=(UnknownGiftCard, NoGiftCardKey),
    )
    async def card_balance(self, request: GiftCardByCode) -> GiftCardBalance:
        """What is on the card with this code. Raises UnknownGiftCard, NoGiftCardKey."""

    @command(
        access=internal(),
        raises=UNPAYABLE,
    )
    async def find_cards(self, request: FindGiftCards) -> FoundGiftCards:
        """The cards that somebody wants to pay with; codes that do not exist are counted.

        Raises UnknownGiftCard, GiftCardExpired, GiftCardVoid, GiftCardNotEnough for one with
        nothing on it, TooManyCodes before anything is looked up, NoGiftCardKey.
        """

    @command(access=internal(), key="order_id", timeout_s=5.0, raises=UNUSABLE)
    async def spend_cards(self, request: SpendGiftCards) -> GiftCardsSpent:
        """Take an order's shares from all of its cards, or from none. Safe to repeat.

        Takes nothing when it was undone before. Raises GiftCardNotEnough, GiftCardExpired,
        GiftCardVoid or UnknownGiftCard.
        """

    @command(access=internal(), key="order_id", timeout_s=5.0)
    async def undo_spending(self, request: SpendGiftCards) -> GiftCardsSpent:
        """Undo `spend_cards`, given its request, or keep it from happening. Safe to repeat.

        What has not gone back by returns goes back; also to a card that is expired, which is then
        good for 90 days more, or void, which stays so.
        """

    @command(access=internal(), key="refund_id", timeout_s=5.0, raises=(MoreThanSpent,))
    async def return_to_cards(self, request: ReturnToGiftCards) -> Empty:
        """Give back a part of what an order spent, once for its refund. Safe to repeat.

        To cards that are expired or void as `undo_spending` does. Raises MoreThanSpent.
        """
