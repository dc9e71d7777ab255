"""The saga desk: transactions over several services, what they hold, and how to set them going."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from emporion.chassis.http.exchange import Response
from emporion.contracts.contract import Message
from emporion.contracts.operations import ListSagas, OperationsService, RetrySaga, SagaSummary
from emporion.contracts.operations_desk import (
    CallOffSaga,
    ListDeeds,
    SagaDetails,
    SagaOf,
)
from emporion.kernel.errors import EmporionError, InvalidArgument, NotFound
from emporion.web.console.acting import act, reason_of, show
from emporion.web.console.section import Section
from emporion.web.forms import message
from emporion.web.visit import Visit

HOME: Final = "/console/sagas"
PER_PAGE: Final = 50
DEEDS_MAX: Final = 200
"""So many of the newest deeds about one thing are shown."""
VIEWS: Final = (
    ("open", "under way"),
    ("stuck", "stuck: an attempt failed"),
    ("running", "running"),
    ("compensating", "being undone"),
    ("all", "all, over or not"),
)
KINDS: Final = {"running": "wait", "compensating": "wrong", "completed": "right", "refused": ""}
STATES: Final = {
    "running": "running",
    "compensating": "being undone",
    "completed": "completed",
    "refused": "undone",
}
"""A saga's state, as people read it."""
WORDS: Final = {
    "retried": "The next attempt is made now. What became of it is shown below.",
    "compensated": "It is called off. Its steps are undone in reverse, until all of them are.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sagas, as the address says."""

    view: str
    service: str
    name: str
    cursor: str

    @classmethod
    def of(cls, visit: Visit) -> "Wanted":
        """Those of a visit."""
        view, service, name, cursor = (
            visit.query.text(field) for field in ("view", "service", "name", "cursor")
        )
        return cls(view if view in dict(VIEWS) else "open", service, name, cursor)

    def request(self) -> ListSagas:
        """What is asked for. Raises InvalidArgument."""
        return message(
            ListSagas,
            is_open=self.view != "all",
            is_stuck=self.view == "stuck",
            state=self.view if self.view in STATES else "",
            service=self.service or None,
            name=self.name,
            limit=PER_PAGE,
            cursor=self.cursor,
        )

    def address(self, path: str = HOME, *, cursor: str = "") -> str:
        """That of the same conditions, from a cursor on."""
        fields = {
            "view": self.view if self.view != "open" else "",
            "service": self.service,
            "name": self.name,
            "cursor": cursor,
        }
        given = {name: value for name, value in fields.items() if value}
        return f"{path}?{urlencode(given)}" if given else path


@dataclass(frozen=True, slots=True)
class StepOfSaga:
    """A step, and how far the saga is with it: done, now, undone, undoing or ahead."""

    name: str
    is_undoable: bool
    standing: str


async def sagas(visit: Visit) -> Response:
    """The desk."""
    return await visit.show("desks/sagas.html", **await _listed(visit))


async def sagas_now(visit: Visit) -> Response:
    """The part of it that is live."""
    return visit.part("desks/sagas_now.html", **await _listed(visit))


async def _listed(visit: Visit) -> dict[str, Any]:
    wanted = Wanted.of(visit)
    found: list[SagaSummary] = []
    cursor, refusal = "", None
    try:
        page = await visit.ask(OperationsService).list_sagas(wanted.request())
        found, cursor = page.sagas, page.next_cursor
    except InvalidArgument as error:
        refusal = error
    return {
        "wanted": wanted,
        "sagas": found,
        "refusal": refusal,
        "views": VIEWS,
        "kinds": KINDS,
        "states": STATES,
        "now_ms": visit.site.runtime.clock.now_ms(),
        "live_at": wanted.address(f"{HOME}/now", cursor=wanted.cursor),
        "first": wanted.address() if wanted.cursor else "",
        "next": wanted.address(cursor=cursor) if cursor else "",
    }


async def saga(visit: Visit) -> Response:
    """One of them. Raises NotFound."""
    return await _shown(visit, None)


async def retry(visit: Visit) -> Response:
    """Make its next attempt now."""

    async def work() -> Message:
        request = message(RetrySaga, saga_id=visit.path["saga_id"], reason=reason_of(visit))
        return await visit.ask(OperationsService).retry_saga(request)

    return await act(visit, work, onto=_address(visit), done="retried", shown=_shown)


async def compensate(visit: Visit) -> Response:
    """Call it off."""

    async def work() -> Message:
        request = message(CallOffSaga, saga_id=visit.path["saga_id"], reason=reason_of(visit))
        return await visit.ask(OperationsService).compensate_saga(request)

    return await act(visit, work, onto=_address(visit), done="compensated", shown=_shown)


async def _shown(visit: Visit, refusal: EmporionError | None) -> Response:
    told = await _told(visit)
    about = ListDeeds(subject=told.saga_id, service=told.service, limit=DEEDS_MAX)
    page = await visit.ask(OperationsService).list_deeds(about)
    return await show(
        visit,
        "desks/saga.html",
        refusal,
        words=WORDS,
        saga=told,
        steps=steps_of(told),
        deeds=page.deeds,
        kinds=KINDS,
        states=STATES,
        is_over=told.next_attempt_at is None,
        now_ms=visit.site.runtime.clock.now_ms(),
    )


async def _told(visit: Visit) -> SagaDetails:
    try:
        request = message(SagaOf, saga_id=visit.path["saga_id"])
    except InvalidArgument as error:
        raise NotFound("that is no id of a saga") from error
    return await visit.ask(OperationsService).get_saga(request)


def _address(visit: Visit) -> str:
    return f"{HOME}/{visit.path['saga_id']}"


def steps_of(told: SagaDetails) -> list[StepOfSaga]:
    """The steps, with how far it is with each."""
    names = [step.name for step in told.steps]
    at = names.index(told.step) if told.step in names else len(names)
    return [
        StepOfSaga(step.name, step.is_undoable, _standing(told.state, place, at))
        for place, step in enumerate(told.steps)
    ]


def _standing(state: str, place: int, at: int) -> str:
    match state:
        case "completed":
            return "done"
        case "running":
            return "done" if place < at else "now" if place == at else "ahead"
        case "compensating":
            return "done" if place < at else "undoing" if place == at else "undone"
        case _:
            return "undone"


SECTION: Final = Section(
    "Sagas",
    pages={"": sagas, "/now": sagas_now, "/{saga_id}": saga},
    forms={"/{saga_id}/retry": retry, "/{saga_id}/compensate": compensate},
)
