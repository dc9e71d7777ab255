"""One life of a shop: opened, under load, killed at a point, opened again, and examined."""

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.points import Point
from tests.crash.victim import VARIABLE, order_text
from tests.system import books, running
from tests.system.accounts import Customer, sign_up
from tests.system.polling import NeverHappened, eventually
from tests.system.shoppers import Plan, Traffic, settle, shop

VICTIM = (sys.executable, "-m", "tests.crash.victim")
CUSTOMERS = 6
RECOVERY_S_MAX = 10.0
REACHED_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Template:
    """A furnished data folder with customers, to be copied for each life."""

    folder: Path
    customers: Sequence[Customer]

    def copy(self, to: Path) -> Path:
        """A data folder of its own."""
        shutil.copytree(self.folder, to)
        return to


async def furnish(folder: Path) -> Template:
    """A shop with the demo catalogue and a few customers, stopped again."""
    shop_ = running.start(folder)
    try:
        await shop_.until_open()
        customers = await sign_up(shop_.url, [f"customer-{n}" for n in range(CUSTOMERS)])
        assert await shop_.stop() == 0
    finally:
        shop_.kill()
    return Template(folder, customers)


@dataclass(frozen=True, slots=True)
class Death:
    """A kill: at which point, at its how manieth occurrence."""

    point: Point
    hit: int


@dataclass
class Outcome:
    """What one life came to.

    Args:
        orders_before: how many orders had been answered when the process died.
        is_reached: whether it died at the point, by SIGKILL.
        recovery_s: from the start of the last process until no saga was open.
        delivered_s: until every event was delivered and every mail sent, too.
        sagas_left: open sagas RECOVERY_S_MAX after the restart.
        findings: what does not add up, by our own examination.
        audit: what `emporion audit` printed when it did not exit with 0.
    """

    orders_before: int = 0
    orders: int = 0
    is_reached: bool = True
    recovery_s: float = 0.0
    delivered_s: float = 0.0
    sagas_left: int = 0
    findings: books.Findings = field(default_factory=lambda: books.Findings([], [], []))
    audit: str = ""

    @property
    def complaints(self) -> list[str]:
        """Everything that is wrong with this life, one line each."""
        said = [] if self.is_reached else ["the point was never reached"]
        if self.sagas_left:
            said.append(f"{self.sagas_left} sagas are open {RECOVERY_S_MAX:g} s after the restart")
        said += self.findings.all
        return [*said, self.audit] if self.audit else said


async def live(
    data: Path,
    customers: Sequence[Customer],
    deaths: Sequence[Death],
    plan: Plan,
    *,
    source: Path | None = None,
) -> Outcome:
    """Live once: the first death under load, further ones while recovering from the one before.

    Clients repeat what was not answered as soon as the shop is open again when `plan.seed` is
    odd, and only after it has recovered by itself when it is even.

    Args:
        data: a furnished data folder.
        customers: whose sessions it knows.
        deaths: one or more; an Outcome tells whether all were reached.
        plan: what the shoppers do until the first.
        source: another `src` folder to run, with a planted defect.
    """
    outcome, traffic = Outcome(), Traffic()
    for number, death in enumerate(deaths):
        victim = _start_victim(data, death, source)
        try:
            if number == 0:
                await victim.until_open()
                await shop(victim.url, customers, plan, traffic)
                outcome.orders_before = traffic.answered
            code = await victim.until_dead(within_s=REACHED_S_MAX)
            outcome.is_reached = outcome.is_reached and code == -signal.SIGKILL
        except NeverHappened:
            outcome.is_reached = False
        finally:
            victim.kill()
    await _recover(data, traffic, outcome, source=source, is_impatient=plan.seed % 2 == 1)
    return outcome


async def _recover(
    data: Path, traffic: Traffic, outcome: Outcome, *, source: Path | None, is_impatient: bool
) -> None:
    survivor = running.start(data, environ=running.environment(source))
    try:
        await survivor.until_open()
        if is_impatient:
            settling = asyncio.create_task(settle(survivor.url, traffic))
            await _until_recovered(data, survivor, outcome)
            await settling
        else:
            await _until_recovered(data, survivor, outcome)
            await settle(survivor.url, traffic)
        await _until_quiet(data)
        assert await survivor.stop() == 0, survivor.said
    finally:
        survivor.kill()
    outcome.orders = len(traffic.attempts)
    outcome.findings = books.Books(data, traffic).examine()
    code, said = running.audit(data, environ=running.environment(source))
    outcome.audit = "" if code == 0 else said


async def _until_recovered(data: Path, survivor: running.Running, outcome: Outcome) -> None:
    left_s = RECOVERY_S_MAX - (time.monotonic() - survivor.started_s)
    try:
        await eventually(
            lambda: books.open_sagas(data) == 0, within_s=left_s, what="every saga ends"
        )
    except NeverHappened:
        outcome.sagas_left = books.open_sagas(data)
    outcome.recovery_s = time.monotonic() - survivor.started_s


async def _until_quiet(data: Path) -> None:
    """Until nothing is under way any more; what never ends is for the examination to tell."""
    try:
        await eventually(
            lambda: books.open_sagas(data) == 0 and books.is_delivered(data),
            within_s=RECOVERY_S_MAX,
            what="everything is delivered",
        )
    except NeverHappened:
        return


def _start_victim(data: Path, death: Death, source: Path | None) -> running.Running:
    order = order_text(death.point, death.hit)
    environ = running.environment(source, **{VARIABLE: order})
    return running.start(data, command=VICTIM, environ=environ)
