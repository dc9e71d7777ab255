"""Tells orders that nobody can have charged or undone yet, without asking the database."""

from emporion.kernel.ids import ORDER, OrderId

REMEMBERED_MAX = 10_000


class FirstSight:
    """Remembers the orders it was asked about; order ids sort by the time they were made.

    Where no other process writes the database, an order made after this process started and not
    asked about before is new to the database too. Anything else has to be looked up: that is
    what a False means, so forgetting costs a look and nothing else. Should a clock that was put
    back between two starts mislead it, the stream's version still lets one record in only, and
    money taken for a voided payment is given back at once.

    Args:
        now_ms: when this process started.
        is_sole_writer: False: other processes write too, and every order has to be looked up.
    """

    def __init__(self, now_ms: int, *, is_sole_writer: bool) -> None:
        made_ms = f"{now_ms:012x}" if is_sole_writer else "f" * 12
        self._floor = OrderId(f"{ORDER}_{made_ms}{'f' * 20}")
        self._seen: dict[OrderId, None] = {}

    def is_first(self, order_id: OrderId) -> bool:
        """Whether nothing can be recorded about the order. True at most once for each."""
        seen = self._seen
        if order_id in seen:
            return False
        if order_id <= self._floor:
            return False
        seen[order_id] = None
        if len(seen) > REMEMBERED_MAX:
            oldest = next(iter(seen))
            del seen[oldest]
            self._floor = max(self._floor, oldest)
        return True
