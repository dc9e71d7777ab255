"""Rules as data: stored in versions, checked, in force with the next order, tried on past ones."""

import asyncio

import pytest

from emporion.contracts.fraud import (
    Backtest,
    BacktestPage,
    BadRules,
    Decide,
    PutRules,
    Rule,
    RuleKind,
    RuleParameters,
    RulesChanged,
    RuleSet,
    RulesOf,
    Verdict,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.errors import NotFound
from emporion.kernel.money import Money
from tests.services.fraud.watch import OFFICER, Watch, order_id


def dear(amount_minor: int, weight: int = 100) -> Rule:
    return Rule(
        name="dear",
        kind=RuleKind.AMOUNT,
        weight=weight,
        parameters=RuleParameters(amount_minor=amount_minor, currency="EUR"),
    )


def rules(*given: Rule, based_on: int = 0, threshold: int = 100) -> PutRules:
    return PutRules(based_on=based_on, threshold=threshold, rules=list(given), note="tighter")


async def put(watch: Watch, request: PutRules) -> RuleSet:
    stored: RuleSet = await watch.ask("put_rules", request)
    return stored


async def test_the_shipped_rules_are_version_0_and_were_stored_by_nobody(watch: Watch):
    shipped = await watch.service.get_rules(RulesOf())

    assert (shipped.version, shipped.stored_at, shipped.stored_by) == (0, None, "")
    assert shipped.threshold == 100
    assert len(shipped.rules) == 8


async def test_stored_rules_are_in_force_with_the_next_order_and_revise_none(watch: Watch):
    await watch.deliver(watch.paid(1))
    stored = await put(watch, rules(dear(1_000)))
    await watch.deliver(watch.paid(2))

    assert (stored.version, stored.stored_by, stored.note) == (1, OFFICER, "tighter")
    assert await watch.service.get_rules(RulesOf()) == stored
    first, second = await watch.screening(1), await watch.screening(2)
    assert (first.verdict, first.rules_version) == (Verdict.CLEAR, 0)
    assert (second.verdict, second.rules_version) == (Verdict.HOLD, 1)


async def test_storing_what_is_in_force_again_changes_nothing(watch: Watch):
    first = await put(watch, rules(dear(1_000)))

    assert await put(watch, rules(dear(1_000))) == first
    assert await watch.rows("SELECT version FROM fraud_rules") == [(1,)]


async def test_what_somebody_else_changed_meanwhile_is_not_overwritten(watch: Watch):
    await put(watch, rules(dear(1_000)))

    with pytest.raises(RulesChanged) as refused:
        await put(watch, rules(dear(2_000)))
    assert refused.value.fields == {"version": 1}

    outcomes = await asyncio.gather(
        *(put(watch, rules(dear(amount), based_on=1)) for amount in (3_000, 4_000)),
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes].count(RulesChanged) == 1


async def test_rules_that_cannot_be_used_are_refused_by_name_and_not_stored(watch: Watch):
    nonsense = Rule(
        name="odd", kind=RuleKind.NEW_ACCOUNT, weight=1, parameters=RuleParameters(window_s=5)
    )
    with pytest.raises(BadRules, match="odd: new_account takes age_s, nothing else") as refused:
        await put(watch, rules(nonsense))
    assert refused.value.fields == {"rule": "odd"}
    with pytest.raises(BadRules, match="a threshold is"):
        await put(watch, rules(threshold=0))
    with pytest.raises(BadRules):
        await watch.service.backtest(Backtest(rules=[nonsense]))

    assert (await watch.service.get_rules(RulesOf())).version == 0


async def test_every_version_can_be_read_again(watch: Watch):
    stored = [await put(watch, rules(dear(n), based_on=n - 1)) for n in (1, 2, 3)]

    for each in stored:
        assert await watch.service.get_rules(RulesOf(version=each.version)) == each
    assert (await watch.service.get_rules(RulesOf(version=0))).version == 0
    with pytest.raises(NotFound):
        await watch.service.get_rules(RulesOf(version=4))


async def test_a_backtest_says_what_other_rules_would_have_held_and_changes_nothing(watch: Watch):
    await watch.hold(1, 2, 3, 4)
    await watch.ask("release", Decide(order_id=order_id(1), reason="known"))
    await watch.ask("reject", Decide(order_id=order_id(2), reason="stolen"))
    await watch.deliver(watch.paid(5, amount=Money(5_000, "EUR")), watch.paid(6))
    before = await watch.rows("SELECT * FROM screening ORDER BY order_id")

    tighter = await watch.service.backtest(Backtest(rules=[dear(5_000)]))
    looser = await watch.service.backtest(Backtest(threshold=101))
    same = await watch.service.backtest(Backtest())

    assert tighter == BacktestPage(
        screened=6,
        held=5,
        were_held=4,
        released=1,
        rejected=1,
        open=2,
        newly_held=1,
        no_longer_held=0,
        orders=[order_id(5)],
        next_cursor="",
    )
    assert (looser.held, looser.no_longer_held) == (0, 4)
    assert (same.held, same.newly_held, same.no_longer_held) == (4, 0, 0)
    assert await watch.rows("SELECT * FROM screening ORDER BY order_id") == before


async def test_a_backtest_sees_each_order_as_it_was_when_it_was_placed(watch: Watch):
    await watch.deliver(*(watch.paid(number) for number in range(1, 6)))
    velocity = Rule(
        name="two",
        kind=RuleKind.USER_VELOCITY,
        weight=100,
        parameters=RuleParameters(window_s=60, more_than=2),
    )

    page = await watch.service.backtest(Backtest(rules=[velocity]))

    assert page.orders == [order_id(number) for number in (3, 4, 5)]


async def test_a_backtest_goes_over_all_orders_in_pages(watch: Watch):
    await watch.deliver(*(watch.paid(number) for number in range(1, 8)))
    pages, cursor = [], ""
    while True:
        page = await watch.service.backtest(Backtest(rules=[dear(1)], limit=3, cursor=cursor))
        pages.append(page.held)
        cursor = page.next_cursor
        if not cursor:
            break

    assert pages == [3, 3, 1]
    with pytest.raises(UnknownCursor):
        await watch.service.backtest(Backtest(cursor="7"))
