"""`emporion giftcards`: which there are, their ledgers, new ones, and those that are blocked."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from emporion.platform.cli.asking import consulted, target_of
from emporion.platform.cli.exits import refuse
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    OperatorEmail,
    OperatorPassword,
    Reason,
    RunningUrl,
)
from emporion.platform.cli.tables import show

if TYPE_CHECKING:
    from emporion.contracts.giftcard import GiftCard, GiftCardEntry, GiftCardService, GiftCardStatus
    from emporion.kernel.ids import GiftCardId
    from emporion.kernel.money import Money
    from emporion.platform.operating import Target

T = TypeVar("T")
PAGE = 200
SHOWN_MAX = 1_000
Card = Annotated[str, typer.Argument(metavar="CARD", help="Its id: `gft_` and 32 digits.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Like 50.00")]
Currency = Annotated[str, typer.Argument(metavar="CURRENCY", help="ISO 4217, like EUR")]


def list_(  # noqa: PLR0913 - each is an option of the command line
    *,
    status: Annotated[
        str, typer.Option(metavar="STATUS", help="Only `active`, `expired` or `void` ones.")
    ] = "",
    currency: Annotated[str, typer.Option(help="Only those in this currency.")] = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """List gift cards, the newest first: how their codes end, and what is on them.

    For example:

      emporion giftcards list --status active
    """
    from emporion.contracts.giftcard import ListGiftCards
    from emporion.platform.operating import pages

    wanted = _status(status)
    target = target_of(data, url, email=operator_email, password=operator_password)

    async def every(service: "GiftCardService") -> "list[GiftCard]":
        async def turn(cursor: str) -> "tuple[list[GiftCard], str]":
            page = await service.list_cards(
                ListGiftCards(status=wanted, currency=currency, limit=PAGE, cursor=cursor)
            )
            return page.cards, page.next_cursor

        return await pages(turn, SHOWN_MAX)

    found = _ask(target, every)
    if not found:
        print("there are no such gift cards")
        return
    show(
        ("card", "ends in", "status", "balance", "until", "note"),
        [
            (c.card_id, c.ending, c.status, c.balance, c.expires_at or "for good", c.note)
            for c in found
        ],
    )


def issue(  # noqa: PLR0913 - each is an option of the command line
    amount: Amount,
    currency: Currency,
    *,
    expires: Annotated[
        datetime | None,
        typer.Option(help="Until when it is good; UTC. [default: for good]", show_default=False),
    ] = None,
    note: Annotated[str, typer.Option(help="For staff.")] = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Make a gift card, and print its code, this once.

    For example:

      emporion giftcards issue 50.00 EUR --expires 2029-12-31T23:00:00 --note "prize draw"
    """
    from emporion.contracts.giftcard import IssueGiftCard

    until = expires if expires is None or expires.tzinfo else expires.replace(tzinfo=UTC)
    request = IssueGiftCard(amount=_money(amount, currency), expires_at=until, note=note)
    target = target_of(data, url, email=operator_email, password=operator_password)
    made = _ask(target, lambda service: service.issue_card(request))
    print(_line(made.card))
    print(f"code (not shown again): {made.code}")


def show_(
    card: Card,
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Show a gift card and its ledger, the newest entry first.

    For example:

      emporion giftcards show gft_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b
    """
    from emporion.contracts.giftcard import GiftCardOf, ListGiftCardEntries
    from emporion.platform.operating import pages

    card_id = _card(card)
    target = target_of(data, url, email=operator_email, password=operator_password)

    async def all_of_it(service: "GiftCardService") -> "tuple[GiftCard, list[GiftCardEntry]]":
        async def turn(cursor: str) -> "tuple[list[GiftCardEntry], str]":
            page = await service.list_entries(
                ListGiftCardEntries(card_id=card_id, limit=PAGE, cursor=cursor)
            )
            return page.entries, page.next_cursor

        return await service.get_card(GiftCardOf(card_id=card_id)), await pages(turn, SHOWN_MAX)

    found, entries = _ask(target, all_of_it)
    print(_line(found))
    show(
        ("at", "what", "amount", "balance", "order", "by", "reason"),
        [(e.at, e.kind, e.amount, e.balance, e.order_id, e.actor, e.reason) for e in entries],
    )


def void(  # noqa: PLR0913 - each is an option of the command line
    card: Card,
    *,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Block a gift card for good, and write off what is on it.

    For example:

      emporion giftcards void gft_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b --reason "reported lost"
    """
    from emporion.contracts.giftcard import VoidGiftCard

    if not reason:
        refuse("void needs a --reason: it is kept with what is done")
    request = VoidGiftCard(card_id=_card(card), reason=reason)
    target = target_of(data, url, email=operator_email, password=operator_password)
    print(_line(_ask(target, lambda service: service.void_card(request))))


def adjust(  # noqa: PLR0913 - each is an option of the command line
    card: Card,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Like 5.00, or -5.00 after `--`")],
    currency: Currency,
    *,
    key: Annotated[str, typer.Option(help="Of your choice: the same key does it once.")],
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Add to a gift card, or, below zero, take off it; its ledger says who did, and why.

    For example:

      emporion giftcards adjust gft_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b 5.00 EUR --key T1 --reason late
    """
    from emporion.contracts.giftcard import AdjustGiftCard

    if not reason:
        refuse("adjust needs a --reason: it is kept with what is done")
    request = AdjustGiftCard(
        idempotency_key=key,
        card_id=_card(card),
        amount=_money(amount, currency),
        reason=reason,
    )
    target = target_of(data, url, email=operator_email, password=operator_password)
    print(_line(_ask(target, lambda service: service.adjust_card(request))))


def _ask(target: "Target", work: "Callable[[GiftCardService], Awaitable[T]]") -> T:
    from emporion.contracts.giftcard import GiftCardService

    return consulted(target, lambda clients: work(clients.get(GiftCardService)))


def _line(card: "GiftCard") -> str:
    until = f"until {card.expires_at.isoformat()}" if card.expires_at else "for good"
    return f"{card.card_id}  ends in {card.ending}  {card.status}, {card.balance} on it, {until}"


def _card(text: str) -> "GiftCardId":
    from emporion.kernel.ids import GIFT_CARD, GiftCardId, has_prefix

    if not has_prefix(text, GIFT_CARD):
        refuse(f"{text!r} is no gift card's id: those are `gft_` and 32 hexadecimal digits")
    return GiftCardId(text)


def _status(text: str) -> "GiftCardStatus | None":
    from emporion.contracts.giftcard import GiftCardStatus

    known = [status.value for status in GiftCardStatus]
    if text and text not in known:
        refuse(f"{text!r} is no status of a gift card: those are {', '.join(known)}")
    return GiftCardStatus(text) if text else None


def _money(amount: str, currency: str) -> "Money":
    from emporion.kernel.errors import EmporionError
    from emporion.kernel.money import Money, parse_amount_minor

    sign = -1 if amount.startswith("-") else 1
    try:
        return Money(sign * parse_amount_minor(amount.removeprefix("-"), currency), currency)
    except (ValueError, EmporionError) as error:
        refuse(str(error))
