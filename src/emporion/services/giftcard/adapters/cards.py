"""Cards and their ledgers in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

from emporion.chassis.data.database import Row, Tx
from emporion.kernel.errors import Conflict
from emporion.kernel.ids import GiftCardId
from emporion.services.giftcard.domain import (
    FOREVER_MS,
    Card,
    Entry,
    Kind,
    Status,
    Why,
    is_same,
    name_of,
)
from emporion.services.giftcard.ports import PageOfCards

_COLUMNS = (
    "card_id, code_hash, ending, currency, balance_minor, status, expires_at_ms, version, note,"
    " issued_at_ms, issued_by"
)
_SELECT = f"SELECT {_COLUMNS} FROM gift_card"  # noqa: S608 - constant columns
_ADD = f"INSERT INTO gift_card ({_COLUMNS}, code_name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above
_FIND = f"{_SELECT} WHERE card_id = ?"
_HOLD = f"{_FIND} /* for update */"
_OF_CODE = f"{_SELECT} WHERE code_name = ?"
_MOVE = (
    "UPDATE gift_card SET balance_minor = balance_minor + ?, version = version + 1, status = ?,"
    " expires_at_ms = ? WHERE card_id = ? AND version = ? AND balance_minor + ? >= 0"
)
_ENTER = "INSERT INTO gift_card_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PAGE = (
    f"{_SELECT} WHERE card_id < ? AND (? = '' OR status = ?) AND (? = '' OR currency = ?)"
    " ORDER BY card_id DESC LIMIT ?"
)
_ENTRIES = (
    "SELECT version, amount_minor, balance_minor, kind, at_ms, order_id, reason, actor"
    " FROM gift_card_entry WHERE card_id = ? AND version < ? ORDER BY version DESC LIMIT ?"
)
_OVERDUE = (
    "SELECT card_id FROM gift_card WHERE status = 'active' AND expires_at_ms <= ?"
    " ORDER BY expires_at_ms LIMIT ?"
)
_NEXT = (
    "SELECT expires_at_ms FROM gift_card WHERE status = 'active' AND expires_at_ms < ?"
    " ORDER BY expires_at_ms LIMIT 1"
)
_AFTER_ALL_IDS = "~"


class SqlCards:
    """CardStore over `gift_card` and `gift_card_entry`."""

    async def add(self, tx: Tx, card: Card, why: Why) -> None:
        await tx.execute(_ADD, *card, name_of(card.code_hash))
        await _enter(tx, card, card.balance_minor, why=why)

    async def find(self, tx: Tx, card_id: str) -> Card | None:
        row = await tx.fetch_one(_FIND, card_id)
        return _card(row) if row else None

    async def hold(self, tx: Tx, card_ids: Sequence[str]) -> dict[str, Card]:
        rows = [await tx.fetch_one(_HOLD, card_id) for card_id in sorted(set(card_ids))]
        return {card.card_id: card for card in (_card(row) for row in rows if row)}

    async def of_code(self, tx: Tx, code_hash: str) -> Card | None:
        row = await tx.fetch_one(_OF_CODE, name_of(code_hash))
        card = _card(row) if row else None
        return card if card and is_same(card.code_hash, code_hash) else None

    async def move(self, tx: Tx, card: Card, amount_minor: int, *, why: Why) -> Card:
        changed = await tx.execute(
            _MOVE,
            amount_minor,
            card.status.value,
            card.expires_at_ms,
            card.card_id,
            card.version,
            amount_minor,
        )
        if not changed:
            raise Conflict(f"{card.card_id} is not as it was, or holds less than it would lose")
        after = card._replace(
            balance_minor=card.balance_minor + amount_minor, version=card.version + 1
        )
        await _enter(tx, after, amount_minor, why=why)
        return after

    async def page(self, tx: Tx, wanted: PageOfCards) -> list[Card]:
        status = wanted.status.value if wanted.status else ""
        before = wanted.before or _AFTER_ALL_IDS
        rows = await tx.fetch(
            _PAGE, before, status, status, wanted.currency, wanted.currency, wanted.limit
        )
        return [_card(row) for row in rows]

    async def entries(self, tx: Tx, card_id: str, *, below: int, limit: int) -> list[Entry]:
        rows = await tx.fetch(_ENTRIES, card_id, below, limit)
        return [
            Entry(version, amount, balance, Why(Kind(kind), *why))
            for version, amount, balance, kind, *why in rows
        ]

    async def overdue(self, tx: Tx, now_ms: int, limit: int) -> list[GiftCardId]:
        return [GiftCardId(card_id) for (card_id,) in await tx.fetch(_OVERDUE, now_ms, limit)]

    async def next_expiry_ms(self, tx: Tx) -> int | None:
        row = await tx.fetch_one(_NEXT, FOREVER_MS)
        return int(row[0]) if row else None


async def _enter(tx: Tx, card: Card, amount_minor: int, *, why: Why) -> None:
    await tx.execute(
        _ENTER,
        card.card_id,
        card.version,
        why.kind.value,
        amount_minor,
        card.balance_minor,
        why.order_id,
        why.reason,
        why.actor,
        why.at_ms,
    )


def _card(row: Row) -> Card:
    card_id, code_hash, ending, currency, balance_minor, status, *rest = row
    return Card(
        GiftCardId(card_id), code_hash, ending, currency, balance_minor, Status(status), *rest
    )
