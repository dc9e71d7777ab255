"""What is on its way between services: open sagas, undelivered events, dead letters."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from emporion.chassis.data.database import Database
from emporion.platform.audit.deliveries import PAGE, Delivery, deliveries, traffic_of
from emporion.platform.audit.facts import Finding, Violation
from emporion.platform.audit.traffic_port import DeadLetter

OPEN_SAGAS_MAX = 100_000
SAGAS_DONE = "no saga is left undone"


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


class _AboutAnOrder(msgspec.Struct):
    order_id: str = ""


async def open_sagas(service: str, database: Database) -> list[OpenSaga]:
    """The sagas of a service that are running or compensating, at most OPEN_SAGAS_MAX."""
    found: list[OpenSaga] = []
    traffic, last = traffic_of(database), ""
    while len(found) < OPEN_SAGAS_MAX:
        page = await traffic.open_sagas(last, PAGE)
        found += [
            OpenSaga(
                service,
                saga.saga_id,
                saga.name,
                saga.state,
                saga.step,
                saga.attempts,
                _order_id(saga.input),
                saga.last_error,
                saga.started_at_ms,
            )
            for saga in page
        ]
        if len(page) < PAGE:
            break
        last = page[-1].saga_id
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
        finding.examined = (finding.examined or 0) + await traffic_of(database).sagas()
    for saga in open_:
        if not is_running or saga.attempts:
            detail = f"{saga.name} is {saga.state} after {saga.attempts} failed attempts"
            error = f": {saga.last_error}" if saga.last_error else ""
            finding.add(Violation(finding.check, saga.saga_id, detail + error))
    return finding


async def logs_are_whole(databases: Mapping[str, Database]) -> Finding:
    """No event is missing from the log of what a service published.

    Counts only the events whose numbers follow each other; PostgreSQL's do not, and there only
    the order service's log is proven, by its own audit.
    """
    finding = Finding("event logs have no gaps", 0, [], 0)
    for service, database in databases.items():
        events, missing = await traffic_of(database).numbering()
        if missing is None:
            continue
        finding.examined = (finding.examined or 0) + events
        if missing:
            finding.add(Violation(finding.check, service, f"{missing} events are missing"))
    return finding


def no_event_lost(found: Sequence[Delivery]) -> Finding:
    """No event that the broker took was passed over: later ones of its name came, and it did not.

    In a shop of one process there is no broker to lose one.
    """
    finding = Finding("no event lost at the broker", 0, [], 0)
    for one in found:
        finding.examined = (finding.examined or 0) + int(one.over_broker)
        for event in one.passed_over:
            detail = f"{event.name} of {event.key} never came to {one.subscriber}; later ones did"
            finding.add(Violation(finding.check, event.event_id, detail))
    return finding


def events_delivered(found: Sequence[Delivery]) -> Finding:
    """Every event has reached its subscribers; a warning, as those that wait are not lost."""
    finding = Finding("events delivered", len(found), [], 0, is_warning=True)
    for one in found:
        if one.waiting or one.parked:
            detail = f"{one.waiting} events wait, {one.parked} are set aside to be retried"
            finding.add(Violation(finding.check, f"{one.source} -> {one.subscriber}", detail))
    return finding


async def events_taken(databases: Mapping[str, Database], found: Sequence[Delivery]) -> Finding:
    """The broker has taken what every service announced, also what nobody subscribes to.

    A warning: what it has not taken stays in the outbox. In a shop of one process there is none.
    """
    finding = Finding("events taken by the broker", 0, [], 0, is_warning=True)
    if not any(one.over_broker for one in found):
        return finding
    finding.examined = len(databases)
    for service, database in databases.items():
        if unsent := await traffic_of(database).unsent():
            finding.add(Violation(finding.check, service, f"{unsent} events are not sent"))
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
    return [
        Lag(one.source, one.subscriber, one.waiting, one.parked, one.dead)
        for one in await deliveries(databases)
    ]


async def dead_letters(databases: Mapping[str, Database], limit: int) -> list[DeadLetter]:
    """The dead letters of all subscribers, at most `limit` of each."""
    found: list[DeadLetter] = []
    for database in databases.values():
        found += await traffic_of(database).dead_letters(limit)
    return found


def _order_id(input_: bytes) -> str:
    try:
        return msgspec.json.decode(input_, type=_AboutAnOrder).order_id
    except msgspec.MsgspecError:
        return ""
