"""Rules as data: the kinds there are, which parameters each takes, and the shipped set."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from emporion.kernel.money import AMOUNT_MINOR_MAX, MINOR_DIGITS
from emporion.kernel.value import Value
from emporion.services.fraud.domain.facts import TRIES_MAX, WINDOW_S_MAX

RULES_MAX = 50
WEIGHT_MAX = 1_000
THRESHOLD_MAX = RULES_MAX * WEIGHT_MAX
PERCENT_MAX = 100_000
AGE_S_MAX = 10 * 365 * 86_400
ORDERS_MIN_MAX = 1_000


class Kind(StrEnum):
    """What a rule looks at."""

    AMOUNT = "amount"
    USER_VELOCITY = "user_velocity"
    METHOD_VELOCITY = "method_velocity"
    METHOD_USERS = "method_users"
    DECLINES = "declines"
    AMOUNT_OVER_HISTORY = "amount_over_history"
    NEW_ACCOUNT = "new_account"
    NEW_CURRENCY = "new_currency"


class Mistake(NamedTuple):
    """Why rules cannot be used; `rule` is empty when it is about all of them."""

    rule: str
    why: str


class Parameters(Value, frozen=True, gc=False, omit_defaults=True):
    """What a rule compares with; each kind takes its own and no others."""

    window_s: int | None = None
    more_than: int | None = None
    percent: int | None = None
    orders_min: int | None = None
    age_s: int | None = None
    amount_minor: int | None = None
    currency: str | None = None


class Rule(Value, frozen=True, gc=False):
    """One rule. Its weight is added to the score of an order that it is about."""

    name: str
    kind: Kind
    weight: int
    parameters: Parameters
    is_enabled: bool = True


class RuleSet(Value, frozen=True, gc=False):
    """All rules. An order whose score reaches the threshold is held."""

    threshold: int
    rules: tuple[Rule, ...]


_WINDOW = ("window_s", "more_than")
TAKES: Mapping[Kind, Sequence[str]] = {
    Kind.AMOUNT: ("amount_minor", "currency"),
    Kind.USER_VELOCITY: _WINDOW,
    Kind.METHOD_VELOCITY: _WINDOW,
    Kind.METHOD_USERS: _WINDOW,
    Kind.DECLINES: _WINDOW,
    Kind.AMOUNT_OVER_HISTORY: ("percent", "orders_min"),
    Kind.NEW_ACCOUNT: ("age_s",),
    Kind.NEW_CURRENCY: ("orders_min",),
}
"""Which parameters a rule of each kind has."""
_RANGES = {
    "window_s": (1, WINDOW_S_MAX),
    "more_than": (0, TRIES_MAX - 1),
    "percent": (1, PERCENT_MAX),
    "orders_min": (1, ORDERS_MIN_MAX),
    "age_s": (1, AGE_S_MAX),
    "amount_minor": (1, AMOUNT_MINOR_MAX),
}
"""A rule that could never count, or always would, is refused."""


def mistake_in(rule_set: RuleSet) -> Mistake | None:
    """The first thing that makes rules unusable, or None."""
    if not 1 <= rule_set.threshold <= THRESHOLD_MAX:
        return Mistake("", f"a threshold is 1..{THRESHOLD_MAX}")
    if len(rule_set.rules) > RULES_MAX:
        return Mistake("", f"there are at most {RULES_MAX} rules")
    names = set()
    for rule in rule_set.rules:
        why = "two rules have this name" if rule.name in names else _wrong_with(rule)
        if why:
            return Mistake(rule.name, why)
        names.add(rule.name)
    return None


def _wrong_with(rule: Rule) -> str:
    """What is wrong with a rule; empty when nothing is."""
    if not 1 <= rule.weight <= WEIGHT_MAX:
        return f"a weight is 1..{WEIGHT_MAX}"
    takes = TAKES[rule.kind]
    for name in Parameters.__struct_fields__:
        given = getattr(rule.parameters, name)
        if (given is not None) != (name in takes):
            return f"{rule.kind} takes {' and '.join(takes)}, nothing else"
        low, high = _RANGES.get(name, (0, 0))
        if isinstance(given, int) and not low <= given <= high:
            return f"{name} is {low}..{high}"
    currency = rule.parameters.currency
    if currency is not None and currency not in MINOR_DIGITS:
        return "currency is a code of ISO 4217, such as EUR"
    return ""


DEFAULT = RuleSet(
    threshold=100,
    rules=(
        Rule(
            "many-orders-of-one-person",
            Kind.USER_VELOCITY,
            60,
            Parameters(window_s=3_600, more_than=10),
        ),
        Rule("declined-before", Kind.DECLINES, 60, Parameters(window_s=3_600, more_than=2)),
        Rule(
            "far-above-the-mean",
            Kind.AMOUNT_OVER_HISTORY,
            50,
            Parameters(percent=500, orders_min=3),
        ),
        Rule("large-amount", Kind.AMOUNT, 40, Parameters(amount_minor=100_000, currency="EUR")),
        Rule("new-currency", Kind.NEW_CURRENCY, 30, Parameters(orders_min=3)),
        Rule("new-account", Kind.NEW_ACCOUNT, 20, Parameters(age_s=3_600)),
        # Off as shipped: the tokens of the test provider are everybody's.
        Rule(
            "one-method-many-people",
            Kind.METHOD_USERS,
            80,
            Parameters(window_s=86_400, more_than=3),
            is_enabled=False,
        ),
        Rule(
            "one-method-many-orders",
            Kind.METHOD_VELOCITY,
            60,
            Parameters(window_s=3_600, more_than=10),
            is_enabled=False,
        ),
    ),
)
"""Version 0: in force until somebody stores another."""
