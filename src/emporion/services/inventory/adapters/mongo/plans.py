"""Decisions on what was read, carried out only if it still stands, else taken again."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from emporion.chassis.data.database import UniqueViolation
from emporion.chassis.data.documents import Change, DocumentDatabase, DocumentTx
from emporion.contracts.contract import Event
from emporion.kernel.errors import Unavailable

T = TypeVar("T")
PLANS_MAX = 10
EVENTS = "outbox"
"""Transactions that publish wait for each other: they take their positions from one document."""


class PlanIsStale(Exception):
    """What a plan was made on changed meanwhile: nothing was written."""


async def settled(plan: Callable[[], Awaitable[T]]) -> T:
    """Run `plan`, which raises PlanIsStale, until it is not.

    Raises Unavailable when others were first 10 times: then nothing was done.
    """
    for _ in range(PLANS_MAX):
        try:
            return await plan()
        except PlanIsStale:
            continue
    raise Unavailable(f"the stock changed {PLANS_MAX} times while this was decided")


async def carry_out(
    database: DocumentDatabase,
    changes: Sequence[Change],
    *,
    keys: Iterable[str],
    events: Sequence[Event] = (),
) -> None:
    """Write all changes and publish the events, together; PlanIsStale when one does not match."""

    async def work(tx: DocumentTx) -> None:
        for event in events:
            await tx.publish(event)
        if not await tx.write(changes):
            raise PlanIsStale

    held = [*keys, EVENTS] if events else keys
    try:
        await database.transaction(work, keys=held)
    except UniqueViolation as error:
        raise PlanIsStale from error
