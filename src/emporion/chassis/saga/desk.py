"""The operator's side of sagas: list those of one service, and make one due now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.saga.definition import Saga
from emporion.chassis.saga.port import SagaState

PAGE_MAX = 500
_COLUMNS = (
    "id, name, version, state, step, attempts, last_error, next_at_ms, started_at_ms FROM saga"
)
LIST_OPEN = (
    f"SELECT {_COLUMNS} WHERE state IN ('running', 'compensating')"
    " AND (next_at_ms, id) > (?, ?) ORDER BY next_at_ms, id LIMIT ?"
)
LIST_ALL = f"SELECT {_COLUMNS} WHERE id < ? ORDER BY id DESC LIMIT ?"
FIND = f"SELECT {_COLUMNS} WHERE id = ?"
MAKE_DUE = "UPDATE saga SET next_at_ms = ? WHERE id = ? AND state IN ('running', 'compensating')"
_AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class SagaStanding:
    """How a saga stands.

    `step` is the name of the step it is at; while it runs well only its start is stored, so that
    a saga under way may be further than that. `next_at_ms` is None once it is over.
    """

    saga_id: str
    name: str
    state: SagaState
    step: str
    attempts: int
    last_error: str
    started_at_ms: int
    next_at_ms: int | None


@dataclass(frozen=True, slots=True)
class SagaStandings:
    """A page of sagas; `next_cursor` is empty on the last one."""

    sagas: tuple[SagaStanding, ...]
    next_cursor: str


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
        self._steps = {
            (saga.name, saga.version): tuple(step.name for step in saga.steps) for saga in sagas
        }
        self._poke = poke

    async def open_page(self, *, limit: int, cursor: str) -> SagaStandings:
        """Sagas that are not over, the next due first. Raises ValueError on a foreign cursor."""
        due, _, saga_id = cursor.partition(",")
        after_ms = int(due) if cursor else -1
        size = max(1, min(limit, PAGE_MAX))

        async def read(tx: Tx) -> list[Row]:
            return await tx.fetch(LIST_OPEN, after_ms, saga_id, size + 1)

        rows = await self._database.read(read)
        page = tuple(self._standing(row) for row in rows[:size])
        has_more = len(rows) > size
        return SagaStandings(page, f"{page[-1].next_at_ms},{page[-1].saga_id}" if has_more else "")

    async def page(self, *, limit: int, cursor: str) -> SagaStandings:
        """All sagas, those with the greatest id, and so the newest, first."""
        size = max(1, min(limit, PAGE_MAX))

        async def read(tx: Tx) -> list[Row]:
            return await tx.fetch(LIST_ALL, cursor or _AFTER_ALL, size + 1)

        rows = await self._database.read(read)
        page = tuple(self._standing(row) for row in rows[:size])
        return SagaStandings(page, page[-1].saga_id if len(rows) > size else "")

    async def find(self, saga_id: str) -> SagaStanding | None:
        """The saga of that id."""

        async def read(tx: Tx) -> Row | None:
            return await tx.fetch_one(FIND, saga_id)

        row = await self._database.read(read)
        return self._standing(row) if row else None

    async def make_due(self, saga_id: str, *, now_ms: int) -> bool:
        """Have the next attempt made now; False when no open saga has that id.

        Safe at any time: every step is idempotent, and a saga under way is not taken up twice.
        """

        async def work(tx: Tx) -> int:
            return await tx.execute(MAKE_DUE, now_ms, saga_id)

        is_open = await self._database.transaction(work) == 1
        if is_open:
            self._poke()
        return is_open

    def _standing(self, row: Row) -> SagaStanding:
        saga_id, name, version, state, step, attempts, last_error, next_at_ms, started_at_ms = row
        names = self._steps.get((name, version), ())
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
        )
