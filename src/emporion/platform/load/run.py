"""A load run from the first sign-up to the report."""

import asyncio
import math
import resource
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emporion.kernel.errors import FailedPrecondition, ResourceExhausted
from emporion.kernel.ids import OrderId
from emporion.platform.client.rest import RestClients
from emporion.platform.load.baskets_file import TillFile
from emporion.platform.load.catalogue import (
    PLENTY,
    Price,
    create_missing,
    in_one_currency,
    prices_of,
    receive_stock,
)
from emporion.platform.load.options import DEFAULT_ORDERS, ORDERS_MAX, LoadOptions
from emporion.platform.load.plan import Plan, lines_from, random_lines
from emporion.platform.load.returns import Returned, Returns, Sale
from emporion.platform.load.shopper import Shopper
from emporion.platform.load.tally import Tally, Totals

ARRIVALS_AT_ONCE = 8
DRAIN_S = 5.0
SPARE_FILES = 64
WATCH_EVERY_S = 0.2


class NothingOnSale(FailedPrecondition):
    """The catalogue is empty: there is nothing to order."""

    slug = "nothing-on-sale"
    title = "The shop sells nothing yet; run `emporion import FILE` first"


class TooManyShoppers(ResourceExhausted):
    """Each shopper needs a connection, and the operating system allows fewer."""

    slug = "too-many-shoppers"
    title = "The operating system does not allow so many connections"


