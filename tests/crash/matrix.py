"""The whole crash matrix: every point, every hit; prints the table and writes it into docs/.

python -m tests.crash.matrix                 everything, one life at a time (minutes)
python -m tests.crash.matrix --only cancel   points whose title contains a word; writes nothing
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.hooks import Point
from tests.crash.life import (
    RECOVERY_S_MAX,
    Death,
    Life,
    Moment,
    Outcome,
    Template,
    furnish,
)
from tests.crash.points import FIRST_START, RELAPSES, TABLE
from tests.system.report import machine, say, table
from tests.system.running import ROOT
from tests.system.shoppers import MIXES, Plan

PAGE = ROOT / "docs" / "crash-matrix.md"
COMMAND = "make crash"
TEMPLATE_S_MAX = 600.0
"""Sessions of a furnished shop are good for fifteen minutes: it is furnished anew before."""
MOMENTS = 24
MOMENT_S_MAX = 1.5
FIRST_KILL_HIT = 4
Run = Callable[[Path, Template, Plan], Awaitable[Outcome]]


@dataclass
class Row:
    """One line of the table: a point, and what its lives came to."""

    stage: str
    name: str
    needs: str
    runs: list[tuple[str, Run]]
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def title(self) -> str:
        """`order: before the commit of the charge`."""
        return f"{self.stage}: {self.name}"

    @property
    def is_clean(self) -> bool:
        """Whether nobody complains."""
        return not any(outcome.complaints for outcome in self.outcomes)

    def cells(self) -> list[str]:
        """The cells of the table."""
        outcomes = self.outcomes
        findings = [outcome.findings for outcome in outcomes]
        numbers = (
            sum(outcome.kills for outcome in outcomes),
            sum(outcome.orders_before for outcome in outcomes),
            sum(outcome.orders for outcome in outcomes),
            sum(len(found.lost) for found in findings),
            sum(len(found.twice) for found in findings),
            sum(len(o.findings.wrong) + bool(o.audit) + (not o.is_reached) for o in outcomes),
            sum(outcome.sagas_left for outcome in outcomes),
        )
        slowest_s = max(outcome.recovery_s for outcome in outcomes)
        return [self.stage, self.name, *(f"{n:,}" for n in numbers), f"{slowest_s:.1f}"]


HEAD = (
    "stage", "point", "kills", "orders answered before", "orders in all", "lost",
    "effects twice", "wrong", "sagas left", "recovery s",
)  # fmt: skip


def rows(only: str) -> list[Row]:
    """Every line of the matrix whose title contains a word."""
    return [row for row in _all_rows() if only in row.title]


def _all_rows() -> Iterator[Row]:
    for point in FIRST_START:
        yield Row(point.stage, point.name, "", [_first_start(point, hit) for hit in point.hits])
    for point in TABLE:
        runs = [_under_load([Death(point, hit)]) for hit in point.hits]
        yield Row(point.stage, point.name, point.needs, runs)
    for first, seconds in RELAPSES:
        for second in seconds:
            deaths = [Death(first, FIRST_KILL_HIT), *(Death(second, hit) for hit in second.hits)]
            name = f"{second.name}, killed first {first.name}"
            yield Row(second.stage, name, first.needs, [_under_load(deaths)])
    chance = random.Random(1)
    moments = [Moment(chance.uniform(0, MOMENT_S_MAX)) for _ in range(MOMENTS)]
    yield Row("any", "at any moment", "", [_under_load([moment]) for moment in moments])


def _under_load(deaths: Sequence[Death | Moment]) -> tuple[str, Run]:
    async def run(folder: Path, template: Template, plan: Plan) -> Outcome:
        life = Life(template.copy(folder / "data"), plan)
        return await life.end_under_load(template.customers, deaths)

    return str(deaths[-1]), run


def _first_start(point: Point, hit: int) -> tuple[str, Run]:
    async def run(folder: Path, template: Template, plan: Plan) -> Outcome:
        small = Plan(seed=plan.seed, shoppers=4, orders_max=5)
        return await Life(folder / "data", small).end_at_the_first_start(Death(point, hit))

    return f"{point.title} #{hit}", run


class Matrix:
    """Runs lives, each in a folder of its own, and furnishes the shop they are copies of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._template: Template | None = None
        self._furnished_s = 0.0

    async def fill(self, row: Row) -> None:
        """Live every life of a row."""
        for name, run in row.runs:
            self._number += 1
            folder = self._folder / str(self._number)
            folder.mkdir()
            plan = Plan(seed=self._number, mix=MIXES[row.needs])
            outcome = await run(folder, await self._furnished(), plan)
            row.outcomes.append(outcome)
            for complaint in outcome.complaints:
                say(f"  {row.title}: {name} (seed {self._number}): {complaint}")

    async def _furnished(self) -> Template:
        is_old = time.monotonic() - self._furnished_s > TEMPLATE_S_MAX
        if self._template is None or is_old:
            self._furnished_s = time.monotonic()
            self._template = await furnish(self._folder / f"shop-{self._number}")
        return self._template


