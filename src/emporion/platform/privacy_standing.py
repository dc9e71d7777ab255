"""How private a shop's data is: with which secret it is sealed, and what is readable."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.sealing.cipher import ERASED, MARK, is_sealed
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.privacy import known_keys, settings_of
from emporion.platform.reading.shop import open_for_reading
from emporion.services.fraud.sagas import REASON as REJECTED
from emporion.services.user.adapters.sql import SqlAccounts
from emporion.services.vault.adapters.sql import SqlKeys

PAGE: Final = 1_000
_START: Final = "start the shop: it is done in a minute, and by itself"
_OLD: Final = "start the shop: they are made anew by themselves, some thousands a second"
_UNKNOWN: Final = "set the secret of that name as privacy_key_other; without it they are lost"
_STAYS: Final = "from before it was sealed: it stays readable"
_MAILS: Final = "SELECT count(*) FROM mail WHERE contact IS NOT NULL AND is_sealed = 0"
_REVIEWS: Final = "SELECT count(*) FROM review WHERE decided_by <> '' AND {}"
_RELEASES: Final = "SELECT count(*) FROM fulfilment WHERE {}"
_HEALINGS: Final = (
    "SELECT count(*) FROM healing WHERE {} AND order_id IN (SELECT order_id FROM payment)"
)
_IS_READABLE: Final = "{0} NOT IN ('', ?) AND substr({0}, 1, 3) <> ?"
_NOTES: Final = (
    ("fraud", "reasons of reviews", _REVIEWS, "reason"),
    ("shipping", "reasons of releases", _RELEASES, "release_reason"),
    ("payment", "reasons of healings", _HEALINGS, "reason"),
)
_WORDS: Final = (
    "SELECT stream, version, data FROM event WHERE (stream, version) > (?, ?)"
    " AND type IN ('call_off_asked', 'cancelled', 'return_requested', 'return_refused')"
    " ORDER BY stream, version LIMIT ?"
)


class Standing(NamedTuple):
    """How many there are of something; `to_do` says what to do about them, if anything is.

    `is_made`: with a secret, and not readable.
    """

    what: str
    number: int
    to_do: str = ""
    is_made: bool = False


class _Reasoned(msgspec.Struct, frozen=True):
    reason: str = ""


_decode = msgspec.json.Decoder(_Reasoned).decode


async def standing(folder: Path) -> list[Standing]:
    """What is to be said of the shop in a folder, running or not; nothing is written.

    Raises what `open_for_reading` and `known_keys` raise.
    """
    keys = known_keys(settings_of(folder), SecretsFile.open(folder))
    async with open_for_reading(folder) as shop:
        return await _standing(shop.databases, keys.names if keys else ())


async def _standing(databases: Mapping[str, Database], names: Sequence[str]) -> list[Standing]:
    wrapped = await databases["vault"].read(SqlKeys().counts)
    indexed = await databases["user"].read(SqlAccounts().index_counts)
    found = [*_made("keys of people", wrapped, names), *_made("addresses", indexed, names)]
    accounts = await databases["user"].read(SqlAccounts().count_readable)
    found.append(_left("accounts that are readable", accounts, _START))
    mails = await _number(databases["email"], _MAILS)
    found.append(_left("addresses of mails that are readable", mails, _START))
    for service, what, sql, note in _NOTES:
        readable = sql.format(_IS_READABLE.format(note))
        number = await _number(databases[service], readable, ERASED, MARK)
        found.append(_left(f"{what} that are readable", number, _STAYS))
    words = await _readable_words(databases["order"])
    found.append(_left("events of orders with words of a person that are readable", words, _STAYS))
    return found


def _made(what: str, counts: Mapping[str, int], names: Sequence[str]) -> list[Standing]:
    """By which secret how many were made; those of the current one first.

    Args:
        what: that was made.
        counts: how many, by the name of the secret.
        names: of the secrets that are known, the current one's first.
    """
    found = [Standing(f"{what}: current privacy_key {n}", counts.get(n, 0)) for n in names[:1]]
    for name in sorted(counts.keys() - set(names[:1])):
        if not name:
            found.append(Standing(f"{what}: no name was kept", counts[name], _OLD, is_made=True))
        elif name in names:
            found.append(
                Standing(f"{what}: privacy_key_other {name}", counts[name], _OLD, is_made=True)
            )
        else:
            found.append(
                Standing(f"{what}: an unknown secret {name}", counts[name], _UNKNOWN, is_made=True)
            )
    return found


def _left(what: str, number: int, to_do: str) -> Standing:
    return Standing(what, number, to_do if number else "")


async def _number(database: Database, sql: str, *args: str) -> int:
    async def work(tx: Tx) -> int:
        (row,) = await tx.fetch(sql, *args)
        return int(row[0])

    return await database.read(work)


async def _readable_words(orders: Database) -> int:
    """How many events hold words of a person as they were written."""
    number, after = 0, ("", 0)
    while page := await _page(orders, *after):
        number += sum(1 for *_, data in page if _is_readable(_decode(data).reason))
        after = page[-1][0], page[-1][1]
    return number


async def _page(orders: Database, stream: str, version: int) -> list[Row]:
    return await orders.read(lambda tx: tx.fetch(_WORDS, stream, version, PAGE))


def _is_readable(text: str) -> bool:
    """Whether a person's own words stand there."""
    return text not in {"", ERASED, REJECTED} and not is_sealed(text)
