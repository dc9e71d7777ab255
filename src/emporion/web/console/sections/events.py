"""The events desk: who is behind, what was given up and why, and how it is delivered again."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from emporion.chassis.http.exchange import Response
from emporion.contracts.contract import Empty, Message
from emporion.contracts.operations import (
    ListDeadLetters,
    ListSubscribers,
    OneSubscriber,
    OperationsService,
    Redrive,
    Redriven,
    Replay,
    Replayed,
    SubscriberLag,
)
from emporion.contracts.operations_desk import ListDeeds
from emporion.contracts.refusals import UnknownSubscriber
from emporion.kernel.errors import EmporionError, InvalidArgument, NotFound
from emporion.web.console.acting import Once, Work, act, reason_of, show
from emporion.web.console.section import Section
from emporion.web.console.sections.orders.listing import instant_of
from emporion.web.console.sections.sagas import DEEDS_MAX
from emporion.web.forms import message
from emporion.web.visit import Visit

HOME: Final = "/console/events"
PER_PAGE: Final = 50
KEYS_SHOWN: Final = 20
WORDS: Final = {
    "paused": "Delivery is paused. Its events are kept, also over a restart.",
    "resumed": "Delivery goes on from where it was paused.",
    "redriven": "They are delivered again. What fails again comes back to this list.",
    "replayed": "It reacts again to everything from that instant on, as if it were new.",
}


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a dry run found: of a redrive, or of a replay."""

    what: str
    events: int
    keys: list[str]
    fields: dict[str, str]
    is_more: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """All publishers of one subscriber together."""

    subscriber: str
    is_paused: bool
    waiting: int
    oldest_age_s: float
    parked: int
    dead: int
    publishers: list[str]
    is_more_waiting: bool = False

    @property
    def mood(self) -> str:
        """wrong: somebody has to decide; wait: it is behind on purpose or tries again."""
        return "wrong" if self.dead else "wait" if self.is_paused or self.parked else "right"


async def events(visit: Visit) -> Response:
    """The desk: everybody's lag and dead letters."""
    asked = visit.ask(OperationsService)
    cursor = visit.query.text("cursor")
    letters = await asked.list_dead_letters(message(ListDeadLetters, limit=PER_PAGE, cursor=cursor))
    return await visit.show(
        "desks/events.html",
        **await _lags(visit),
        letters=letters.dead_letters,
        first=HOME if cursor else "",
        next=f"{HOME}?{urlencode({'cursor': letters.next_cursor})}" if letters.next_cursor else "",
    )


async def events_now(visit: Visit) -> Response:
    """The part of it that is live."""
    return visit.part("desks/events_now.html", **await _lags(visit))


async def _lags(visit: Visit) -> dict[str, Any]:
    lags = (await visit.ask(OperationsService).list_subscribers(ListSubscribers())).subscribers
    return {"totals": totals_of(lags)}


def totals_of(lags: list[SubscriberLag]) -> list[Total]:
    """By subscriber, those somebody has to decide about first."""
    groups: dict[str, list[SubscriberLag]] = {}
    for lag in lags:
        groups.setdefault(lag.subscriber, []).append(lag)
    found = [
        Total(
            subscriber=name,
            is_paused=any(lag.is_paused for lag in group),
            waiting=sum(lag.waiting for lag in group),
            oldest_age_s=max(lag.oldest_age_s for lag in group),
            parked=sum(lag.parked for lag in group),
            dead=sum(lag.dead for lag in group),
            publishers=sorted(lag.publisher for lag in group),
            is_more_waiting=any(lag.is_more_waiting for lag in group),
        )
        for name, group in groups.items()
    ]
    return sorted(found, key=lambda it: (-it.dead, -it.parked, not it.is_paused, it.subscriber))


async def subscriber(visit: Visit) -> Response:
    """One subscriber. Raises NotFound."""
    return await _shown(visit, None)


async def pause(visit: Visit) -> Response:
    """Deliver nothing to it for now."""

    async def work() -> Empty:
        return await visit.ask(OperationsService).pause(_one(visit))

    return await act(visit, work, onto=_address(visit), done="paused", shown=_shown)


async def resume(visit: Visit) -> Response:
    """Deliver to it again."""

    async def work() -> Empty:
        return await visit.ask(OperationsService).resume(_one(visit))

    return await act(visit, work, onto=_address(visit), done="resumed", shown=_shown)


def _one(visit: Visit) -> OneSubscriber:
    return message(OneSubscriber, subscriber=_name(visit), reason=reason_of(visit))


