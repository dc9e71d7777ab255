"""How an order is judged: what a rule of each kind looks at, and what the rules add up to."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from emporion.kernel.money import Money
from emporion.kernel.value import Value
from emporion.services.fraud.domain.facts import Facts, Past
from emporion.services.fraud.domain.rules import Kind, Parameters, RuleSet


class Fired(Value, frozen=True, gc=False):
    """A rule that counted, and what it saw."""

    name: str
    kind: Kind
    weight: int
    observed: int
    limit: int
    says: str


class Judgement(NamedTuple):
    """What the rules make of an order."""

    score: int
    is_held: bool
    fired: tuple[Fired, ...]


class Sight(NamedTuple):
    """What a rule saw: a number, what it was compared with, and the sentence about it."""

    observed: int
    limit: int
    says: str


_MS = 1_000
Look = Callable[[Facts], Sight | None]
"""None: the rule is not about this order."""


class Judge:
    """A rule set, made ready: looking at an order costs a call for each rule."""

    def __init__(self, rule_set: RuleSet) -> None:
        self.threshold = rule_set.threshold
        self._looks = [
            (rule, _READY[rule.kind](rule.parameters)) for rule in rule_set.rules if rule.is_enabled
        ]

    def judge(self, facts: Facts) -> Judgement:
        """The score of an order, and which rules it is made of."""
        score, fired = 0, []
        for rule, look in self._looks:
            sight = look(facts)
            if sight is not None:
                score += rule.weight
                fired.append(Fired(rule.name, rule.kind, rule.weight, *sight))
        return Judgement(score, score >= self.threshold, tuple(fired))


def _number(parameter: int | None) -> int:
    assert parameter is not None  # noqa: S101 - `mistake_in` was asked before
    return parameter


def _start(past: Past, facts: Facts, window_s: int) -> int:
    """The place of the first try within a window before the order."""
    return past.later_than(facts.placed_at_ms - window_s * _MS)


def _amount(given: Parameters) -> Look:
    limit, currency = _number(given.amount_minor), given.currency or ""
    least = Money(limit, currency)

    def look(facts: Facts) -> Sight | None:
        if facts.currency != currency or facts.amount_minor < limit:
            return None
        paid = Money(facts.amount_minor, currency)
        return Sight(facts.amount_minor, limit, f"{paid}, at least {least}")

    return look


def _user_velocity(given: Parameters) -> Look:
    return _velocity(given, lambda facts: facts.own, "the person")


def _method_velocity(given: Parameters) -> Look:
    return _velocity(
        given, lambda facts: facts.method if facts.has_method else None, "this payment method"
    )


def _velocity(given: Parameters, past_of: Callable[[Facts], Past | None], whose: str) -> Look:
    window_s, limit = _number(given.window_s), _number(given.more_than)

    def look(facts: Facts) -> Sight | None:
        past = past_of(facts)
        if past is None or len(past.declined) < limit:
            return None
        number = 1 + past.declined.count(0, _start(past, facts, window_s))
        if number <= limit:
            return None
        return Sight(number, limit, f"{number} orders of {whose} within {window_s} s")

    return look


def _method_users(given: Parameters) -> Look:
    window_s, limit = _number(given.window_s), _number(given.more_than)

    def look(facts: Facts) -> Sight | None:
        if len(facts.method.declined) < limit:
            return None
        number = len({0, *facts.method.people[_start(facts.method, facts, window_s) :]})
        if number <= limit:
            return None
        return Sight(number, limit, f"{number} people with this payment method within {window_s} s")

    return look


def _declines(given: Parameters) -> Look:
    window_s, limit = _number(given.window_s), _number(given.more_than)

    def look(facts: Facts) -> Sight | None:
        if facts.own.declined.count(1) <= limit:
            return None
        number = facts.own.declined.count(1, _start(facts.own, facts, window_s))
        if number <= limit:
            return None
        return Sight(number, limit, f"{number} declined payments within {window_s} s before")

    return look


def _amount_over_history(given: Parameters) -> Look:
    limit, orders_min = _number(given.percent), _number(given.orders_min)

    def look(facts: Facts) -> Sight | None:
        before = facts.sums.get(facts.currency)
        if before is None or before.orders < orders_min or before.amount_minor <= 0:
            return None
        percent = facts.amount_minor * before.orders * 100 // before.amount_minor
        if percent <= limit:
            return None
        return Sight(percent, limit, f"{percent} % of the mean of {before.orders} orders")

    return look


def _new_account(given: Parameters) -> Look:
    limit = _number(given.age_s)

    def look(facts: Facts) -> Sight | None:
        age_s = facts.account_age_s
        if age_s is None or age_s >= limit:
            return None
        return Sight(age_s, limit, f"an account {age_s} s old")

    return look


def _new_currency(given: Parameters) -> Look:
    orders_min = _number(given.orders_min)

    def look(facts: Facts) -> Sight | None:
        if facts.currency in facts.sums:
            return None
        number = sum(each.orders for each in facts.sums.values())
        if number < orders_min:
            return None
        says = f"the first order in {facts.currency} after {number} in other currencies"
        return Sight(number, orders_min, says)

    return look


_READY: Mapping[Kind, Callable[[Parameters], Look]] = {
    Kind.AMOUNT: _amount,
    Kind.USER_VELOCITY: _user_velocity,
    Kind.METHOD_VELOCITY: _method_velocity,
    Kind.METHOD_USERS: _method_users,
    Kind.DECLINES: _declines,
    Kind.AMOUNT_OVER_HISTORY: _amount_over_history,
    Kind.NEW_ACCOUNT: _new_account,
    Kind.NEW_CURRENCY: _new_currency,
}
