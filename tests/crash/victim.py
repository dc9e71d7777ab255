"""Runs the real command line in this process, and kills it at the point given in CRASH_POINT.

`python -m tests.crash.victim up ...` with CRASH_POINT=<what point_text made>. Functions of the shop
are wrapped from outside; its source knows nothing of this.
"""

import importlib
import inspect
import itertools
import os
import signal
import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from types import ModuleType
from typing import Any

import msgspec

from emporion.chassis.data.sqlite import checkpoint, group_commit
from emporion.chassis.data.sqlite.transaction import SqliteTx
from emporion.chassis.events.pump import Pump
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.saga.port import SagaState
from emporion.platform import process
from emporion.services.email.commands import Sender
from emporion.services.payment.adapters.rehearsal import RehearsalProvider
from emporion.services.payment.commands.refunds import RefundCommands
from tests.crash.dying_file import open_dying_at_a_page
from tests.crash.hooks import Call, Checkpoint, Commit, Point, Step, When
from tests.crash.points import SILENCE

VARIABLE = "CRASH_POINT"
PAGES_PER_CHECKPOINT = 40
"""So few that a short load brings checkpoints."""
ANSWERS_LOST = 8

_work: ContextVar[str] = ContextVar("_work", default="")


class Order(msgspec.Struct, frozen=True):
    """What to do: kill at the `hit`-th occurrence of `kind` (a class of points.py)."""

    kind: str
    fields: dict[str, str]
    when: When
    hit: int
    is_silent: bool


def order_text(point: Point, hit: int) -> str:
    """The value of CRASH_POINT for a point."""
    hook = point.hook
    fields = {name: str(getattr(hook, name)) for name in hook.__slots__}
    is_silent = point.needs == SILENCE
    order = Order(type(hook).__name__, fields, point.when, hit, is_silent)
    return msgspec.json.encode(order).decode()


class Executioner:
    """Counts what it is told of, and kills this process at the right one."""

    def __init__(self, hit: int) -> None:
        self._hit = hit
        self._count = itertools.count(1)

    def strike(self) -> None:
        """One more occurrence. May not return."""
        if next(self._count) == self._hit:
            os.kill(os.getpid(), signal.SIGKILL)


def install(order: Order) -> None:
    """Wrap what the point needs. Raises AttributeError when a name is not there any more."""
    if order.is_silent:
        lose_answers()
    label_work()
    executioner = Executioner(order.hit)
    match order.kind:
        case Commit.__name__:
            watch_commits(Commit(**order.fields), order.when, executioner)
        case Call.__name__:
            watch_calls(Call(**order.fields), order.when, executioner)
        case Step.__name__:
            watch_steps(order.fields["work"], order.when, executioner)
        case Checkpoint.__name__:
            watch_checkpoints(order.fields["database"], order.when, executioner)
        case unknown:
            raise LookupError(unknown)


def lose_answers() -> None:
    """Let the provider lose more answers than a call asks for, so that orders stay pending."""
    defaults: dict[str, object] = RehearsalProvider.__init__.__kwdefaults__ or {}
    assert "lost_answers" in defaults
    defaults["lost_answers"] = ANSWERS_LOST


def label_work() -> None:
    """Note in the context what a transaction is for, so that its commit can be recognised."""
    label(SagaEngine, "_store_start", lambda _self, saga, _start: f"{saga.name}: start")
    label(SagaEngine, "_advance", lambda _self, run: step_label(run))
    label(SagaEngine, "_turn", lambda _self, run, _refusal: f"{run.saga.name}: turn")
    label(SagaEngine, "_defer", lambda _self, run, _error: f"{run.saga.name}: defer")
    label(SagaEngine, "recover", lambda _self: "recover")
    label(RefundCommands, "_begin", lambda _self, _request: "refund_part: put aside")
    label(Pump, "run_due", lambda pump: f"{pump.feed.source} -> {pump.subscriber}")
    label(Sender, "run_due", lambda _self: "mails")
    label(process, "furnish", lambda _shop: "seed")


def step_label(run: Any) -> str:
    """`create-order: do charge payment`."""
    verb = "do" if run.state is SagaState.RUNNING else "undo"
    return f"{run.saga.name}: {verb} {run.saga.steps[run.step].name}"


def label(owner: type | ModuleType, name: str, text: Callable[..., str]) -> None:
    """Give what the coroutine function does a label."""
    original = getattr(owner, name)

    @wraps(original)
    async def labelled(*args: Any, **named: Any) -> Any:
        token = _work.set(text(*args))
        try:
            return await original(*args, **named)
        finally:
            _work.reset(token)

    setattr(owner, name, labelled)


