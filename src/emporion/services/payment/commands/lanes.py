"""One at a time for each order: the others wait, and then find the work done."""

import asyncio
from collections import deque
from types import TracebackType

from emporion.kernel.ids import OrderId

_Turns = deque[asyncio.Future[None]]


class Lanes:
    """A lane for each order that somebody works on.

    It saves the provider calls that would be in vain; correctness rests on the provider's key
    and the stream's version.
    """

    def __init__(self) -> None:
        self._waiting: dict[OrderId, _Turns] = {}

    def of(self, order_id: OrderId) -> "Lane":
        """The lane of an order: `async with lanes.of(order_id):`."""
        return Lane(self._waiting, order_id)


class Lane:
    """A lane lives as long as somebody is in it or waits for it. Turns come in order."""

    __slots__ = ("_order_id", "_waiting")

    def __init__(self, waiting: dict[OrderId, _Turns], order_id: OrderId) -> None:
        self._waiting = waiting
        self._order_id = order_id

    async def __aenter__(self) -> None:
        turns = self._waiting.get(self._order_id)
        if turns is None:
            self._waiting[self._order_id] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._pass_on()  # it was our turn already
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        turns = self._waiting[self._order_id]
        while turns:
            turn = turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[self._order_id]
