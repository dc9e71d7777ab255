"""Rules of fraud as a YAML file: printed, read with every mistake named, tried and stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from emporion.contracts.fraud import BacktestPage, PutRules, Rule, RuleSet
from emporion.kernel.errors import InvalidArgument

ORDERS_TOLD_MAX = 20
_HEAD = """\
# The rules by which orders are judged: the weights of those that count are summed, and a score that
# reaches the threshold holds the order. docs/guides/fraud.md says what each kind takes.
"""


class UnreadableRules(InvalidArgument):
    """The file holds no rules; the detail says where it is wrong."""

    slug = "unreadable-rules"
    title = "The file holds no rules"


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    threshold: int
    rules: list[Rule]
    based_on: int = 0


@dataclass(frozen=True, slots=True)
class RulesFile:
    """What a file says; whether the rules can be used, the service says."""

    based_on: int
    threshold: int
    rules: list[Rule]

    def to_put(self, note: str) -> PutRules:
        """The request that stores them."""
        return PutRules(
            based_on=self.based_on, threshold=self.threshold, rules=self.rules, note=note
        )

    def to_try(self) -> dict[str, Any]:
        """What a back-test is asked to try."""
        return {"threshold": self.threshold, "rules": self.rules}


def read_rules(file: Path) -> RulesFile:
    """The rules in a file. Raises UnreadableRules."""
    try:
        content = msgspec.convert(yaml.safe_load(file.read_text("utf-8")), _Content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise UnreadableRules(f"{file}: {error}") from error
    return RulesFile(content.based_on, content.threshold, content.rules)


def written(stored: RuleSet) -> str:
    """A version of the rules as a file."""
    rules = [_plain(rule) for rule in stored.rules]
    content = {"based_on": stored.version, "threshold": stored.threshold, "rules": rules}
    return _HEAD + yaml.safe_dump(content, sort_keys=False, width=100)


def _plain(rule: Rule) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(rule)
    given = plain["parameters"].items()
    plain["parameters"] = {name: value for name, value in given if value is not None}
    return plain


def added(total: BacktestPage, page: BacktestPage) -> BacktestPage:
    """Two pages of a back-test as one."""
    figures = {
        name: getattr(total, name) + getattr(page, name)
        for name in BacktestPage.__struct_fields__
        if isinstance(getattr(total, name), int)
    }
    orders = (total.orders + page.orders)[:ORDERS_TOLD_MAX]
    return BacktestPage(**figures, orders=orders, next_cursor=page.next_cursor)
