"""One shopper: an account, a session, and orders placed one by one until each is decided."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable

import msgspec

from emporion.contracts.contract import rpcs
from emporion.contracts.order import ListOrders, OrderService
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.refusals import KeyReused
from emporion.contracts.user import EmailTaken, SignUp, UserService
from emporion.kernel.errors import (
    DeadlineExceeded,
    EmporionError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from emporion.platform.client.connection import Answer, ConnectionLost
from emporion.platform.client.problem import RETRIABLE, read_problem
from emporion.platform.client.rest import RestClients
from emporion.platform.load.options import RunId
from emporion.platform.load.plan import Basket
from emporion.platform.load.tally import Tally, Totals

ORDER_TIMEOUT_S = 15.0
RENEW_AHEAD_S = 30.0
PAUSE_S = 0.05
PAUSE_S_MAX = 2.0
_PLACE = rpcs(OrderService)["place_order"]
_SOLD = frozenset(OrderStatus) - {
    OrderStatus.PENDING,
    OrderStatus.CANCELLING,
    OrderStatus.REJECTED,
    OrderStatus.CANCELLED,
}
"""It was paid, whatever came after: an earlier part of the run may have sent it back."""
_GET = rpcs(OrderService)["get_order"]
_REFUSED = 409
_UNAUTHENTICATED = 401
_REFUSAL_SLUGS = frozenset(kind.slug for kind in _PLACE.raises) - {KeyReused.slug}
"""What a shop may rightly answer; a reused key would be our own mistake."""


class _Money(msgspec.Struct, gc=False):
    amount_minor: int
    currency: str


class _Units(msgspec.Struct, gc=False):
    quantity: int


class _Refusal(msgspec.Struct, gc=False):
    slug: str


class _Order(msgspec.Struct):
    """The few fields of an order that a shopper looks at; the rest is not decoded."""

    order_id: str
    status: str
    total: _Money
    lines: list[_Units]
    refusal: _Refusal | None = None


_decode_order = msgspec.json.Decoder(_Order).decode


class GaveUp(Exception):
    """The outcome stayed unknown for as long as the shopper was patient."""


class Shopper:
    """Shopper number `index` of a run.

    An order whose outcome is unknown (no answer, 429, 5xx) is sent again with the same key; one
    that is pending is asked after. Everything is counted in `tally`.
    """

    def __init__(
        self, clients: RestClients, run_id: RunId, index: int, *, tally: Tally, patience_s: float
    ) -> None:
        self.email = f"load-{run_id.token}-{index}@example.test"
        self._password = hashlib.sha256(f"{run_id}:{index}".encode()).hexdigest()[:32]
        self.clients = clients
        self._tally = tally
        self._patience_s = patience_s
        self._index = index
        self._place_head = b""
        self._renew_at_s = 0.0

    async def arrive(self) -> None:
        """Sign up, unless an earlier part of this run did, and sign in."""
        account = SignUp(email=self.email, password=self._password, name=f"Shopper {self._index}")
        with contextlib.suppress(EmailTaken):  # by an earlier part of this run
            await _patiently(
                lambda: self.clients.get(UserService).sign_up(account), self._patience_s
            )
        await self._sign_in()

    async def order(self, basket: Basket) -> str:
        """Place one order and see it decided; its id if it is paid. Failures are counted."""
        tally, started_s = self._tally, time.perf_counter()
        paid_id = ""
        try:
            answer = await self._place(basket)
            if answer.status < 300:  # noqa: PLR2004 - HTTP's own border of success
                order = _decode_order(answer.body)
                if order.status == OrderStatus.PENDING:
                    tally.pending_answers += 1
                    order = await self._follow(order.order_id, started_s)
                paid_id = self._count(order)
            else:
                self._count_problem(answer)
        except GaveUp as gave_up:
            tally.errors[f"outcome unknown: {gave_up}"] += 1
        except msgspec.MsgspecError:
            tally.errors["the answer is not an order"] += 1
        except EmporionError as error:
            tally.errors[error.slug] += 1
        tally.latencies.add(time.perf_counter() - started_s)
        return paid_id

    async def read_back(self) -> Totals:
        """What the shop says this shopper has paid for: an independent view of the run."""
        orders, units, money = 0, 0, dict[str, int]()
        cursor = ""
        while True:
            request = ListOrders(limit=200, cursor=cursor)
            page = await self.clients.get(OrderService).list_orders(request)
            for order in page.orders:
                if order.status not in _SOLD:
                    continue
                orders += 1
                units += order.units
                total = order.total
                money[total.currency] = money.get(total.currency, 0) + total.amount_minor
            cursor = page.next_cursor
            if not cursor:
                return Totals(orders, units, money)

    def close(self) -> None:
        """Close the connection."""
        self.clients.close()

    def _count(self, order: _Order) -> str:
        tally = self._tally
        if order.status in _SOLD:
            tally.paid += 1
            tally.money_minor[order.total.currency] += order.total.amount_minor
            for line in order.lines:
                tally.units += line.quantity
            return order.order_id
        if order.refusal is not None:
            tally.refusals[order.refusal.slug] += 1
        else:
            tally.errors[f"order is {order.status}"] += 1
        return ""

    def _count_problem(self, answer: Answer) -> None:
        problem = read_problem(answer.status, answer.body)
        if answer.status == _REFUSED or problem.slug in _REFUSAL_SLUGS:
            self._tally.refusals[problem.slug] += 1
        else:
            self._tally.errors[f"{answer.status} {problem.slug}"] += 1

    async def _place(self, basket: Basket) -> Answer:
        tail = f"Idempotency-Key: {basket.key}\r\n".encode("ascii")
        if time.perf_counter() > self._renew_at_s:
            await self._renew()
        return await self._until_known(lambda: self._place_head + tail, basket.body)

    async def _follow(self, order_id: str, started_s: float) -> _Order:
        assert _GET.rest is not None  # noqa: S101 - the contract has it
        path = _GET.rest.path.replace("{order_id}", order_id)
        pause_s = PAUSE_S
        while time.perf_counter() - started_s < self._patience_s:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)
            answer = await self._until_known(lambda: self._head("GET", path), b"")
            order = _decode_order(answer.body)
            if order.status != OrderStatus.PENDING:
                return order
        message = "still pending"
        raise GaveUp(message)

    async def _until_known(self, head: Callable[[], bytes], body: bytes) -> Answer:
        """Repeat a request until its outcome is known; raises GaveUp."""
        started_s, pause_s, renewals = time.perf_counter(), PAUSE_S, 0
        while True:
            said_s = 0.0
            try:
                answer = await self.clients.connection.call(head(), body, timeout_s=ORDER_TIMEOUT_S)
                if answer.status == _UNAUTHENTICATED and renewals == 0:
                    renewals += 1
                    await self._renew()
                    continue
                if answer.status not in RETRIABLE:
                    return answer
                reason, said_s = f"{answer.status}", answer.retry_after_s
            except ConnectionLost as error:
                reason = error.slug
            if time.perf_counter() - started_s > self._patience_s:
                raise GaveUp(reason)
            self._tally.retries[reason] += 1
            await asyncio.sleep(min(max(pause_s, said_s), PAUSE_S_MAX))
            pause_s *= 2

    async def _sign_in(self) -> None:
        await _patiently(lambda: self.clients.sign_in(self.email, self._password), self._patience_s)
        self._use_session()

    async def _renew(self) -> None:
        try:
            await self.clients.renew()
        except (Unauthenticated, ConnectionLost):
            # The refresh token may be spent although its answer was lost: start a new session.
            await self._sign_in()
        self._use_session()

    def _use_session(self) -> None:
        assert _PLACE.rest is not None  # noqa: S101 - the contract has it
        self._place_head = self._head("POST", _PLACE.rest.path)
        lifetime_s = self.clients.expires_in_s
        ahead_s = min(RENEW_AHEAD_S, lifetime_s / 2)
        self._renew_at_s = time.perf_counter() + lifetime_s - ahead_s

    def _head(self, verb: str, path: str) -> bytes:
        return self.clients.connection.head(verb, path, self.clients.authorization)


async def _patiently(work: Callable[[], Awaitable[object]], patience_s: float) -> None:
    """Repeat signing up or in while the shop is busy (hashing takes it long) or cannot answer."""
    until_s = time.perf_counter() + patience_s
    while True:
        try:
            await work()
        except (ConnectionLost, ResourceExhausted, Unavailable, DeadlineExceeded):
            if time.perf_counter() >= until_s:
                raise
            await asyncio.sleep(PAUSE_S_MAX)
        else:
            return
