"""The operator's side of sagas: list those of one service, make one due now, or call it off."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from emporion.chassis.data import deeds
from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.data.deeds import Deed
from emporion.chassis.saga import journal
from emporion.chassis.saga.definition import LocalStep, Saga
from emporion.chassis.saga.port import CalledOff, SagaState
from emporion.kernel.errors import FailedPrecondition

PAGE_MAX = 500
_COLUMNS = (
    "id, name, version, state, step, attempts, last_error, next_at_ms, started_at_ms, input,"
    " refusal, traceparent FROM saga"
)
_WANTED = "(? = '' OR name = ?) AND (? = '' OR state = ?) AND attempts >= ?"
LIST_OPEN = (
    f"SELECT {_COLUMNS} WHERE state IN ('running', 'compensating') AND {_WANTED}"
    " AND (next_at_ms, id) > (?, ?) ORDER BY next_at_ms, id LIMIT ?"
)
LIST_ALL = f"SELECT {_COLUMNS} WHERE {_WANTED} AND id < ? ORDER BY id DESC LIMIT ?"
FIND = f"SELECT {_COLUMNS} WHERE id = ?"
STANDING = (
    "SELECT count(*), min(started_at_ms) FROM saga WHERE state IN ('running', 'compensating')"
)
MAKE_DUE = "UPDATE saga SET next_at_ms = ? WHERE id = ? AND state IN ('running', 'compensating')"
_AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class SagaStanding:
    """How a saga stands.

    `step` is the name of the step it is at; while it runs well only its start is stored, so that
    a saga under way may be further than that. `next_at_ms` is None once it is over, and `input`
    empty; `refusal` is the error that turned it, as JSON, or empty.
    """

    saga_id: str
    name: str
    state: SagaState
    step: str
    attempts: int
    last_error: str
    started_at_ms: int
    next_at_ms: int | None
    version: int
    input: bytes
    refusal: bytes
    trace_id: str


@dataclass(frozen=True, slots=True)
class SagaStandings:
    """A page of sagas; `next_cursor` is empty on the last one."""

    sagas: tuple[SagaStanding, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class OpenSagas:
    """How many sagas are not over, and when the oldest of them began (None when there is none)."""

    number: int
    oldest_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sagas: of that name and state (empty: any), after so many failed attempts."""

    name: str = ""
    state: str = ""
    attempts_min: int = 0

    @property
    def args(self) -> tuple[str, str, str, str, int]:
        """For the statement."""
        return self.name, self.name, self.state, self.state, self.attempts_min


EVERY = Wanted()


class NotCompensable(FailedPrecondition):
    """The saga goes forward only: a step of it cannot be undone (field `step`)."""

    slug = "not-compensable"
    title = "This saga cannot be compensated"


