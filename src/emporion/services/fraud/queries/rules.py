"""The rules, their versions, and what others would have made of past orders."""

from collections import Counter

from emporion.chassis.data.database import Database, Tx
from emporion.contracts import fraud as contract
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ORDER, OrderId, has_prefix
from emporion.services.fraud.commands.rules import usable
from emporion.services.fraud.domain.judging import Judge
from emporion.services.fraud.domain.review import Status
from emporion.services.fraud.domain.rules import Parameters, Rule, RuleSet
from emporion.services.fraud.ports import Replayed, RuleBook, ScreeningStore, StoredRules

ORDERS_TOLD_MAX = 20


class RuleQueries:
    """Reads of what is committed."""

    def __init__(self, database: Database, book: RuleBook, store: ScreeningStore) -> None:
        self._database = database
        self._book = book
        self._store = store

    async def get(self, version: int | None) -> contract.RuleSet:
        """The rules in force, or those of a version. Raises NotFound."""

        async def work(tx: Tx) -> StoredRules | None:
            if version is None:
                return await self._book.current(tx)
            return await self._book.version(tx, version)

        stored = await self._database.read(work)
        if stored is None:
            raise NotFound(f"there is no version {version}")
        return view(stored)

    async def backtest(self, request: contract.Backtest) -> contract.BacktestPage:
        """See FraudService.backtest. Raises BadRules or UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, ORDER):
            raise UnknownCursor
        limit = request.limit

        async def work(tx: Tx) -> tuple[StoredRules, list[Replayed]]:
            rows = await self._store.replayed(tx, after=request.cursor, limit=limit + 1)
            return await self._book.current(tx), rows

        current, found = await self._database.read(work)
        judge = Judge(_proposed(request, current.rule_set))
        return _tested(judge, found[:limit], found[limit - 1].order_id if found[limit:] else "")


def _proposed(request: contract.Backtest, current: RuleSet) -> RuleSet:
    """The rules to try: those in force where nothing else is proposed. Raises BadRules."""
    threshold = current.threshold if request.threshold is None else request.threshold
    return usable(threshold, request.rules or [_rule(each) for each in current.rules])


def _tested(judge: Judge, page: list[Replayed], next_cursor: str) -> contract.BacktestPage:
    held = {each.order_id for each in page if judge.judge(each.facts).is_held}
    reviews = Counter(each.review for each in page if each.order_id in held)
    before = {each.order_id for each in page if each.is_held}
    return contract.BacktestPage(
        screened=len(page),
        held=len(held),
        were_held=len(before),
        released=reviews[Status.RELEASED],
        rejected=reviews[Status.REJECTED],
        open=reviews[Status.OPEN],
        newly_held=len(held - before),
        no_longer_held=len(before - held),
        orders=[OrderId(order_id) for order_id in sorted(held - before)[:ORDERS_TOLD_MAX]],
        next_cursor=next_cursor,
    )


def view(stored: StoredRules) -> contract.RuleSet:
    """A version of the rules as others see it."""
    at_ms = stored.stored_at_ms
    return contract.RuleSet(
        version=stored.version,
        threshold=stored.rule_set.threshold,
        rules=[_rule(each) for each in stored.rule_set.rules],
        stored_at=None if at_ms is None else to_datetime(at_ms),
        stored_by=stored.stored_by,
        note=stored.note,
    )


def _rule(rule: Rule) -> contract.Rule:
    parameters = {name: getattr(rule.parameters, name) for name in Parameters.__struct_fields__}
    return contract.Rule(
        name=rule.name,
        kind=contract.RuleKind(rule.kind.value),
        weight=rule.weight,
        parameters=contract.RuleParameters(**parameters),
        is_enabled=rule.is_enabled,
    )
