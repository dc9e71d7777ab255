"""What a load run is asked to do, checked before anything is sent."""

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from emporion.kernel.errors import InvalidArgument
from emporion.platform.client.address import Address

ORDERS_MAX = 10_000_000
SHOPPERS_MAX = 10_000
DEFAULT_ORDERS = 1_000
_RUN_ID = re.compile(r"([0-9a-f]{8,32})-([1-9][0-9]{0,4})")


class BadRunId(InvalidArgument):
    """Not a run id that an earlier load has printed."""

    slug = "bad-run-id"
    title = "This is not a run id as `emporion load` prints it, e.g. 3f9c2a71d04b-32"


@dataclass(frozen=True, slots=True)
class RunId:
    """Names a run: 48 random bits and the number of shoppers.

    Everything the run sends follows from it (shoppers, who orders which basket, keys), so that a
    load that was broken off can be repeated whole without ordering anything twice.
    """

    token: str
    shoppers: int

    @classmethod
    def new(cls, shoppers: int) -> Self:
        """A run nobody has made before."""
        return cls(secrets.token_hex(6), shoppers)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The run id in the form it is printed. Raises BadRunId."""
        match = _RUN_ID.fullmatch(text.strip())
        if match is None or int(match[2]) > SHOPPERS_MAX:
            raise BadRunId(f"--run-id {text[:60]!r} is not one that `emporion load` has printed")
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        """The form in which it is printed and given to `--run-id`."""
        return f"{self.token}-{self.shoppers}"


@dataclass(frozen=True, slots=True)
class Operator:
    """Who may create products and receive stock."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """A load run.

    Args:
        address: the shop.
        run_id: who shops, and the keys of the orders.
        orders: stop after so many; None: no such limit.
        seconds: stop after so long; None: no such limit.
        baskets: a till file to replay; None: random baskets from the catalogue.
        decline_percent: share of orders paid with a card that is declined, 0..100.
        return_percent: share of the paid orders that is shipped, delivered and sent back, 0..100.
        patience_s: how long one order is retried while its outcome is unknown.
        is_restocked: receive plenty of everything first, so that random baskets find it.
        operator: needed to create what the catalogue lacks for `baskets`, to restock, and to ship
            and take returns.
    """

    address: Address
    run_id: RunId
    operator: Operator
    orders: int | None = None
    seconds: float | None = None
    baskets: Path | None = None
    decline_percent: float = 0.0
    return_percent: float = 0.0
    is_restocked: bool = False
    patience_s: float = 30.0
