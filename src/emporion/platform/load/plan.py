"""Which baskets are ordered, by whom, and under which keys: all of it follows from the run id."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from emporion.platform.load.options import RunId

TOKEN_OK = "tok_ok"  # noqa: S105 - the test provider's name for a card that pays
TOKEN_DECLINED = "tok_declined"  # noqa: S105 - the test provider's card that is declined


class BasketLine(msgspec.Struct, frozen=True, gc=False):
    """So many units of a SKU, as `POST /api/orders` takes it."""

    sku: str
    quantity: int


class OrderBody(msgspec.Struct, frozen=True, gc=False):
    """The body of `POST /api/orders`."""

    lines: list[BasketLine]
    payment_token: str


@dataclass(frozen=True, slots=True)
class Basket:
    """One order to place: its number in the run, its key, and its JSON body."""

    number: int
    key: str
    body: bytes


LinesOf = Callable[[int, random.Random], list[BasketLine]]
"""The lines of the basket of that number; may draw from a repeatable source of chance."""


class Plan:
    """Deals baskets to shoppers; the n-th shopper of S gets the baskets n, n+S, n+2S, ...

    `limit` bounds the number of baskets over all shoppers. A fixed assignment, not a queue: an
    idempotency key belongs to the shopper who used it, so a repeated run must give each basket
    to the same one.
    """

    def __init__(
        self, run_id: RunId, lines_of: LinesOf, *, limit: int, decline_percent: float
    ) -> None:
        self.run_id = run_id
        self.limit = limit
        self._lines_of = lines_of
        self._decline_share = decline_percent / 100
        self._encode = msgspec.json.Encoder().encode

    def baskets_of(self, shopper: int) -> Iterator[Basket]:
        """The baskets of one shopper, in the order in which they are to be placed."""
        chance = random.Random(f"{self.run_id}:{shopper}")  # noqa: S311 - a repeatable draw
        for number in range(shopper, self.limit, self.run_id.shoppers):
            lines = self._lines_of(number, chance)
            is_declined = self._decline_share > 0 and chance.random() < self._decline_share
            body = OrderBody(lines, TOKEN_DECLINED if is_declined else TOKEN_OK)
            yield Basket(number, f"load-{self.run_id}-{number}", self._encode(body))


def random_lines(skus: Sequence[str]) -> LinesOf:
    """1 to 3 lines of 1 to 3 units, drawn from `skus` (not empty)."""
    choices = [BasketLine(sku, units) for sku in skus for units in (1, 2, 3)]

    def lines_of(number: int, chance: random.Random) -> list[BasketLine]:
        del number
        draw = chance.random
        return [choices[int(draw() * len(choices))] for _ in range(1 + int(draw() * 3))]

    return lines_of


def lines_from(baskets: Sequence[Mapping[str, int]]) -> LinesOf:
    """The baskets of a file, in its order, give or take the shoppers' speed."""

    def lines_of(number: int, chance: random.Random) -> list[BasketLine]:
        del chance
        return [BasketLine(sku, units) for sku, units in baskets[number].items()]

    return lines_of