class SagaDesk:
    """What an operator can see of, and do about, the sagas of one service.

    Args:
        database: the service's.
        sagas: its definitions, which name the steps.
        poke: told that something became due.

    Its methods raise what the database raises.
    """

    def __init__(
        self, database: Database, sagas: Sequence[Saga[Any]], poke: Callable[[], None]
    ) -> None:
        self._database = database
        self._sagas = {(saga.name, saga.version): saga for saga in sagas}
        self._poke = poke

    async def standing(self) -> OpenSagas:
        """How many sagas are not over, and since when: read over an index of those alone."""

        async def read(tx: Tx) -> Row | None:
            return await tx.fetch_one(STANDING)

        row = await self._database.read(read)
        return OpenSagas(*row) if row else OpenSagas(0, None)

    async def open_page(self, *, limit: int, cursor: str, wanted: Wanted = EVERY) -> SagaStandings:
        """Sagas that are not over, the next due first. Raises ValueError on a foreign cursor."""
        due, _, saga_id = cursor.partition(",")
        after_ms = int(due) if cursor else -1
        size = max(1, min(limit, PAGE_MAX))

        async def read(tx: Tx) -> list[Row]:
            return await tx.fetch(LIST_OPEN, *wanted.args, after_ms, saga_id, size + 1)

        rows = await self._database.read(read)
        page = tuple(self._standing(row) for row in rows[:size])
        has_more = len(rows) > size
        return SagaStandings(page, f"{page[-1].next_at_ms},{page[-1].saga_id}" if has_more else "")

    async def page(self, *, limit: int, cursor: str, wanted: Wanted = EVERY) -> SagaStandings:
        """All sagas, those with the greatest id, and so the newest, first."""
        size = max(1, min(limit, PAGE_MAX))

        async def read(tx: Tx) -> list[Row]:
            return await tx.fetch(LIST_ALL, *wanted.args, cursor or _AFTER_ALL, size + 1)

        rows = await self._database.read(read)
        page = tuple(self._standing(row) for row in rows[:size])
        return SagaStandings(page, page[-1].saga_id if len(rows) > size else "")

    async def find(self, saga_id: str) -> SagaStanding | None:
        """The saga of that id."""

        async def read(tx: Tx) -> Row | None:
            return await tx.fetch_one(FIND, saga_id)

        row = await self._database.read(read)
        return self._standing(row) if row else None

    def steps(self, standing: SagaStanding) -> Sequence[tuple[str, bool]]:
        """The steps of its definition, each with whether it can be undone; empty: unknown here."""
        saga = self._sagas.get((standing.name, standing.version))
        return [(step.name, step.undo is not None) for step in saga.steps] if saga else []

    async def make_due(self, saga_id: str, *, now_ms: int, deed: Deed | None = None) -> bool:
        """Have the next attempt made now; False when no open saga has that id.

        Safe at any time: every step is idempotent, and a saga under way is not taken up twice.
        The deed is written down with it.
        """

        async def work(tx: Tx) -> bool:
            is_open = await tx.execute(MAKE_DUE, now_ms, saga_id) == 1
            if is_open and deed is not None:
                await deeds.put(tx, deed)
            return is_open

        return await self._done(work)

    async def call_off(self, standing: SagaStanding, deed: Deed) -> bool:
        """Have a running saga compensate, from its last step down; False when it is not running.

        How far it came is not known: a step may be under way, or its outcome unknown. So every
        step is undone, in reverse; undo works without do, and leaves a tombstone that refuses a
        do which arrives later. An attempt under way in this process ends first. The deed is
        written down in the same transaction. Raises NotCompensable.
        """
        step = self._last_to_undo(standing)
        refusal = CalledOff("called off by the shop")  # why is for the staff: in the deed

        async def work(tx: Tx) -> bool:
            is_running = await journal.force(
                tx, standing.saga_id, step=step, refusal=refusal, now_ms=deed.at_ms
            )
            if is_running:
                await deeds.put(tx, deed)
            return is_running

        return await self._done(work)

    def _last_to_undo(self, standing: SagaStanding) -> int:
        saga = self._sagas.get((standing.name, standing.version))
        if saga is None:
            raise NotCompensable(f"no {standing.name} version {standing.version} is known here")
        # A last step in our own database ends the saga in its transaction: it was not done yet.
        has_local_end = len(saga.steps) > 1 and isinstance(saga.steps[-1], LocalStep)
        last = len(saga.steps) - (2 if has_local_end else 1)
        for step in saga.steps[: last + 1]:
            if step.undo is None:
                detail = f"{standing.name} goes forward only: {step.name!r} cannot be undone"
                raise NotCompensable(detail, step=step.name)
        return last

    async def _done(self, work: Callable[[Tx], Awaitable[bool]]) -> bool:
        is_changed = await self._database.transaction(work)
        if is_changed:
            self._poke()
        return is_changed

    def _standing(self, row: Row) -> SagaStanding:
        saga_id, name, version, state, step, attempts, last_error, next_at_ms, *rest = row
        started_at_ms, input_, refusal, traceparent = rest
        saga = self._sagas.get((name, version))
        names = [each.name for each in saga.steps] if saga else []
        is_over = state in (SagaState.COMPLETED, SagaState.REFUSED)
        return SagaStanding(
            saga_id=saga_id,
            name=name,
            state=SagaState(state),
            step=names[step] if 0 <= step < len(names) else f"step {step}",
            attempts=attempts,
            last_error=last_error,
            started_at_ms=started_at_ms,
            next_at_ms=None if is_over else next_at_ms,
            version=version,
            input=input_,
            refusal=refusal or b"",
            trace_id=traceparent[3:35],
        )
