"""What is on its way between services: open sagas, undelivered events, dead letters."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from emporion.chassis.data.database import Database, Row, Tx, Value
from emporion.chassis.events.feed import waiting
from emporion.contracts.order import OrderCreated, OrderService
from emporion.platform.audit.facts import Finding, Violation
from emporion.platform.audit.subscribers import REACTS_TO

PAGE = 1_000
OPEN_SAGAS_MAX = 100_000
UNREAD_MAX = 1_000_000
SAGAS_DONE = "no saga is left undone"

_OPEN_SAGAS = (
    "SELECT id, name, state, step, attempts, input, last_error, started_at_ms FROM saga "
    "WHERE state IN ('running', 'compensating') AND id > ? ORDER BY id LIMIT ?"
)
_SAGAS = "SELECT count(*) FROM saga"
_GAPS = "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM outbox"
_CURSOR = "SELECT position FROM bus_cursor WHERE source = ? AND subscriber = ?"
_UNREAD = (
    "SELECT position, key FROM outbox WHERE position > ? AND name = ? ORDER BY position LIMIT ?"
)
_PARKED = "SELECT key FROM parked WHERE source = ? AND name = ? AND subscriber = ? LIMIT ?"
_CURSORS = (
    "SELECT source, subscriber, position, "
    "(SELECT count(*) FROM parked p WHERE p.source = c.source AND p.subscriber = c.subscriber "
    "AND status = 'waiting'), "
    "(SELECT count(*) FROM parked p WHERE p.source = c.source AND p.subscriber = c.subscriber "
    "AND status = 'dead') FROM bus_cursor c ORDER BY source, subscriber"
)
_DEAD = (
    "SELECT subscriber, event_id, name, attempts, last_error FROM parked "
    "WHERE status = 'dead' LIMIT ?"
)


class OpenSaga(NamedTuple):
    """A saga that is not over; `order_id` is empty when it is not about an order."""

    service: str
    saga_id: str
    name: str
    state: str
    step: int
    attempts: int
    order_id: str
    last_error: str
    started_at_ms: int


class Lag(NamedTuple):
    """How many events of a publisher wait for a subscriber, are set aside, or are dead.

    Only those that the subscriber reacts to wait: its cursor is stored late behind others.
    """

    source: str
    subscriber: str
    waiting: int
    parked: int
    dead: int


class DeadLetter(NamedTuple):
    """An event that failed at a subscriber until it was given up."""

    subscriber: str
    event_id: str
    name: str
    attempts: int
    last_error: str


class _AboutAnOrder(msgspec.Struct):
    order_id: str = ""


async def open_sagas(service: str, database: Database) -> list[OpenSaga]:
    """The sagas of a service that are running or compensating, at most OPEN_SAGAS_MAX."""
    found: list[OpenSaga] = []
    last = ""
    while len(found) < OPEN_SAGAS_MAX:
        page = await rows(database, _OPEN_SAGAS, last, PAGE)
        for saga_id, name, state, step, attempts, input_, last_error, started_at_ms in page:
            order_id = _order_id(input_)
            found.append(
                OpenSaga(
                    service,
                    saga_id,
                    name,
                    state,
                    step,
                    attempts,
                    order_id,
                    last_error,
                    started_at_ms,
                )
            )
        if len(page) < PAGE:
            break
        last = page[-1][0]
    return found


async def all_open_sagas(databases: Mapping[str, Database]) -> list[OpenSaga]:
    """The open sagas of every service."""
    return [
        saga
        for service, database in databases.items()
        for saga in await open_sagas(service, database)
    ]


async def sagas_done(
    databases: Mapping[str, Database], open_: Sequence[OpenSaga], *, is_running: bool
) -> Finding:
    """No saga is left undone. Beside a running shop one that retries is but a warning."""
    finding = Finding(SAGAS_DONE, 0, [], 0, is_warning=is_running)
    for database in databases.values():
        finding.examined = (finding.examined or 0) + await count(database, _SAGAS)
    for saga in open_:
        if not is_running or saga.attempts:
            detail = f"{saga.name} is {saga.state} after {saga.attempts} failed attempts"
            error = f": {saga.last_error}" if saga.last_error else ""
            finding.add(Violation(finding.check, saga.saga_id, detail + error))
    return finding


async def logs_are_whole(databases: Mapping[str, Database]) -> Finding:
    """No event is missing from the log of what a service published."""
    finding = Finding("event logs have no gaps", 0, [], 0)
    for service, database in databases.items():
        count, first, last = (await rows(database, _GAPS))[0]
        finding.examined = (finding.examined or 0) + count
        missing = last - first + 1 - count
        if missing:
            finding.add(Violation(finding.check, service, f"{missing} events are missing"))
    return finding


async def events_delivered(databases: Mapping[str, Database]) -> Finding:
    """Every event has reached its subscribers; a warning, as those that wait are not lost."""
    finding = Finding("events delivered", 0, [], 0, is_warning=True)
    for lag in await lags(databases):
        finding.examined = (finding.examined or 0) + 1
        if lag.waiting or lag.parked:
            detail = f"{lag.waiting} events wait, {lag.parked} are set aside to be retried"
            finding.add(Violation(finding.check, f"{lag.source} -> {lag.subscriber}", detail))
    return finding


async def no_dead_letters(databases: Mapping[str, Database]) -> Finding:
    """No event waits for an operator; a warning, as none is lost."""
    finding = Finding("no dead letters", None, [], 0, is_warning=True)
    for letter in await dead_letters(databases, PAGE):
        detail = f"{letter.name} failed {letter.attempts} times at {letter.subscriber}"
        finding.add(Violation(finding.check, letter.event_id, f"{detail}: {letter.last_error}"))
    return finding


async def lags(databases: Mapping[str, Database]) -> list[Lag]:
    """Every pair of publisher and subscriber that has a cursor."""
    found: list[Lag] = []
    for database in databases.values():
        for source, subscriber, position, parked, dead in await rows(database, _CURSORS):
            number = 0
            if source in databases:
                wanted = REACTS_TO.get(subscriber, ())
                number, _ = await waiting(databases[source], position, wanted)
            found.append(Lag(source, subscriber, number, parked, dead))
    return found


async def dead_letters(databases: Mapping[str, Database], limit: int) -> list[DeadLetter]:
    """The dead letters of all subscribers, at most `limit` of each."""
    found: list[DeadLetter] = []
    for database in databases.values():
        found += [DeadLetter(*row) for row in await rows(database, _DEAD, limit)]
    return found


async def unread_orders(databases: Mapping[str, Database], subscriber: str) -> frozenset[str]:
    """Ids of orders whose `orders.created` a subscriber has still to handle."""
    name = OrderCreated.SPEC.name
    source, database = databases[OrderService.NAME], databases[subscriber]
    # The subscriber first: what it handles between the two reads then still counts as unread.
    cursor = await rows(database, _CURSOR, OrderService.NAME, subscriber)
    parked = await rows(database, _PARKED, OrderService.NAME, name, subscriber, UNREAD_MAX)
    position = cursor[0][0] if cursor else 0
    unread = {row[0] for row in parked}
    while len(unread) < UNREAD_MAX:
        page = await rows(source, _UNREAD, position, name, PAGE)
        unread.update(row[1] for row in page)
        if len(page) < PAGE:
            break
        position = page[-1][0]
    return frozenset(unread)


async def count(database: Database, sql: str) -> int:
    """The one number of a statement, as of one instant."""
    return int((await rows(database, sql))[0][0])


async def rows(database: Database, sql: str, *args: Value) -> Sequence[Row]:
    """The rows of one statement, as of one instant."""

    async def work(tx: Tx) -> Sequence[Row]:
        return await tx.fetch(sql, *args)

    return await database.read(work)


def _order_id(input_: bytes) -> str:
    try:
        return msgspec.json.decode(input_, type=_AboutAnOrder).order_id
    except msgspec.MsgspecError:
        return ""
