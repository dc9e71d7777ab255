"""Changes the rules: each change is a version of its own, with who made it and why."""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts import fraud as contract
from emporion.kernel.clock import Clock
from emporion.services.fraud.domain.rules import (
    Kind,
    Parameters,
    Rule,
    RuleSet,
    mistake_in,
)
from emporion.services.fraud.ports import RuleBook, StoredRules


class RuleCommands:
    """Stores rules that can be used; the screener takes them up with its next batch."""

    def __init__(self, database: Database, book: RuleBook, clock: Clock) -> None:
        self._database = database
        self._book = book
        self._clock = clock

    async def put(self, request: contract.PutRules, actor: str) -> StoredRules:
        """A new version; the one in force when it says the same. Raises BadRules, RulesChanged."""
        rule_set = usable(request.threshold, request.rules)

        async def work(tx: Tx) -> StoredRules:
            await tx.lock("fraud rules")
            current = await self._book.current(tx)
            if current.rule_set == rule_set:
                return current
            if current.version != request.based_on:
                raise contract.RulesChanged(
                    f"version {current.version} is in force", version=current.version
                )
            stored = StoredRules(
                current.version + 1, rule_set, self._clock.now_ms(), actor, request.note
            )
            await self._book.add(tx, stored)
            return stored

        return await self._database.transaction(work)


def usable(threshold: int, rules: list[contract.Rule]) -> RuleSet:
    """The rules of a request. Raises BadRules."""
    rule_set = RuleSet(threshold, tuple(_rule(each) for each in rules))
    mistake = mistake_in(rule_set)
    if mistake is None:
        return rule_set
    where = f"{mistake.rule}: " if mistake.rule else ""
    raise contract.BadRules(f"{where}{mistake.why}", rule=mistake.rule or None)


def _rule(given: contract.Rule) -> Rule:
    parameters = {name: getattr(given.parameters, name) for name in Parameters.__struct_fields__}
    return Rule(
        given.name,
        Kind(given.kind.value),
        given.weight,
        Parameters(**parameters),
        given.is_enabled,
    )
