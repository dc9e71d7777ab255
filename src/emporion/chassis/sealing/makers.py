"""Which secrets the rows of a table were made with, however many rows there are."""

from typing import Final

from emporion.chassis.data.database import Tx

MAKERS_MAX: Final = 100


async def makers(tx: Tx, next_one: str, nameless: str) -> frozenset[str]:
    """The names of at most MAKERS_MAX secrets; the empty one where a row names none.

    Args:
        tx: in which to look.
        next_one: selects the least name above the one given, or NULL: a step in an index.
        nameless: selects something if a row names none.
    """
    found = {""} if await tx.fetch_one(nameless) else set[str]()
    last = ""
    while len(found) < MAKERS_MAX:
        row = await tx.fetch_one(next_one, last)
        if row is None or row[0] is None:
            break
        last = row[0]
        found.add(last)
    return frozenset(found)