def watch_commits(hook: Commit, when: When, executioner: Executioner) -> None:
    """Strike around COMMIT of a batch that holds such a transaction."""
    finish, control = group_commit.GroupCommit.finish, SqliteTx.control
    batches: dict[int, list[group_commit.Job]] = {}

    def finishing(commit: group_commit.GroupCommit, jobs: Any) -> bool:
        tx: Any = commit._tx
        batches[id(tx)] = list(jobs)
        try:
            return finish(commit, jobs)
        finally:
            del batches[id(tx)]

    def controlling(tx: SqliteTx, sql: str) -> None:
        is_it = sql == "COMMIT" and any(
            _is_about(job, hook) for job in batches.get(id(tx), ()) if tx._source == hook.database
        )
        if is_it and when is When.BEFORE:
            executioner.strike()
        control(tx, sql)
        if is_it and when is When.AFTER:
            executioner.strike()

    setattr(group_commit.GroupCommit, "finish", finishing)  # noqa: B010 - wrapped on purpose
    setattr(SqliteTx, "control", controlling)  # noqa: B010 - wrapped on purpose


def _is_about(job: group_commit.Job, hook: Commit) -> bool:
    if job.context.get(_work, "") != hook.work or job.error is not None:
        return False
    return not hook.result or getattr(job.result, "status", "") == hook.result


def watch_calls(hook: Call, when: When, executioner: Executioner) -> None:
    """Strike around a call of a function, be it a coroutine or not."""
    place, _, path = hook.target.partition(":")
    owner: Any = importlib.import_module(place)
    *inside, name = path.split(".")
    for word in inside:
        owner = getattr(owner, word)
    original = getattr(owner, name)

    def is_it() -> bool:
        return not hook.work or _work.get() == hook.work

    @wraps(original)
    def called(*args: Any, **named: Any) -> Any:
        if is_it() and when is When.BEFORE:
            executioner.strike()
        result = original(*args, **named)
        if is_it() and when is When.AFTER:
            executioner.strike()
        return result

    @wraps(original)
    async def awaited(*args: Any, **named: Any) -> Any:
        if is_it() and when is When.BEFORE:
            executioner.strike()
        result = await original(*args, **named)
        if is_it() and when is When.AFTER:
            executioner.strike()
        return result

    setattr(owner, name, awaited if inspect.iscoroutinefunction(original) else called)


def watch_steps(work: str, when: When, executioner: Executioner) -> None:
    """Strike around the doing or undoing of a saga's step."""
    advance = SagaEngine._advance

    async def advancing(engine: SagaEngine, run: Any) -> bool:
        is_it = step_label(run) == work
        if is_it and when is When.BEFORE:
            executioner.strike()
        goes_on = await advance(engine, run)
        if is_it and when is When.AFTER:
            executioner.strike()
        return goes_on

    setattr(SagaEngine, "_advance", advancing)  # noqa: B010 - wrapped on purpose


def watch_checkpoints(database: str, when: When, executioner: Executioner) -> None:
    """Strike around, or in the middle of, moving a log into its file."""
    checkpoint.PAGES_PER_CHECKPOINT = PAGES_PER_CHECKPOINT
    opened = vars(checkpoint)["open_writer"]

    def opening(path: Any) -> Any:
        if path.stem != database:
            return opened(path)
        if when is When.AMID:
            return open_dying_at_a_page(path, executioner.strike)
        return _Around(opened(path), when, executioner)

    setattr(checkpoint, "open_writer", opening)  # noqa: B010 - wrapped on purpose


class _Around:
    """A connection that strikes around its checkpoints."""

    def __init__(self, connection: Any, when: When, executioner: Executioner) -> None:
        self._connection = connection
        self._when = when
        self._executioner = executioner

    def wal_checkpoint(self, *, mode: int) -> tuple[int, int]:
        """Moves the log."""
        if self._when is When.BEFORE:
            self._executioner.strike()
        done: tuple[int, int] = self._connection.wal_checkpoint(mode=mode)
        if self._when is When.AFTER:
            self._executioner.strike()
        return done

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def main() -> None:
    """Be the command `emporion`, and die."""
    from emporion.platform.cli.main import main as emporion

    install(msgspec.json.decode(os.environ.pop(VARIABLE), type=Order))
    emporion(sys.argv[1:])


if __name__ == "__main__":
    main()