@dataclass(slots=True)
class LoadResult:
    """What a run did.

    `expected` is what the file and the catalogue say about the baskets that were paid, and
    `read_back` what the shop lists afterwards; both are None for random baskets. `returned` is None
    when nothing was to be sent back.
    """

    run_id: str
    tally: Tally
    limit: int | None
    elapsed_s: float = 0.0
    is_interrupted: bool = False
    products_created: int = 0
    units_received: int = 0
    expected: Totals | None = None
    read_back: Totals | None = None
    returned: Returned | None = None

    @property
    def counted(self) -> Totals:
        """The paid orders as the shop's answers told them."""
        return Totals(self.tally.paid, self.tally.units, self.tally.money_minor)

    @property
    def adds_up(self) -> bool:
        """Whether answers, expectation and what the shop lists are the same, where known."""
        is_refunded = self.returned is None or self.returned.counted == self.returned.expected
        return is_refunded and all(
            view in (None, self.counted) for view in (self.expected, self.read_back)
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """What the progress shows: what is going on, how far, out of how much (None: no limit)."""

    name: str
    done: int
    total: int | None


Watcher = Callable[[Stage], None]


class LoadRun:
    """One run against one shop; `stop` ends it early and the result tells how far it came."""

    def __init__(
        self, options: LoadOptions, till: TillFile | None, watch: Watcher = lambda _: None
    ) -> None:
        self.options = options
        self.result = LoadResult(str(options.run_id), Tally(), None)
        self._till = till
        self._watch = watch
        self._tls = options.address.tls
        self._is_over = False
        self._sales: list[Sale] = []

    def stop(self) -> None:
        """Place no further order; those on the way are still seen decided, within DRAIN_S."""
        self.result.is_interrupted = True
        self._is_over = True

    async def run(self) -> LoadResult:
        """Prepare, sign up, order, verify, send back.

        Raises NothingOnSale, TooManyShoppers, and what the shop refuses before the first order.
        """
        _allow_connections(self.options.run_id.shoppers)
        plan, prices = await self._prepare()
        shoppers = [self._shopper(index) for index in range(self.options.run_id.shoppers)]
        try:
            await self._arrive(shoppers)
            await self._order(shoppers, plan)
            if self._till is not None and not self._is_over:
                self._watch(Stage("reading back", 0, None))
                self.result.expected = self._expect(self._till, prices)
                self.result.read_back = await _read_back(shoppers)
            if self.options.return_percent and not self._is_over:
                await self._send_back(prices)
        finally:
            for shopper in shoppers:
                shopper.close()
        return self.result

    async def _prepare(self) -> tuple[Plan, dict[str, Price]]:
        options, till = self.options, self._till
        self._watch(Stage("looking at the catalogue", 0, None))
        clients = RestClients(options.address, tls=self._tls)
        try:
            prices = await prices_of(clients)
            if till is not None or options.is_restocked:
                await clients.sign_in(options.operator.email, options.operator.password)
            if till is not None:
                self.result.products_created = await create_missing(clients, till, prices)
                prices = await prices_of(clients)
            needed = self._needed(prices)
            if needed:
                received = await receive_stock(clients, needed, options.run_id)
                self.result.units_received = received
        finally:
            clients.close()
        if not prices:
            raise NothingOnSale
        if till is not None:
            lines_of, count = lines_from(till.baskets), len(till.baskets)
            limit = min(options.orders or count, count)
        else:
            lines_of = random_lines(in_one_currency(prices))
            limit = options.orders or (ORDERS_MAX if options.seconds else DEFAULT_ORDERS)
        is_open = till is None and options.orders is None and options.seconds is not None
        self.result.limit = None if is_open else limit
        plan = Plan(options.run_id, lines_of, limit=limit, decline_percent=options.decline_percent)
        return plan, prices

    def _needed(self, prices: Mapping[str, Price]) -> Mapping[str, int]:
        if self._till is not None:
            return self._till.units_by_sku()
        return dict.fromkeys(prices, PLENTY) if self.options.is_restocked else {}

    def _shopper(self, index: int) -> Shopper:
        clients = RestClients(self.options.address, tls=self._tls)
        return Shopper(
            clients,
            self.options.run_id,
            index,
            tally=self.result.tally,
            patience_s=self.options.patience_s,
        )

    async def _arrive(self, shoppers: list[Shopper]) -> None:
        arrived, waiting = 0, iter(shoppers)

        async def receive() -> None:
            nonlocal arrived
            for shopper in waiting:
                if self._is_over:
                    return
                await shopper.arrive()
                arrived += 1
                self._watch(Stage("signing up", arrived, len(shoppers)))

        async with asyncio.TaskGroup() as group:
            for _ in range(ARRIVALS_AT_ONCE):
                group.create_task(receive())

    async def _order(self, shoppers: list[Shopper], plan: Plan) -> None:
        started_s = time.perf_counter()
        end_s = started_s + (self.options.seconds or math.inf)
        tasks = [
            asyncio.create_task(self._shop(shopper, index, plan))
            for index, shopper in enumerate(shoppers)
        ]
        everyone = asyncio.gather(*tasks, return_exceptions=True)
        cut_s = math.inf
        while not everyone.done():
            await asyncio.wait([everyone], timeout=WATCH_EVERY_S)
            now_s = time.perf_counter()
            self._watch(Stage("ordering", self.result.tally.attempted, self.result.limit))
            self._is_over = self._is_over or now_s >= end_s
            if self._is_over:
                patience_s = DRAIN_S if self.result.is_interrupted else self.options.patience_s
                cut_s = min(cut_s, now_s + patience_s)
            if now_s >= cut_s:
                for task in tasks:
                    task.cancel()
        self.result.elapsed_s = time.perf_counter() - started_s
        self._count_broken_off(await everyone)

    def _count_broken_off(self, outcomes: Sequence[BaseException | None]) -> None:
        """Raises what ended a shopper otherwise than by being cut off."""
        for outcome in outcomes:
            if isinstance(outcome, asyncio.CancelledError):
                self.result.tally.errors["outcome unknown: broken off"] += 1
            elif isinstance(outcome, BaseException):
                raise outcome

    async def _shop(self, shopper: Shopper, index: int, plan: Plan) -> None:
        for basket in plan.baskets_of(index):
            if self._is_over:
                return
            if order_id := await shopper.order(basket):
                self._sales.append(Sale(basket.number, OrderId(order_id), shopper.clients))

    async def _send_back(self, prices: Mapping[str, Price]) -> None:
        options, staff = self.options, RestClients(self.options.address, tls=self._tls)
        try:
            await staff.sign_in(options.operator.email, options.operator.password)
            returns = Returns(staff, options.run_id, prices, patience_s=options.patience_s)
            self.result.returned = await returns.run(
                returns.chosen(self._sales, options.return_percent),
                lambda done, total: self._watch(Stage("returning", done, total)),
            )
            self.result.tally.errors.update(returns.errors)
        finally:
            staff.close()

    def _expect(self, till: TillFile, prices: Mapping[str, Price]) -> Totals:
        units, money = 0, Counter[str]()
        for sale in self._sales:
            for sku, quantity in till.baskets[sale.number].items():
                units += quantity
                money[prices[sku].currency] += quantity * prices[sku].amount_minor
        return Totals(len(self._sales), units, money)


async def _read_back(shoppers: list[Shopper]) -> Totals:
    orders, units, money = 0, 0, Counter[str]()
    for shopper in shoppers:
        totals = await shopper.read_back()
        orders, units = orders + totals.orders, units + totals.units
        money.update(totals.money_minor)
    return Totals(orders, units, money)


def _allow_connections(shoppers: int) -> None:
    """Raise the soft limit on open files as far as needed. Raises TooManyShoppers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = shoppers + SPARE_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise TooManyShoppers(
            f"{shoppers} shoppers need {needed} open files, the limit is {hard}; use fewer"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
