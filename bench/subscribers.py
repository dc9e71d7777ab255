"""CPU of a subscriber's reaction to an order, in batches of 64, beside an empty transaction.

    .venv/bin/python -m bench.subscribers

The reaction with its statements and its share of the commit; what the bus does around it (inbox,
cursor) is common to all subscribers and not in it. Orders of two and of twenty lines, of 500
things, some of them wanted more than others.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import uvloop

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Sealed
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.testing.databases import migrations_of, sqlite_database
from emporion.contracts.order import OrderCreated, PricedLine
from emporion.kernel.ids import OrderId, Sku, UserId
from emporion.kernel.money import Money
from emporion.services.analytics import service as analytics
from emporion.services.fraud import service as fraud
from emporion.services.recommendation import service as recommendation
from emporion.services.webhook import service as webhook

BATCH = 64
BATCHES = 150
WARM_UP = 30
THINGS = 500
LINES = (2, 20)
_NOTHING = cast("Any", None)


class _Nobody:
    """Other services, which reactions to orders do not call."""

    def get(self, contract: object) -> Any:
        return contract


def _webhook(needs: Needs) -> Assembly:
    """Nobody subscribed to anything."""
    return webhook.build(
        webhook.WebhookNeeds(
            runtime=needs.runtime,
            database=needs.database,
            clients=needs.clients,
            sagas=needs.sagas,
            courier=_NOTHING,
            events=[OrderCreated],
            is_http_allowed=True,
        )
    )


SUBSCRIBERS: dict[str, Callable[[Needs], Assembly]] = {
    "recommendation": recommendation.build,
    "analytics": analytics.build,
    "fraud": fraud.build,
    "webhook": _webhook,
}


def order(number: int, lines: int, chance: random.Random) -> OrderCreated:
    """An order of that many different things."""
    things: set[int] = set()
    while len(things) < lines:
        things.add(min(int(chance.expovariate(0.02)), THINGS))
    price = Money(250, "EUR")
    return OrderCreated(
        order_id=OrderId(f"ord_{number:032x}"),
        user_id=UserId(f"usr_{number % 100:032x}"),
        amount=Money(250 * lines, "EUR"),
        lines=[
            PricedLine(
                sku=Sku(f"thing-{thing:03d}"),
                name=f"Thing {thing}",
                quantity=1,
                unit_price=price,
                total=price,
            )
            for thing in things
        ],
        created_at=datetime.fromtimestamp(1_767_225_600 + number // 2_000, tz=UTC),
    )


def batches(lines: int) -> list[list[Received[OrderCreated]]]:
    """Orders as the bus hands them over: text, not read yet."""
    chance = random.Random(1)
    decode = msgspec.json.Decoder(OrderCreated).decode
    made = [order(number, lines, chance) for number in range((BATCHES + WARM_UP) * BATCH)]
    received: list[Received[OrderCreated]] = [
        Received(
            None,
            f"evt_{number:032x}",
            round(each.created_at.timestamp() * 1000),
            "",
            Sealed(OrderCreated, msgspec.Raw(msgspec.json.encode(each)), decode),
        )
        for number, each in enumerate(made)
    ]
    return [received[first : first + BATCH] for first in range(0, len(received), BATCH)]


async def cost_us(name: str, lines: int) -> tuple[float, float]:
    """Microseconds of CPU of the reaction to an order, and of its share of an empty commit."""
    runtime = system_runtime()
    with tempfile.TemporaryDirectory() as folder:
        async with sqlite_database(
            Path(folder), [migrations_of(name)], source=name, runtime=runtime
        ) as database:
            needs = Needs(
                runtime=runtime, database=database, clients=cast("Any", _Nobody()), sagas=_NOTHING
            )
            rows = SUBSCRIBERS[name](needs).subscriptions
            react = next(row.react_many for row in rows if row.event is OrderCreated)
            assert react is not None

            async def run(some: Sequence[Received[OrderCreated]]) -> None:
                await database.transaction(lambda tx: react(tx, some))

            all_batches = batches(lines)
            for some in all_batches[:WARM_UP]:
                await run(some)
            started_s = time.process_time()
            for some in all_batches[WARM_UP:]:
                await run(some)
            taken_s = time.process_time() - started_s
            started_s = time.process_time()
            for number in range(BATCHES):
                await database.transaction(lambda tx, number=number: _touch(tx, number))
            empty_s = time.process_time() - started_s
    return taken_s / (BATCHES * BATCH) * 1e6, empty_s / (BATCHES * BATCH) * 1e6


async def _touch(tx: Tx, number: int) -> None:
    await tx.execute(f"PRAGMA user_version = {number}")


def main() -> None:
    """Print a line for each subscriber and size of order."""
    for name in SUBSCRIBERS:
        for lines in LINES:
            taken_us, empty_us = uvloop.run(cost_us(name, lines))
            sys.stdout.write(
                f"{name:>16}  {lines:>2} lines  {taken_us:6.1f} us an order"
                f"  (an empty commit's share: {empty_us:.1f} us)\n"
            )


if __name__ == "__main__":
    main()
