"""Judges paid orders and remembers what was tried: reactions to events, a batch at a time."""

from collections.abc import Sequence
from typing import NamedTuple

from emporion.chassis.data.database import Tx
from emporion.contracts.fraud import ScreeningCompleted, Verdict
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.ids import OrderId
from emporion.services.fraud.domain.facts import Order, Trail, facts_of
from emporion.services.fraud.domain.judging import Judge
from emporion.services.fraud.ports import RuleBook, ScreeningStore, StoredScreening

_NO_TRAIL = Trail()


class _InForce(NamedTuple):
    """A version of the rules, made ready."""

    version: int
    judge: Judge


class Screener:
    """Screens each paid order once, in the transaction that marks its event as handled.

    Orders are judged by what has been told until then; a verdict is never revised. An attempt
    that is told late counts for the orders after it.
    """

    def __init__(self, store: ScreeningStore, rules: RuleBook, clock: Clock) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._in_force: _InForce | None = None

    async def screen(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Judge orders, keep the reasons, and announce the verdicts."""
        done = await self._store.screened(tx, [order.order_id for order in orders])
        fresh = list({each.order_id: each for each in orders if each.order_id not in done}.values())
        if not fresh:
            return
        trails = await self._store.trails(tx, _subjects(fresh))
        in_force = await self._ready(tx)
        now_ms = self._clock.now_ms()
        screenings = [_screened(order, trails, in_force, now_ms=now_ms) for order in fresh]
        await self._store.save_trails(tx, trails)
        await self._store.add(tx, screenings)
        await tx.publish_many([_completed(each) for each in screenings])

    async def note_declined(self, tx: Tx, orders: Sequence[Order]) -> None:
        """The payments of these orders were declined: orders to come are judged by that, too."""
        await self._store.screened(tx, ())
        trails = await self._store.trails(tx, _subjects(orders))
        for order in orders:
            if not trails[order.user_id].has(order.order_id):
                _remember(order, trails, is_declined=True)
        await self._store.save_trails(tx, trails)

    async def withdraw(self, tx: Tx, order_ids: Sequence[str]) -> None:
        """These orders were called off: nobody needs to decide about them any more."""
        await self._store.withdraw(tx, order_ids, at_ms=self._clock.now_ms())

    async def _ready(self, tx: Tx) -> _InForce:
        """The rules in force, made ready once for each version."""
        stored = await self._rules.current(tx)
        if self._in_force is None or self._in_force.version != stored.version:
            self._in_force = _InForce(stored.version, Judge(stored.rule_set))
        return self._in_force


def _subjects(orders: Sequence[Order]) -> list[str]:
    """Whose trails matter: each once."""
    people = [order.user_id for order in orders]
    methods = [_method(order) for order in orders if order.method]
    return list(dict.fromkeys((*people, *methods)))


def _method(order: Order) -> str:
    return f"method:{order.method}"


def _screened(
    order: Order, trails: dict[str, Trail], in_force: _InForce, *, now_ms: int
) -> StoredScreening:
    """An order, judged; its trails go on from here."""
    facts = facts_of(order, trails[order.user_id], trails.get(_method(order), _NO_TRAIL))
    judged = in_force.judge.judge(facts)
    _remember(order, trails, is_declined=False)
    trails[order.user_id] = trails[order.user_id].with_sale(order.amount_minor, order.currency)
    return StoredScreening(
        order.order_id,
        order.user_id,
        order.amount_minor,
        order.currency,
        judged.is_held,
        judged.score,
        in_force.judge.threshold,
        in_force.version,
        judged.fired,
        facts,
        now_ms,
    )


def _remember(order: Order, trails: dict[str, Trail], *, is_declined: bool) -> None:
    at_ms, order_id, user_id = order.placed_at_ms, order.order_id, order.user_id
    trails[user_id] = trails[user_id].with_try(at_ms, order_id, is_declined=is_declined)
    if order.method:
        name = _method(order)
        trails[name] = trails[name].with_try(at_ms, order_id, is_declined=is_declined, who=user_id)


def _completed(each: StoredScreening) -> ScreeningCompleted:
    return ScreeningCompleted(
        order_id=OrderId(each.order_id),
        verdict=Verdict.HOLD if each.is_held else Verdict.CLEAR,
        score=each.score,
        screened_at=to_datetime(each.screened_at_ms),
    )
