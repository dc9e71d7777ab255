"""What analytics needs from outside."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple, Protocol

from emporion.chassis.data.database import Tx
from emporion.services.analytics.domain.buckets import Run
from emporion.services.analytics.domain.facts import Sum, Told


class Counted(NamedTuple):
    """What was counted in one bucket, by what it is."""

    bucket: int
    what: str
    label: str
    sum: Sum


class ProductSold(NamedTuple):
    """What was sold of a SKU in a period and a currency."""

    currency: str
    sku: str
    sum: Sum


class FigureStore(Protocol):
    """What happened, and sums of it by minute and by quarter of an hour.

    A fact counts once, at its own time, in whatever order and however often facts are told. Every
    method raises Unavailable when the engine cannot answer.
    """

    async def record(self, tx: Tx, told: Sequence[Told]) -> None:
        """Keep and count what is not known yet. Runs inside the subscriber's transaction."""
        ...

    async def counted(self, runs: Sequence[Run], *, grain_s: int) -> list[Counted]:
        """What was counted in each bucket of the runs; buckets with nothing are left out."""
        ...

    async def products(
        self, since_s: int, until_s: int, *, by_units: bool, currency: str | None, limit: int
    ) -> list[ProductSold]:
        """What sold most of each currency (or that one), by falling units or amount."""
        ...


class Zones(Protocol):
    """The time zones that are known."""

    def zone(self, name: str) -> tzinfo | None:
        """The zone of that name, or None. Raises nothing."""
        ...