async def redrive(visit: Visit) -> Response:
    """Deliver dead letters again: one, those of a name, or all; a dry run tells which."""
    name, event_id = visit.form.text("name"), visit.form.text("event_id")
    given = {
        "subscriber": _name(visit),
        "event_ids": [event_id] if event_id else [],
        "name": name or None,
    }
    asked = visit.ask(OperationsService)
    if visit.form.text("dry"):
        fields = {"name": name, "event_id": event_id}

        async def rehearsal() -> Redriven:
            return await asked.redrive(message(Redrive, is_dry_run=True, **given))

        return await _rehearsed(visit, rehearsal, what="redrive", fields=fields)

    async def work() -> Redriven:
        return await asked.redrive(message(Redrive, reason=reason_of(visit), **given))

    return await act(visit, work, onto=_address(visit), done="redriven", shown=_shown)


class Replays:
    """Replays: each form starts one, however often it is sent."""

    def __init__(self) -> None:
        self._once = Once()

    async def replay(self, visit: Visit) -> Response:
        """A dry run first; then the same for good."""
        asked = visit.ask(OperationsService)
        fields = {name: visit.form.text(name) for name in ("publisher", "since")}

        def request(**more: Any) -> Replay:
            since = instant_of(fields["since"], "since")
            if since is None:
                raise InvalidArgument("say from which instant on", field="since")
            publisher = fields["publisher"]
            name = _name(visit)
            return message(Replay, subscriber=name, publisher=publisher, since=since, **more)

        async def rehearsal() -> Replayed:
            return await asked.replay(request(is_dry_run=True))

        async def work() -> Replayed:
            return await asked.replay(request(reason=reason_of(visit)))

        async def once() -> Empty:
            await self._once.run(visit, work)
            return Empty()

        if visit.form.text("dry"):
            return await _rehearsed(visit, rehearsal, what="replay", fields=fields)
        return await act(visit, once, onto=_address(visit), done="replayed", shown=_shown)


async def _rehearsed(visit: Visit, work: Work, *, what: str, fields: dict[str, str]) -> Response:
    """The page with what would be delivered, and the form that does it."""
    try:
        told: Message = await work()
    except EmporionError as refusal:
        return await _shown(visit, refusal)
    assert isinstance(told, Redriven | Replayed)  # noqa: S101 - the two that have dry runs
    is_more = isinstance(told, Replayed) and told.is_more
    found = Rehearsed(what, told.events, told.keys, fields, is_more)
    return await _shown(visit, None, rehearsed=found)


async def _shown(
    visit: Visit, refusal: EmporionError | None, *, rehearsed: Rehearsed | None = None
) -> Response:
    name = _name(visit)
    asked = visit.ask(OperationsService)
    lags = (await asked.list_subscribers(ListSubscribers())).subscribers
    its = [lag for lag in lags if lag.subscriber == name]
    if not its:
        raise NotFound(f"no service {name[:40]!r} subscribes to anything")
    cursor = visit.query.text("cursor")
    wanted = message(ListDeadLetters, subscriber=name, limit=PER_PAGE, cursor=cursor)
    letters = await asked.list_dead_letters(wanted)
    about = message(ListDeeds, subject=name, service=name, limit=DEEDS_MAX)
    deeds = (await asked.list_deeds(about)).deeds
    onward = f"{_address(visit)}?{urlencode({'cursor': letters.next_cursor})}"
    return await show(
        visit,
        "desks/subscriber.html",
        refusal,
        words=WORDS,
        subscriber=name,
        lags=its,
        total=totals_of(its)[0],
        letters=letters.dead_letters,
        names=sorted({letter.name for letter in letters.dead_letters}),
        rehearsed=rehearsed,
        keys_shown=KEYS_SHOWN,
        deeds=deeds,
        first=_address(visit) if cursor else "",
        next=onward if letters.next_cursor else "",
    )


def _name(visit: Visit) -> str:
    name = visit.path["subscriber"]
    try:
        return message(OneSubscriber, subscriber=name).subscriber
    except InvalidArgument as error:
        raise UnknownSubscriber(f"no service {name[:40]!r} subscribes to anything") from error


def _address(visit: Visit) -> str:
    return f"{HOME}/{visit.path['subscriber']}"


SECTION: Final = Section(
    "Events",
    pages={"": events, "/now": events_now, "/{subscriber}": subscriber},
    forms={
        "/{subscriber}/pause": pause,
        "/{subscriber}/resume": resume,
        "/{subscriber}/redrive": redrive,
        "/{subscriber}/replay": Replays().replay,
    },
)
