"""Runs sagas: stores their start, turn and end, drives their steps, retries, compensates, recovers.

What is stored and when:

    start          the saga's row, in the transaction of its first (local) step
    turn           a refusal was met: before any undo runs
    unknown        a step's outcome is not known: the step, attempts, error, when to try again
    local step     in the same transaction as the step's own effect
    end            in the transaction of the last local step, or in one of its own

Progress between remote steps that go well is not stored: every request is a function of the
stored input and every step is idempotent by its key, so that recovery runs the steps again from
the last stored one and each answers with what it did before.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.calls.context import NO_TRACE, Call, Trace, current_call, enter, leave
from emporion.chassis.calls.wire import ErrorTable
from emporion.chassis.data.database import Database, InStep, Tx
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga import journal
from emporion.chassis.saga.definition import LocalStep, RemoteStep, Saga
from emporion.chassis.saga.port import CalledOff, Outcome, SagaState, Start
from emporion.chassis.saga.recovery import TERMINAL, Recovery, pause_s_after
from emporion.chassis.saga.run import Run, enter_step
from emporion.chassis.saga.tenure import LEASE_MS, Alone, Shared, Tenure
from emporion.chassis.telemetry.steps import StepSpans
from emporion.contracts.contract import Message
from emporion.kernel.addresses import without_addresses
from emporion.kernel.errors import Conflict, EmporionError, ResourceExhausted

I = TypeVar("I", bound=Message)  # noqa: E741 - the saga's Input
_log = logging.getLogger(__name__)

ATTEMPTS_BEFORE_ALARM = 14
"""Some four minutes."""
OPEN_MAX = 20_000
Work = Callable[[Tx], Awaitable[None]]
_NO_ERRORS = ErrorTable(())
# The members once: looking one up on its class costs more than what is done with it.
_RUNNING, _COMPENSATING = SagaState.RUNNING, SagaState.COMPENSATING
_COMPLETED, _REFUSED = SagaState.COMPLETED, SagaState.REFUSED


class SagaEngine:
    """Sagas (the port) over the database of one service.

    After a crash, `recover` takes up every saga that was open. The engine never gives up: an
    unknown outcome is retried every 2 s at first, then with a doubling pause up to five minutes,
    and after fourteen attempts an error is logged at each.

    Args:
        instance: the name of this process among those that share the database, which has to be
            PostgreSQL then; the same after a restart, if it can be. Empty: there is no other.
    """

    def __init__(
        self, service: str, database: Database, runtime: Runtime, *, instance: str = ""
    ) -> None:
        self._service = service
        self._database = database
        self._runtime = runtime
        self._now_ms = runtime.clock.now_ms
        self._sagas: dict[tuple[str, int], Saga[Any]] = {}
        self._decoders: dict[tuple[str, int], msgspec.json.Decoder[Any]] = {}
        self._errors: dict[tuple[str, int], ErrorTable] = {}
        self._encode = msgspec.json.Encoder().encode
        self._active: dict[str, Run] = {}
        self._identity = service_identity(service)
        self._tenure: Tenure = Shared(instance) if instance else Alone()
        self._recovery = Recovery(
            database, runtime, self._tenure, active=self._active, drive=self._drive_again
        )
        self.steps: StepSpans | None = None
        self.alarm = Alarm(f"{service} sagas", runtime, self.run_due)

    def register(self, sagas: Sequence[Saga[Any]]) -> None:
        """Make definitions known for recovery. Raises ValueError for a shape we cannot run."""
        for saga in sagas:
            if not saga.steps or not isinstance(saga.steps[0], LocalStep):
                raise ValueError(f"the first step of {saga.name!r} must be local")
            self._sagas[saga.name, saga.version] = saga
            self._decoders[saga.name, saga.version] = msgspec.json.Decoder(saga.input)
            self._errors[saga.name, saga.version] = ErrorTable((*saga.refusals, CalledOff))

    @property
    def active(self) -> int:
        """How many sagas this process is working on."""
        return len(self._active)

    async def run(self, saga: Saga[I], start: Start[I], *, wait_s: float) -> Outcome:
        """See Sagas.run."""
        if len(self._active) >= OPEN_MAX:
            raise ResourceExhausted(f"{OPEN_MAX} sagas are under way; try again in a moment")
        run = Run(saga, start.saga_id, start.input_)
        self._active[run.saga_id] = run
        try:
            existing = await self._store_start(saga, start)
        except BaseException:
            self._active.pop(run.saga_id, None)
            raise
        if existing is not None:
            self._active.pop(run.saga_id, None)
            return await self._join(existing, wait_s)
        await self._drive(run)
        return run.outcome()

    async def join(self, key: str, fingerprint: bytes, *, wait_s: float) -> Outcome | None:
        """See Sagas.join."""

        async def work(tx: Tx) -> journal.Entry | None:
            return await journal.by_key(tx, key, fingerprint)

        entry = await self._database.read(work)
        return await self._join(entry, wait_s) if entry else None

    def _store_start(self, saga: Saga[I], start: Start[I]) -> Awaitable[journal.Entry | None]:
        now_ms = self._now_ms()
        trace = current_call().trace
        new = journal.NewEntry(
            saga_id=start.saga_id,
            name=saga.name,
            version=saga.version,
            key=start.key,
            fingerprint=start.fingerprint,
            input=self._encode(start.input_),
            traceparent="" if trace is NO_TRACE else trace.header(),
            owner=self._tenure.owner,
        )
        first = saga.steps[0]
        assert isinstance(first, LocalStep)  # noqa: S101 - register saw to it

        async def work(tx: Tx) -> journal.Entry | None:
            existing = await journal.insert(tx, new, now_ms=now_ms, next_at_ms=now_ms + LEASE_MS)
            if existing is None:
                await first.do(tx, start.input_)
                if start.also is not None:
                    await start.also(tx)
            return existing

        return self._database.transaction(InStep(work) if start.also is None else work)

    async def _join(self, entry: journal.Entry, wait_s: float) -> Outcome:
        """Wait for a saga that was started before, taking it up if nobody works on it."""
        run = self._active.get(entry.saga_id)
        if run is None:
            if self._tenure.owner:  # if it is not over, another instance has it, or will soon
                entry = await self._recovery.end_of(entry, wait_s=wait_s)
            is_ours = not self._tenure.owner and entry.state not in TERMINAL
            run = self._taken_up(entry) if is_ours else None
            if run is None:
                return Outcome(entry.saga_id, entry.state, self._refusal_of(entry))
            _ = self._runtime.tasks.spawn(f"saga {entry.saga_id}", self._drive(run))
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.waiters.append(waiter)
        await asyncio.wait((waiter,), timeout=wait_s)
        return run.outcome()

    def _taken_up(self, entry: journal.Entry) -> Run | None:
        """The run of a stored saga; None when its definition is not known here."""
        saga = self._sagas.get((entry.name, entry.version))
        if saga is None:
            _log.error("no saga %s version %d is known here", entry.name, entry.version)
            return None
        input_ = self._decoders[entry.name, entry.version].decode(entry.input)
        run = Run(saga, entry.saga_id, input_)
        run.state, run.step, run.attempts = entry.state, entry.step, entry.attempts
        run.refusal = self._refusal_of(entry)
        run.is_resumed = True
        self._active[run.saga_id] = run
        return run

    def _refusal_of(self, entry: journal.Entry) -> EmporionError | None:
        return entry.refusal_as(self._errors.get((entry.name, entry.version), _NO_ERRORS))

    # --- driving ---------------------------------------------------------------------------------

    async def _drive(self, run: Run) -> None:
        """Work on a saga until it ends or a step's outcome is unknown; then let go of it."""
        before = current_call()
        token = enter(Call(self._identity, before.trace, before.deadline_s, run.saga.name))
        try:
            while run.state is _RUNNING or run.state is _COMPENSATING:
                if not await self._advance(run):
                    break
        except asyncio.CancelledError:
            self._recovery.interrupted(run.saga_id)
            raise
        finally:
            leave(token)
            self._active.pop(run.saga_id, None)
            if run.state not in TERMINAL:
                self.alarm.poke()
            for waiter in run.waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def _advance(self, run: Run) -> bool:
        """One step forward or back; whether to go on."""
        move = self._do if run.state is _RUNNING else self._undo
        span = self.steps.of(run) if self.steps is not None else None
        try:
            if span is None:
                await move(run)
            else:
                with span:
                    await move(run)
        except EmporionError as error:
            is_refusal = error.is_outcome_known and not error.is_retryable
            if is_refusal and run.state is _RUNNING and not isinstance(error, Conflict):
                return await self._turn(run, error)
            return await self._defer(run, error)
        except Exception as error:  # noqa: BLE001 - a defect leaves the outcome unknown: retried
            return await self._defer(run, error)
        return True

    async def _do(self, run: Run) -> None:
        step = run.saga.steps[run.step]
        is_last = run.step == len(run.saga.steps) - 1
        if isinstance(step, LocalStep):
            token = enter_step(run, step.name)
            try:
                await self._do_locally(run, step, is_last=is_last)
            finally:
                leave(token)
        else:
            await step.do(run.input)
            if is_last:
                await self._database.transaction(self._finishing(run, _COMPLETED))
        run.step += 1
        run.attempts = 0
        if is_last:
            run.state = _COMPLETED

    def _do_locally(self, run: Run, step: LocalStep[Any], *, is_last: bool) -> Awaitable[None]:
        now_ms = self._now_ms()

        async def work(tx: Tx) -> None:
            await step.do(tx, run.input)
            if is_last:
                await journal.finish(
                    tx,
                    run.saga_id,
                    before=_RUNNING,
                    after=_COMPLETED,
                    now_ms=now_ms,
                )
            else:
                await journal.progress(
                    tx, run.saga_id, step=run.step + 1, state=_RUNNING, now_ms=now_ms
                )

        return self._database.transaction(InStep(work))

    def _finishing(self, run: Run, after: SagaState) -> Work:
        now_ms, before = self._now_ms(), run.state

        async def work(tx: Tx) -> None:
            await journal.finish(tx, run.saga_id, before=before, after=after, now_ms=now_ms)

        return work

    async def _turn(self, run: Run, refusal: EmporionError) -> bool:
        """Store the decision to compensate, then go back.

        The refused step did nothing, so undoing starts with the one before it; unless an earlier
        attempt of it is doubtful: that one may still arrive, and its undo leaves a tombstone.
        """
        step = run.step if run.is_doubtful else run.step - 1
        now_ms = self._now_ms()

        async def work(tx: Tx) -> None:
            await journal.turn(tx, run.saga_id, step=step, refusal=refusal, now_ms=now_ms)

        try:
            await self._database.transaction(work)
        except EmporionError as error:
            return await self._defer(run, error)
        run.state, run.step, run.attempts, run.refusal = _COMPENSATING, step, 0, refusal
        return True

    async def _undo(self, run: Run) -> None:
        step = run.saga.steps[run.step]
        if isinstance(step, RemoteStep):
            if step.undo is not None:
                await step.undo(run.input)
            if run.step == 0:
                await self._database.transaction(self._finishing(run, _REFUSED))
        else:
            token = enter_step(run, step.name)
            try:
                await self._undo_locally(run, step)
            finally:
                leave(token)
        if run.step == 0:
            run.state = _REFUSED
        run.step -= 1
        run.attempts = 0

    async def _undo_locally(self, run: Run, step: LocalStep[Any]) -> None:
        now_ms, refusal = self._now_ms(), run.refusal
        assert refusal is not None  # noqa: S101 - the turn stored it

        async def work(tx: Tx) -> None:
            if step.undo is not None:
                await step.undo(tx, run.input, refusal)
            if run.step == 0:
                await journal.finish(
                    tx,
                    run.saga_id,
                    before=_COMPENSATING,
                    after=_REFUSED,
                    now_ms=now_ms,
                )
            else:
                await journal.progress(
                    tx, run.saga_id, step=run.step - 1, state=_COMPENSATING, now_ms=now_ms
                )

        await self._database.transaction(work)

    # --- waiting and recovery --------------------------------------------------------------------

    async def _defer(self, run: Run, error: Exception) -> bool:
        """The outcome is unknown: store when to try again, and let go. Always False."""
        run.attempts += 1
        pause_s = pause_s_after(run.attempts) * self._runtime.random.uniform(0.8, 1.2)
        level = logging.ERROR if run.attempts >= ATTEMPTS_BEFORE_ALARM else logging.WARNING
        name = run.saga.steps[run.step].name
        _log.log(
            level,
            "saga %s: the outcome of %r is unknown after %d attempts (%s); again in %.1f s",
            run.saga_id,
            name,
            run.attempts,
            type(error).__name__,
            pause_s,
            exc_info=None if isinstance(error, EmporionError) else error,
        )
        now_ms = self._now_ms()
        why = without_addresses(f"{name}: {type(error).__name__}: {error}")
        deferral = journal.Deferral(
            run.step, run.attempts, why, now_ms + int(pause_s * 1000), run.state
        )

        async def work(tx: Tx) -> None:
            await journal.defer(tx, run.saga_id, deferral, now_ms=now_ms)

        try:
            await self._store_outside_the_deadline(work)
        except EmporionError:
            _log.exception("saga %s: the failed attempt could not be stored", run.saga_id)
            self._recovery.interrupted(run.saga_id, pause_s=pause_s)
        return False

    async def _store_outside_the_deadline(self, work: Work) -> None:
        """A caller out of time is no reason not to store why."""
        token = enter(Call(identity=self._identity, trace=current_call().trace))
        try:
            await self._database.transaction(work)
        finally:
            leave(token)

    async def recover(self) -> None:
        """Make every saga that was open at the last stop due now. Call before the alarm runs."""
        await self._recovery.recover()

    async def release(self) -> None:
        """Leave what is open to the other instances, if any. Call when nothing is driven."""
        await self._recovery.release()

    async def run_due(self) -> int | None:
        """Take up what is due, a bounded number at once."""
        return await self._recovery.run_due()

    async def _drive_again(self, entry: journal.Entry) -> bool:
        """Drive a stored saga, continuing its trace; False when it is not known here."""
        run = self._taken_up(entry)
        if run is None:
            return False
        trace = Trace.parse(entry.traceparent) or NO_TRACE
        token = enter(Call(identity=self._identity, trace=trace))
        try:
            await self._drive(run)
        finally:
            leave(token)
        return True
