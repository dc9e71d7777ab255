"""Shoppers who order, cancel and repeat themselves over HTTP, and remember what they were told."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.system.accounts import Customer, operator
from tests.system.aftersales import Aftersale
from tests.system.wire import UNKNOWN, NoAnswer, NotSent, Reply, Wire

SKUS = ("croissant", "baguette", "espresso", "cappuccino", "flat-white", "tea-assam", "scone")
MORE_THAN_THERE_IS = 9_999
FINAL_REFUSALS = frozenset({"out-of-stock", "payment-declined"})
PATIENCE_S = 15.0
PAUSE_S = 0.05
HALF = 0.5
GOES_ON = frozenset({"shipped", "delivered", "returned", "refunded"})
"""What a repeated request for an order that was paid may be told of it later."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How often a shopper does what, as shares of all orders.

    `by_card`: half of these name a card that covers all, half one that covers little.
    `returned`: shipped and sent back, of the orders that are paid and not called off.
    Declined, timeout, timeout_lost and twice are the ways of the rehearsal provider.
    """

    declined: float = 0.15
    timeout: float = 0.02
    timeout_lost: float = 0.01
    twice: float = 0.05
    out_of_stock: float = 0.08
    cancelled: float = 0.15
    by_card: float = 0.0
    returned: float = 0.0


MIXES = {
    "": Mix(),
    "silence": Mix(timeout=0.3, timeout_lost=0.2),
    "gift cards": Mix(by_card=0.7),
    "aftersales": Mix(returned=0.6),
    "aftersales of gift cards": Mix(returned=0.6, by_card=0.7),
}
"""What a crash point needs.

The usual mix, a provider whose answers are mostly lost, gift cards, shipments and returns, or
those of orders that gift cards paid.
"""


@dataclass
class Attempt:
    """One order under one idempotency key, and every answer to it.

    `order_id` and `status` are the last that a whole answer told: paid, pending, cancelled, or
    refused with `refusal`; empty while nothing is known. Cancelling is asked for at most once
    by each shopper, and repeated until it is answered. `aftersale` is what is to be done when it
    is paid and stays so.
    """

    customer: Customer
    key: str
    lines: list[dict[str, object]]
    token: str
    is_to_be_cancelled: bool
    cards: list[str] = field(default_factory=list)
    aftersale: Aftersale | None = None
    order_id: str = ""
    status: str = ""
    refusal: str = ""
    is_cancel_sent: bool = False
    is_cancelled: bool = False
    is_sent: bool = False
    contradictions: list[str] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Whether its outcome is final as far as the shopper was told."""
        return bool(self.status) and self.status != "pending"

    @property
    def was_told_paid(self) -> bool:
        """Whether the shop once said that it is paid."""
        return self.status in ("paid", "cancelled")

    @property
    def sale(self) -> Aftersale | None:
        """What is to be done after the sale, of an order that is paid and stays so."""
        stays = self.status == "paid" and not self.is_to_be_cancelled
        return self.aftersale if stays else None

    def hear_cancelled(self, status: str) -> None:
        """Take the answer to a cancellation in."""
        self.is_cancelled = status == "cancelled"
        if not self.is_cancelled:
            self.contradictions.append(f"{self.key}: cancelled, but it is {status}")

    def hear(self, reply: Reply) -> None:
        """Take an answer in; anything that contradicts an earlier one is noted."""
        if reply.status in (201, 202):
            order = reply.document
            status = str(order["status"])
            status = "paid" if status in GOES_ON else status
            self._note(str(order["order_id"]), status, "")
        elif reply.status in (402, 409):
            slug = str(reply.document["type"]).rpartition(":")[2]
            if slug in FINAL_REFUSALS:
                self._note(self.order_id, "refused", slug)
            else:
                self.contradictions.append(f"{self.key}: answered {reply.body.decode()}")
        elif reply.status not in UNKNOWN:
            self.contradictions.append(f"{self.key}: {reply.status} {reply.body.decode()}")

    def _note(self, order_id: str, status: str, refusal: str) -> None:
        before = (self.order_id, self.status, self.refusal)
        if self.order_id and self.order_id != order_id:
            self.contradictions.append(f"{self.key}: {self.order_id}, then {order_id}")
        if self.is_known and (status, refusal) != before[1:] and status != "cancelled":
            self.contradictions.append(f"{self.key}: {before}, then {status} {refusal}")
        self.order_id, self.status, self.refusal = order_id, status, refusal


