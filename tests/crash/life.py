"""One life of a shop: opened, under load, killed at a point, opened again, and examined."""

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.hooks import Point
from tests.crash.victim import VARIABLE, order_text
from tests.system import books, running
from tests.system.accounts import Customer, give_cards, sign_up
from tests.system.polling import NeverHappened, eventually
from tests.system.shoppers import Plan, Traffic, settle, shop

VICTIM = (sys.executable, "-m", "tests.crash.victim")
CUSTOMERS = 6
SMALL_CARDS = 20
RECOVERY_S_MAX = 10.0
SETTLE_S = 5.0
"""How long clients repeat themselves beyond the time that recovery may take."""
REACHED_S_MAX = 30.0
Serve = Callable[[str], Coroutine[None, None, None]]
"""What the clients do at that URL once the shop is open again."""


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
    """A shop with the demo catalogue and a few customers with gift cards, stopped again."""
    shop_ = running.start(folder)
    try:
        await shop_.until_open()
        customers = await sign_up(shop_.url, [f"customer-{n}" for n in range(CUSTOMERS)])
        customers = await give_cards(shop_.url, customers, small=SMALL_CARDS)
        assert await shop_.stop() == 0
    finally:
        shop_.kill()
    return Template(folder, customers)


@dataclass(frozen=True, slots=True)
class Death:
    """A kill: at which point, at its how manieth occurrence."""

    point: Point
    hit: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A kill from outside, so long after the first order."""

    after_s: float


@dataclass
class Outcome:
    """What one life came to.

    Args:
        kills: how often the shop was killed.
        orders_before: how many orders had been answered when the process died.
        orders: how many there were in the end.
        refunds: how many of them were shipped, sent back and refunded, as was answered.
        is_reached: whether it died at the point, by SIGKILL.
        open_s: from the start of the last process until it took requests.
        recovery_s: from the same start until no saga was open that was open before.
        sagas_left: open sagas at the end of the survivor's patience.
        findings: what does not add up, by our own examination.
        audit: what `emporion audit` printed when it did not exit with 0.
    """

    kills: int = 1
    orders_before: int = 0
    orders: int = 0
    refunds: int = 0
    is_reached: bool = True
    open_s: float = 0.0
    recovery_s: float = 0.0
    sagas_left: int = 0
    findings: books.Findings = field(default_factory=lambda: books.Findings([], [], []))
    audit: str = ""

    @property
    def complaints(self) -> list[str]:
        """Everything that is wrong with this life, one line each."""
        said = [] if self.is_reached else ["the point was never reached"]
        if self.sagas_left:
            said.append(f"{self.sagas_left} sagas are still open long after the restart")
        said += self.findings.all
        return [*said, self.audit] if self.audit else said


@dataclass(frozen=True, slots=True)
class Life:
    """A shop on a data folder.

    Args:
        data: the folder; furnished, or not there yet.
        plan: what the shoppers do.
        source: another `src` folder to run, with a planted defect.
        patience_s: how long sagas may take to end once the shop is open again.
        settings: further variables that its processes are started with.
    """

    data: Path
    plan: Plan
    source: Path | None = None
    patience_s: float = RECOVERY_S_MAX
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """What the processes of this shop are started with."""
        return running.environment(self.source, **self.settings)

    async def end_under_load(
        self, customers: Sequence[Customer], deaths: Sequence[Death | Moment]
    ) -> Outcome:
        """The first death under load, further ones while recovering from the one before.

        Clients repeat what was not answered as soon as the shop is open again when `plan.seed` is
        odd, and only after it has recovered by itself when it is even.
        """
        outcome, traffic = Outcome(kills=len(deaths)), Traffic()
        for number, death in enumerate(deaths):
            victim = self._start(death)
            try:
                if number == 0:
                    await victim.until_open()
                    await _shop_and_die(victim, customers, (death, self.plan, traffic))
                    outcome.orders_before = traffic.answered
                code = await victim.until_dead(within_s=REACHED_S_MAX)
                outcome.is_reached = outcome.is_reached and code == -signal.SIGKILL
            except NeverHappened:
                outcome.is_reached = False
            finally:
                victim.kill()
        return await self._examine(
            traffic,
            outcome,
            lambda url: settle(url, traffic, patience_s=self.patience_s + SETTLE_S),
        )

    async def end_at_the_first_start(self, death: Death) -> Outcome:
        """Die while the folder is furnished; then open, and serve its first customers."""
        outcome, traffic = Outcome(), Traffic()
        victim = self._start(death)
        try:
            code = await victim.until_dead(within_s=REACHED_S_MAX)
            outcome.is_reached = code == -signal.SIGKILL
        except NeverHappened:
            outcome.is_reached = False
        finally:
            victim.kill()

        async def serve(url: str) -> None:
            await shop(url, await sign_up(url, ["first", "second"]), self.plan, traffic)
            await settle(url, traffic)

        return await self._examine(traffic, outcome, serve)

    def _start(self, death: Death | Moment) -> running.Running:
        if isinstance(death, Moment):
            return running.start(self.data, environ=self.environ)
        environ = self.environ | {VARIABLE: order_text(death.point, death.hit)}
        return running.start(self.data, command=VICTIM, environ=environ)

    async def _examine(
        self,
        traffic: Traffic,
        outcome: Outcome,
        serve: Serve,
    ) -> Outcome:
        """Start again, serve the clients, stop, and look at all books."""
        survivor = running.start(self.data, environ=self.environ)
        try:
            outcome.open_s = await survivor.until_open()
            if self.plan.seed % 2:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._until_recovered(survivor, outcome))
                    both.create_task(serve(survivor.url))
            else:
                await self._until_recovered(survivor, outcome)
                await serve(survivor.url)
            await self._until_quiet()
            assert await survivor.stop() == 0, survivor.said
        finally:
            survivor.kill()
        outcome.orders = len(traffic.attempts)
        outcome.refunds = sum(sale.refund_minor is not None for sale in traffic.sales)
        outcome.findings = books.Books(self.data, traffic).examine()
        code, said = running.audit(self.data, environ=self.environ)
        outcome.audit = "" if code == 0 else said
        return outcome

    async def _until_recovered(self, survivor: running.Running, outcome: Outcome) -> None:
        """Until no saga is open that was open when the process started."""
        try:
            await eventually(
                lambda: books.open_sagas(self.data, before_ms=survivor.started_ms) == 0,
                within_s=self.patience_s,
                what="every saga ends",
            )
        except NeverHappened:
            outcome.sagas_left = books.open_sagas(self.data, before_ms=survivor.started_ms)
        outcome.recovery_s = time.monotonic() - survivor.started_s

    async def _until_quiet(self) -> None:
        """Until nothing is under way any more; what never ends is for the examination to tell."""
        try:
            await eventually(
                lambda: books.open_sagas(self.data) == 0 and books.is_delivered(self.data),
                within_s=self.patience_s,
                what="everything is delivered",
            )
        except NeverHappened:
            return


Load = tuple[Death | Moment, Plan, Traffic]


async def _shop_and_die(
    victim: running.Running,
    customers: Sequence[Customer],
    load: Load,
) -> None:
    """Shop until the victim is dead; from outside when the death is a moment."""
    death, plan, traffic = load

    async def kill() -> None:
        if isinstance(death, Moment):
            await eventually(lambda: bool(traffic.attempts), within_s=10, what="the first order")
            await asyncio.sleep(death.after_s)
            victim.kill()

    async with asyncio.TaskGroup() as both:
        both.create_task(kill())
        both.create_task(shop(victim.url, customers, plan, traffic))
