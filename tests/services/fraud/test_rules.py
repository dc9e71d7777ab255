"""The rules: what each kind counts, what is refused, and what is remembered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.services.fraud.domain.facts import (
    TRIES_MAX,
    WINDOW_S_MAX,
    Facts,
    Order,
    Past,
    Sum,
    Trail,
    facts_of,
)
from emporion.services.fraud.domain.judging import Judge
from emporion.services.fraud.domain.review import LIFECYCLE, Act, Status, after
from emporion.services.fraud.domain.rules import (
    DEFAULT,
    RULES_MAX,
    TAKES,
    Kind,
    Parameters,
    Rule,
    RuleSet,
    mistake_in,
)

EVERY_KIND = {
    Kind.AMOUNT: Parameters(amount_minor=100, currency="EUR"),
    Kind.USER_VELOCITY: Parameters(window_s=60, more_than=2),
    Kind.METHOD_VELOCITY: Parameters(window_s=60, more_than=2),
    Kind.METHOD_USERS: Parameters(window_s=60, more_than=1),
    Kind.DECLINES: Parameters(window_s=60, more_than=1),
    Kind.AMOUNT_OVER_HISTORY: Parameters(percent=200, orders_min=2),
    Kind.NEW_ACCOUNT: Parameters(age_s=60),
    Kind.NEW_CURRENCY: Parameters(orders_min=2),
}
NOW_MS = WINDOW_S_MAX * 3_000
PLAIN = Facts(amount_minor=99, currency="EUR", placed_at_ms=NOW_MS, account_age_s=60)
OK, NO = False, True


def past(*tries: tuple[int, bool] | tuple[int, bool, int]) -> Past:
    """How long ago in seconds, whether declined, and by which person, if not the one who orders."""
    oldest_first = sorted(tries, reverse=True)
    return Past(
        b"".join((NOW_MS - each[0] * 1_000).to_bytes(6, "big") for each in oldest_first),
        bytes(each[1] for each in oldest_first),
        bytes((*each, 0)[2] for each in oldest_first),
    )


def numbered(number: int) -> str:
    return f"ord_{number:032x}"


def instants(row: bytes) -> list[int]:
    return [int.from_bytes(row[at : at + 6], "big") for at in range(0, len(row), 6)]


ME, BEA, CLEO = ("usr_" + "0" * 31 + digit for digit in "abc")


def order(number: int, at_ms: int) -> Order:
    return Order(numbered(number), ME, 1, "EUR", at_ms, "m")


def seen(kind: Kind, facts: Facts) -> int | None:
    """What a rule of that kind saw; None when it did not count."""
    judged = Judge(RuleSet(1, (Rule("it", kind, 7, EVERY_KIND[kind]),))).judge(facts)
    assert judged.score == 7 * len(judged.fired)
    return judged.fired[0].observed if judged.fired else None


def facts(**but: object) -> Facts:
    given = {name: getattr(PLAIN, name) for name in Facts.__struct_fields__}
    return Facts(**{**given, **but})


@pytest.mark.parametrize("kind", Kind)
def test_nothing_counts_for_an_ordinary_order(kind: Kind):
    assert seen(kind, PLAIN) is None


@pytest.mark.parametrize(
    ("kind", "what", "observed"),
    [
        (Kind.AMOUNT, facts(amount_minor=100), 100),
        (Kind.AMOUNT, facts(amount_minor=100, currency="USD"), None),
        (Kind.USER_VELOCITY, facts(own=past((0, OK), (59, OK))), 3),
        (Kind.USER_VELOCITY, facts(own=past((0, OK), (60, OK))), None),
        (Kind.USER_VELOCITY, facts(own=past((0, OK), (1, NO))), None),
        (Kind.METHOD_VELOCITY, facts(has_method=True, method=past((0, OK), (59, OK))), 3),
        (Kind.METHOD_VELOCITY, facts(has_method=True, own=past((0, OK), (9, OK))), None),
        (Kind.METHOD_USERS, facts(has_method=True, method=past((0, OK, 1))), 2),
        (Kind.METHOD_USERS, facts(has_method=True, method=past((0, OK), (60, OK, 1))), None),
        (Kind.DECLINES, facts(own=past((0, NO), (59, NO))), 2),
        (Kind.DECLINES, facts(own=past((0, NO), (59, OK), (60, NO))), None),
        (Kind.AMOUNT_OVER_HISTORY, facts(amount_minor=201, sums={"EUR": Sum(2, 200)}), 201),
        (Kind.AMOUNT_OVER_HISTORY, facts(amount_minor=200, sums={"EUR": Sum(2, 200)}), None),
        (Kind.AMOUNT_OVER_HISTORY, facts(amount_minor=900, sums={"EUR": Sum(1, 100)}), None),
        (Kind.AMOUNT_OVER_HISTORY, facts(amount_minor=900, sums={"USD": Sum(2, 200)}), None),
        (Kind.AMOUNT_OVER_HISTORY, facts(amount_minor=900, sums={"EUR": Sum(2, 0)}), None),
        (Kind.NEW_ACCOUNT, facts(account_age_s=59), 59),
        (Kind.NEW_ACCOUNT, facts(account_age_s=None), None),
        (Kind.NEW_CURRENCY, facts(sums={"USD": Sum(1, 1), "JPY": Sum(1, 1)}), 2),
        (Kind.NEW_CURRENCY, facts(sums={"USD": Sum(1, 1)}), None),
        (Kind.NEW_CURRENCY, facts(sums={"EUR": Sum(1, 1), "JPY": Sum(9, 1)}), None),
    ],
)
def test_a_rule_counts_what_its_kind_says(kind: Kind, what: Facts, observed: int | None):
    assert seen(kind, what) == observed


def test_the_score_is_the_sum_of_the_weights_that_count_and_rules_that_are_off_do_not():
    rules = tuple(
        Rule(f"rule-{number}", Kind.AMOUNT, number, EVERY_KIND[Kind.AMOUNT], number != 2)
        for number in (1, 2, 3)
    )
    judged = Judge(RuleSet(4, rules)).judge(facts(amount_minor=100))

    assert (judged.score, judged.is_held) == (4, True)
    assert [each.name for each in judged.fired] == ["rule-1", "rule-3"]


def test_the_shipped_rules_can_be_used():
    assert mistake_in(DEFAULT) is None


@pytest.mark.parametrize("kind", Kind)
def test_a_rule_takes_the_parameters_of_its_kind_and_no_others(kind: Kind):
    assert mistake_in(RuleSet(1, (Rule("it", kind, 1, EVERY_KIND[kind]),))) is None
    given = {name: getattr(EVERY_KIND[kind], name) for name in TAKES[kind]}
    spare = next(n for n in ("window_s", "age_s") if n not in given)
    for wrong in (
        {name: value for name, value in given.items() if name != next(iter(given))},
        {**given, spare: 5},
        {},
    ):
        mistake = mistake_in(RuleSet(1, (Rule("it", kind, 1, Parameters(**wrong)),)))
        assert mistake is not None
        assert mistake.rule == "it"
        assert mistake.why.startswith(f"{kind} takes ")


@pytest.mark.parametrize(
    ("kind", "but"),
    [
        (Kind.AMOUNT, {"amount_minor": 0}),
        (Kind.AMOUNT, {"currency": "EURO"}),
        (Kind.USER_VELOCITY, {"window_s": WINDOW_S_MAX + 1}),
        (Kind.USER_VELOCITY, {"window_s": 0}),
        (Kind.DECLINES, {"more_than": TRIES_MAX}),
        (Kind.DECLINES, {"more_than": -1}),
        (Kind.AMOUNT_OVER_HISTORY, {"percent": 0}),
        (Kind.AMOUNT_OVER_HISTORY, {"orders_min": 0}),
        (Kind.NEW_ACCOUNT, {"age_s": 0}),
    ],
)
def test_a_parameter_with_which_a_rule_could_never_count_is_refused(kind: Kind, but):
    given = {name: getattr(EVERY_KIND[kind], name) for name in TAKES[kind]}
    assert mistake_in(RuleSet(1, (Rule("it", kind, 1, Parameters(**{**given, **but})),)))


def rule(number: int = 1, weight: int = 1) -> Rule:
    return Rule(f"rule-{number}", Kind.AMOUNT, weight, EVERY_KIND[Kind.AMOUNT])


@pytest.mark.parametrize(
    "rule_set",
    [
        RuleSet(0, ()),
        RuleSet(10**6, ()),
        RuleSet(1, (rule(), rule())),
        RuleSet(1, (rule(weight=0),)),
        RuleSet(1, (rule(weight=1_001),)),
        RuleSet(1, tuple(rule(number) for number in range(RULES_MAX + 1))),
    ],
)
def test_a_set_that_makes_no_sense_is_refused(rule_set: RuleSet):
    assert mistake_in(rule_set)


@given(st.lists(st.integers(0, WINDOW_S_MAX * 3_000), max_size=100))
def test_a_trail_keeps_the_newest_tries_and_stays_small(told: list[int]):
    trail = Trail()
    for number, at_ms in enumerate(told):
        trail = trail.with_try(at_ms, numbered(number), is_declined=bool(number % 2), who=ME)

    kept = instants(trail.instants)
    assert len(kept) <= TRIES_MAX
    assert kept == sorted(kept)
    if told:
        numbers = sorted(range(len(told)), key=lambda number: told[number])[-TRIES_MAX:]
        fresh = [each for each in numbers if told[each] >= max(told) - WINDOW_S_MAX * 1_000]
        assert kept == [told[each] for each in fresh]
        assert list(trail.declined) == [each % 2 for each in fresh]
        assert trail.orders == b"".join(each.to_bytes(8, "big") for each in fresh)
        assert len(trail.people) == len(trail.orders)
        assert [number for number in range(len(told)) if trail.has(numbered(number))] == sorted(
            fresh
        )


@given(st.lists(st.integers(1, 10**9), min_size=1))
def test_sums_lose_nothing(amounts: list[int]):
    trail = Trail()
    for amount in amounts:
        trail = trail.with_sale(amount, "EUR")

    assert trail.sums == {"EUR": Sum(len(amounts), sum(amounts))}


def test_people_of_a_method_are_numbers_and_the_one_who_orders_is_zero():
    trail = Trail()
    for at_ms, who in enumerate((BEA, ME, CLEO, BEA, ME)):
        trail = trail.with_try(at_ms, numbered(at_ms), is_declined=False, who=who)

    known = facts_of(order(9, 9_000), Trail(), trail)

    assert list(known.method.people) == [1, 0, 2, 1, 0]


def test_an_order_is_judged_by_what_was_tried_until_its_instant_and_not_by_itself():
    own, method = Trail(), Trail()
    for at_ms, who in ((1, BEA), (2, ME), (3, CLEO), (4, BEA)):
        own = own.with_try(at_ms, numbered(at_ms), is_declined=at_ms == 1)
        method = method.with_try(at_ms, numbered(at_ms), is_declined=at_ms == 1, who=who)

    known = facts_of(order(2, 3), own, method)

    assert instants(known.own.instants) == instants(known.method.instants) == [1, 3]
    assert known.own.declined == known.method.declined == b"\1\0"
    assert list(known.method.people) == [1, 2]


def test_ids_that_only_look_alike_when_joined_are_told_apart():
    trail = Trail().with_try(1, numbered(0x0102), is_declined=False)
    trail = trail.with_try(2, numbered(0x0304), is_declined=False)

    assert not trail.has(numbered(0x0102 << 48))
    assert not trail.has(numbered(0x0102_0000_0000_0000))
    assert trail.has(numbered(0x0102))


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("act", Act)
def test_what_is_not_in_the_table_of_a_review_is_refused(status: Status, act: Act):
    assert after(status, act) == LIFECYCLE.get((status, act))
    if status is Status.WITHDRAWN:
        assert after(status, act) is None