def _spread(values_s: Sequence[float]) -> str:
    middle_s = sorted(values_s)[len(values_s) // 2]
    return f"median {middle_s:.1f} s, longest {max(values_s):.1f} s"


def page(filled: Sequence[Row], *, elapsed_s: float) -> str:
    """The page of docs/ that shows the matrix."""
    outcomes = [outcome for row in filled for outcome in row.outcomes]
    opened_s = [outcome.open_s for outcome in outcomes]
    recovered_s = [outcome.recovery_s for outcome in outcomes]
    taken_up_s = [outcome.recovery_s - outcome.open_s for outcome in outcomes]
    figures = (
        f"{sum(o.kills for o in outcomes)} kills and {sum(o.orders for o in outcomes):,} orders in "
        f"{elapsed_s / 60:.0f} minutes, on {machine()}.\n"
        f"{sum(o.refunds for o in outcomes):,} orders were shipped, sent back and refunded.\n"
        f"From the start of the new process until it took requests: {_spread(opened_s)};\n"
        f"from there until every saga was over: {_spread(taken_up_s)};\n"
        f"together: {_spread(recovered_s)}."
    )
    lines = [row.cells() for row in filled]
    return "\n\n".join([TEXT, figures, table(HEAD, lines, words=2)]) + "\n"


TEXT = f"""\
# The crash matrix

A real `emporion up` serves sixteen shoppers over HTTP (of their orders 15 % are declined, 8 % ask
for more than there is, 5 % are answered twice by the payment provider and 3 % late or never at
first, 15 % of the paid ones are called off; at the points of gift cards 70 % name one, which pays
for all or for a part) and is killed with SIGKILL at a named point: before or after a commit, around
a call of the provider or the mailer, amid a checkpoint, while it recovers from a first kill, or at
any moment. Under `shipment`, `return` and the recoveries of a return, six in ten of the paid orders
that are not called off are shipped, delivered, and sent back, half of these whole and half by one
unit, half of these restocked and half written off. A first start is killed while it furnishes an
empty folder.
Then it is started again, as always, and the shoppers repeat whatever was not answered, with the
same keys; in half of the lives at once, in the other half after the shop has recovered by itself.

- **lost**: an order that was answered as paid and is not, a sold order without a confirmation, or
  a shipment, return or refund that was answered and is not there, at the provider or as a mail.
- **effects twice**: a second order under one key, a second charge or refund in the provider's own
  book, money taken from a gift card or given back to it a second time, a second shipment or return
  of an order, more units that left or were restocked than were asked for, a second mail.
- **wrong**: answers that contradict each other, money at the provider, or from gift cards, that no
  paid order accounts for, a refund that is not the price of the units that came back, units on a
  shelf that its movements do not account for, reserved stock that no paid order needs, or any
  violation that `emporion audit` finds.
- **sagas left**: still under way {RECOVERY_S_MAX:g} s after the shop was open again.
- **recovery**: the longest of the row, from the start of the new process until every saga that was
  open before is over. It holds the start of the interpreter itself.

All of this but the audit is computed from the files and the shoppers' own memory,
with no code of the shop. That the matrix can fail is tried too: `tests/crash/planted.py` plants
nine defects in a copy of the source, and each is found.

What this does not show: SIGKILL ends a process, not the machine. That a commit survives a power
cut rests on `synchronous=FULL` and on a disk that keeps its promise; the built-in provider's book
is not forced to the disk. A mail that a server took in the instant of the kill is handed over
again with the same Message-ID: mails leave at least once.

Made by `{COMMAND}`; the most telling points run in `make test`."""


async def run(only: str) -> int:
    """Fill the matrix, print it, and write the page when it is whole; 0 when it is clean."""
    started_s = time.monotonic()
    filled = rows(only)
    with tempfile.TemporaryDirectory(prefix="emporion-crash-") as name:
        matrix = Matrix(Path(name))
        for number, row in enumerate(filled, 1):
            await matrix.fill(row)
            verdict = "clean" if row.is_clean else "NOT CLEAN"
            slowest_s = max(outcome.recovery_s for outcome in row.outcomes)
            kills = sum(outcome.kills for outcome in row.outcomes)
            said = f"{kills} kills, recovery {slowest_s:.1f} s, {verdict}"
            say(f"{number:3}/{len(filled)} {row.title}: {said}")
    text = page(filled, elapsed_s=time.monotonic() - started_s)
    if only:
        say(text)
    else:
        PAGE.write_text(text)
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0 if all(row.is_clean for row in filled) else 1


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the crash matrix.")
    parser.add_argument("--only", default="", help="points whose title contains this")
    sys.exit(asyncio.run(run(parser.parse_args().only)))


if __name__ == "__main__":
    main()
