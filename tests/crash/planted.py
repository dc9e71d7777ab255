"""Defects that the crash matrix must find, each planted in a copy of the source."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.crash.hooks import Hook, Point, When
from tests.crash.points import (
    AFTERSALES,
    CONFIRMED,
    PART_GIVEN_BACK,
    RESERVED,
    RESTOCKED,
    TAKEN,
    TOLD_EMAIL,
    TURNED,
)
from tests.system.running import ROOT

_ENGINE = "chassis/saga/engine.py"
_TENURE = "chassis/saga/tenure.py"
_PUMP = "chassis/events/pump.py"
_ORDERS = "services/order/commands/orders.py"
_PAYMENT = "services/payment/domain/names.py"
_STOCK = "services/inventory/commands.py"
_TX = "chassis/data/sqlite/transaction.py"
_COMMIT = "chassis/data/sqlite/group_commit.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """In a file below src/emporion, a text that stands there once is replaced by another."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect, and how it shows.

    Args:
        name: what is wrong, in words.
        edits: how it is planted.
        hook, hit: the kill that brings it to light; after the hook.
        shows: what one of the complaints must say.
        is_audited: whether `emporion audit` alone must notice.
        needs: what the orders must meet, a name in shoppers.MIXES.
    """

    name: str
    edits: tuple[Edit, ...]
    hook: Hook
    hit: int
    shows: str
    is_audited: bool = True
    needs: str = ""

    @property
    def point(self) -> Point:
        """Where to kill."""
        return Point("planted", self.name, self.hook, When.AFTER)


UNDO_SKIPPED = Defect(
    "the undo is skipped",
    (Edit(_ENGINE, "await step.undo(run.input)\n", "pass\n"),),
    TURNED,
    2,
    shows="are reserved, paid orders need",
)
KEY_LOST = Defect(
    "the idempotency key is lost",
    (
        Edit(
            _ORDERS,
            """\
        key = f"{user_id}:{request.idempotency_key}"
        fingerprint = fingerprint_of(request.lines""",
            """\
        key = f"{user_id}:{request.idempotency_key}:{self._runtime.ids.new('x')}"
        fingerprint = fingerprint_of(request.lines""",
        ),
    ),
    CONFIRMED,
    4,
    shows="no shopper knows of it",
    is_audited=False,  # two orders of one customer add up: only the customer knows
)
PUBLISHED_LATE = Defect(
    "events are published after the commit",
    (
        Edit(_TX, 'T = TypeVar("T")\n', 'T = TypeVar("T")\nLATE = []\n'),
        Edit(
            _TX, "            self._execute(outbox.INSERT, row)\n", "            LATE.append(row)\n"
        ),
        Edit(
            _COMMIT,
            """\
            tx.control("COMMIT")
""",
            """\
            tx.control("COMMIT")
            from emporion.chassis.data.sqlite.transaction import LATE, outbox
            tx.control("BEGIN IMMEDIATE")
            while LATE:
                tx._execute(outbox.INSERT, LATE.pop(0))
            tx._execute("COMMIT")
""",
        ),
    ),
    CONFIRMED,
    4,
    shows="was not confirmed",
)
COMPLETED_EARLY = Defect(
    "the saga is completed before the order is confirmed",
    (
        Edit(
            _ENGINE,
            """\
            await step.do(tx, run.input)
            if is_last:
""",
            """\
            if not is_last:
                await step.do(tx, run.input)
            if is_last:
""",
        ),
        Edit(
            _ENGINE,
            """\
                await self._do_locally(run, step, is_last=is_last)
            finally:
                leave(token)
""",
            """\
                await self._do_locally(run, step, is_last=is_last)
            finally:
                leave(token)
            if is_last:
                await self._database.transaction(lambda tx: step.do(tx, run.input))
""",
        ),
    ),
    CONFIRMED,
    1,
    shows="no final answer",
)
NEW_CHARGE_KEY = Defect(
    "every attempt has a new key at the provider",
    (
        Edit(
            _PAYMENT,
            """\
    return f"charge-{order_id}"
""",
            """\
    import time
    return f"charge-{order_id}#{time.time_ns()}"
""",
        ),
    ),
    TAKEN,
    4,
    shows="was charged 2 times",
)
CURSOR_FIRST = Defect(
    "the cursor moves before the effects",
    (
        Edit(
            _PUMP,
            """\
        handled = await self._commit(work)
        self.position""",
            """\
        await self._move_to(batch[-1].position)
        handled = await self._commit(work)
        self.position""",
        ),
        Edit(
            _PUMP,
            """\
            await self._advance(tx, batch[-1].position)
            return received""",
            """\
            return received""",
        ),
    ),
    TOLD_EMAIL,
    3,
    shows="was not confirmed",
)
NEW_REFUND_KEY = Defect(
    "every attempt at a refund has a new key at the provider",
    (
        Edit(
            _PAYMENT,
            """\
    return f"refund-{order_id}-{refund_id}" if refund_id else f"refund-{order_id}"
""",
            """\
    import time
    return f"refund-{order_id}-{refund_id}#{time.time_ns()}"
""",
        ),
    ),
    PART_GIVEN_BACK,
    2,
    shows=" are kept, ",  # less than is due: a whole refund cannot be given twice, one part can
    needs=AFTERSALES,
)
NEW_RESTOCK_KEY = Defect(
    "every attempt at restocking has a new key",
    (
        Edit(
            _STOCK,
            "movement_key=movement_key(COMEBACK, request.return_id, sku),\n",
            "movement_key=movement_key(COMEBACK, f'{request.return_id}{now_ms}', sku),\n",
        ),
        Edit(
            _STOCK,
            """\
        units = units_per_sku([(line.sku, line.quantity) for line in request.lines])
        moves = [
""",
            """\
        units = units_per_sku([(line.sku, line.quantity) for line in request.lines])
        now_ms = self._clock.now_ms()
        moves = [
""",
        ),
    ),
    RESTOCKED,
    2,
    shows="returned, more than was asked for",
    needs=AFTERSALES,
)
NOT_TAKEN_UP = Defect(
    "open sagas are not taken up at the start",
    (Edit(_TENURE, "await journal.make_all_due(tx, now_ms=now_ms)\n", "pass\n"),),
    RESERVED,
    4,
    shows="sagas are still open",
    is_audited=False,  # the clients' repetitions end them
)

DEFECTS = (
    UNDO_SKIPPED,
    KEY_LOST,
    PUBLISHED_LATE,
    COMPLETED_EARLY,
    NEW_CHARGE_KEY,
    NEW_REFUND_KEY,
    NEW_RESTOCK_KEY,
    CURSOR_FIRST,
    NOT_TAKEN_UP,
)


def plant(defect: Defect, folder: Path) -> Path:
    """A copy of the source with the defect in it. Fails when its text is not there any more."""
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in defect.edits:
        path = source / "emporion" / edit.file
        text = path.read_text()
        assert text.count(edit.before) == 1, f"{defect.name}: {edit.file} has changed"
        path.write_text(text.replace(edit.before, edit.after))
    return source