@dataclass
class Traffic:
    """Everything that the shoppers of a shop have done.

    Args:
        staff: who ships and takes back, when anything is to be.
    """

    attempts: list[Attempt] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    staff: Customer | None = None

    @property
    def answered(self) -> int:
        """How many orders got a final answer."""
        return sum(attempt.is_known for attempt in self.attempts)

    @property
    def contradictions(self) -> list[str]:
        """Answers that cannot both be true, and answers that no shop should give."""
        told = [text for attempt in self.attempts for text in attempt.contradictions]
        return told + [text for sale in self.sales for text in sale.contradictions]

    @property
    def sales(self) -> list[Aftersale]:
        """What was to be done after the sale of orders that were paid."""
        return [attempt.sale for attempt in self.attempts if attempt.sale is not None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the shoppers behave.

    Args:
        seed: everything random comes from it.
        shoppers: how many there are, each with one connection.
        orders_max: how many orders each places at most.
        for_s: how long they go on at most.
    """

    seed: int
    shoppers: int = 16
    orders_max: int = 400
    for_s: float = 20.0
    mix: Mix = Mix()


async def shop(url: str, customers: Sequence[Customer], plan: Plan, traffic: Traffic) -> None:
    """Order until the shop is gone, or the plan is done; a lost answer ends a shopper's visit."""
    if plan.mix.returned:
        traffic.staff = await operator(url)
    until_s = time.monotonic() + plan.for_s
    purses = {each.email: iter(each.small_cards) for each in customers}

    async def visit(number: int) -> None:
        chance = random.Random(f"{plan.seed}/{number}")
        customer = customers[number % len(customers)]
        wire = Wire(url)
        try:
            for index in range(plan.orders_max):
                if time.monotonic() > until_s:
                    return
                attempt = _planned(chance, plan, customer, f"{plan.seed}-{number}-{index}")
                if plan.mix.by_card and chance.random() < plan.mix.by_card:
                    small = next(purses[customer.email], customer.card)
                    attempt.cards.append(chance.choice((customer.card, small)))
                traffic.attempts.append(attempt)
                started_s = time.monotonic()
                await _order(wire, attempt)
                traffic.latencies_s.append(time.monotonic() - started_s)
                if attempt.is_to_be_cancelled and attempt.status == "paid":
                    await _cancel(wire, attempt)
                await _until_sent_back(wire, attempt, traffic.staff, until_s=until_s)
        except (NotSent, NoAnswer):
            return  # what is open is taken up by `settle`
        finally:
            await wire.close()

    async with asyncio.TaskGroup() as visits:
        for number in range(plan.shoppers):
            visits.create_task(visit(number))


async def settle(
    url: str, traffic: Traffic, *, repeats: float = 0.2, patience_s: float = PATIENCE_S
) -> None:
    """Repeat whatever has no final answer, with the same key, until it has one.

    A share `repeats` of the answered orders is repeated once too: the answer must be the same.
    What has no final answer after `patience_s` is a contradiction of its own.
    """
    chance = random.Random(len(traffic.attempts))
    open_ = [
        attempt
        for attempt in traffic.attempts
        if not attempt.is_known
        or (attempt.is_cancel_sent and not attempt.is_cancelled)
        or (attempt.sale is not None and not attempt.sale.is_done)
        or chance.random() < repeats
    ]
    lanes = asyncio.Semaphore(16)
    until_s = time.monotonic() + patience_s

    async def follow_up(wire: Wire, attempt: Attempt) -> bool:
        return await _follow_up(wire, attempt, traffic.staff)

    async def finish(attempt: Attempt) -> None:
        async with lanes:
            wire = Wire(url)
            try:
                if not await _repeated(_order, wire, attempt, until_s=until_s):
                    attempt.contradictions.append(f"{attempt.key}: no final answer")
                elif attempt.is_cancel_sent and not await _repeated(
                    _cancel, wire, attempt, until_s=until_s
                ):
                    attempt.contradictions.append(f"{attempt.key}: cancelling was not answered")
                if attempt.sale is not None:
                    attempt.sale.again()
                if not await _repeated(follow_up, wire, attempt, until_s=until_s):
                    attempt.contradictions.append(f"{attempt.key}: not shipped and sent back")
            finally:
                await wire.close()

    async with asyncio.TaskGroup() as repetitions:
        for attempt in open_:
            repetitions.create_task(finish(attempt))


async def _repeated(
    ask: Callable[[Wire, Attempt], Awaitable[bool]], wire: Wire, attempt: Attempt, *, until_s: float
) -> bool:
    """Ask until the answer is final; whether it came in time."""
    while True:
        is_late = time.monotonic() > until_s
        try:
            if await ask(wire, attempt):
                return True
        except (NotSent, NoAnswer):
            pass  # the outcome is unknown: that is what repeating is for
        if is_late:
            return False
        await asyncio.sleep(PAUSE_S)


async def _order(wire: Wire, attempt: Attempt) -> bool:
    """Ask for the order; whether the answer is final."""
    attempt.is_sent = True
    reply = await wire.ask(
        "POST",
        "/api/orders",
        {"lines": attempt.lines, "payment_token": attempt.token, "gift_cards": attempt.cards},
        headers=attempt.customer.headers | {"Idempotency-Key": attempt.key},
    )
    attempt.hear(reply)
    return attempt.is_known


async def _follow_up(wire: Wire, attempt: Attempt, staff: Customer | None) -> bool:
    """Ask for what comes after the sale, if anything does; whether all its answers are final."""
    sale = attempt.sale
    return sale is None or staff is None or await sale.go_on(wire, staff, attempt.order_id)


async def _until_sent_back(
    wire: Wire, attempt: Attempt, staff: Customer | None, *, until_s: float
) -> None:
    """Follow up until every answer is final, or it is late. Raises NotSent or NoAnswer."""
    while not await _follow_up(wire, attempt, staff) and time.monotonic() < until_s:
        await asyncio.sleep(PAUSE_S)


async def _cancel(wire: Wire, attempt: Attempt) -> bool:
    """Ask for its end; whether the answer is final."""
    attempt.is_cancel_sent = True
    path = f"/api/orders/{attempt.order_id}/cancel"
    reply = await wire.ask(
        "POST", path, {"reason": "changed my mind"}, headers=attempt.customer.headers
    )
    if reply.status == HTTPStatus.OK:
        attempt.hear_cancelled(str(reply.document["status"]))
    elif reply.status not in UNKNOWN:
        attempt.contradictions.append(f"{attempt.key}: cancel: {reply.body.decode()}")
    return reply.status not in UNKNOWN


def _planned(chance: random.Random, plan: Plan, customer: Customer, key: str) -> Attempt:
    mix = plan.mix
    skus = chance.sample(SKUS, chance.randint(1, 3))
    lines: list[dict[str, object]] = [
        {"sku": sku, "quantity": chance.randint(1, 3)} for sku in skus
    ]
    if chance.random() < mix.out_of_stock:
        lines.append({"sku": "granola", "quantity": MORE_THAN_THERE_IS})
    token = chance.choices(
        ("tok_declined", "tok_timeout", "tok_timeout_lost", "tok_twice", "tok_ok"),
        (
            mix.declined,
            mix.timeout,
            mix.timeout_lost,
            mix.twice,
            1 - mix.declined - mix.timeout - mix.timeout_lost - mix.twice,
        ),
    )[0]
    attempt = Attempt(customer, key, lines, token, chance.random() < mix.cancelled)
    units = {str(line["sku"]): int(str(line["quantity"])) for line in lines}
    is_usual = MORE_THAN_THERE_IS not in units.values()  # the first may get them, from everywhere
    if mix.returned and is_usual and chance.random() < mix.returned:
        attempt.aftersale = Aftersale(
            key, customer, units,
            is_whole=chance.random() < HALF,
            is_restocked=chance.random() < HALF,
        )  # fmt: skip
    return attempt
