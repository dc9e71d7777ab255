"""A provider and a mailer that do what a test wants, and ids that count."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any

from emporion.chassis.testing.time import ManualClock
from emporion.kernel.errors import Unavailable
from emporion.kernel.money import Money
from emporion.services.email.adapters.kept import KeptMailer
from emporion.services.email.ports import Letter, Verdict
from emporion.services.payment.adapters.rehearsal import RehearsalProvider
from emporion.services.payment.ports import Answer, Reversal


async def nothing_before(_: str) -> None:
    """Nothing happens before the money is taken."""


class TimedIds:
    """Ids that begin with the instant, like a process's own, and go on by counting."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._numbers = count(1)

    def new(self, prefix: str) -> str:
        """A new id."""
        return f"{prefix}_{self._clock.now_ms():012x}{next(self._numbers):020x}"


class SteeredProvider(RehearsalProvider):
    """The rehearsal provider, with what a test wants to go wrong.

    `before_charge` runs before money is taken, given the key; `asked` are the keys so far. While
    `is_charge_down` or `is_refund_down`, such requests are lost on their way.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: list[str] = []
        self.before_charge: Callable[[str], Awaitable[object]] = nothing_before
        self.is_charge_down = False
        self.is_refund_down = False

    def answer_after(self, late_s: float) -> None:
        """How late `tok_late` is."""
        self._late_s = late_s

    async def charge(self, *, key: str, amount: Money, token: str) -> Answer:
        """See PaymentProvider."""
        self.asked.append(key)
        await self.before_charge(key)
        if self.is_charge_down:
            raise Unavailable("the request was lost")
        return await super().charge(key=key, amount=amount, token=token)

    async def refund(self, *, key: str, reference: str, amount: Money) -> Reversal:
        """See PaymentProvider."""
        if self.is_refund_down:
            raise Unavailable("the request was lost")
        return await super().refund(key=key, reference=reference, amount=amount)

    async def charge_and_tell(self, key: str, amount: Money) -> None:
        """A request that was believed lost arrives after all, and its answer comes on its own."""
        answer = self._take(key, amount)
        await self._tell(key, answer, after_s=0.0)


class SteeredMailer(KeptMailer):
    """The mailer of development; raises Unavailable while `is_down`."""

    def __init__(self) -> None:
        self.is_down = False
        self.sent: list[str] = []

    async def send(self, letters: Sequence[Letter]) -> list[Verdict]:
        """See Mailer."""
        if self.is_down:
            raise Unavailable("the mail server does not answer")
        self.sent += [letter.name for letter in letters]
        return await super().send(letters)
