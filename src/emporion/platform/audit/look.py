"""One look at all books, and a second one that tells violations from orders in flight."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from emporion.platform.audit.facts import Finding, Story, Violation
from emporion.platform.audit.rules import RULES

PAUSE_S = 1.0
Look = Callable[[], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class Report:
    """What the audit found; `looks` is how often it looked."""

    findings: Sequence[Finding]
    is_running: bool
    looks: int
    elapsed_s: float

    @property
    def violations(self) -> int:
        """How many books do not balance; warnings not counted."""
        return sum(finding.total for finding in self.findings if not finding.is_warning)


async def until_sure(look: Look, *, is_running: bool, wait_s: float) -> Report:
    """Look; beside a running shop look again until what is left was wrong every time.

    An order in flight is seen half-way by one look and whole by the next. At least two looks,
    PAUSE_S apart; at most until `wait_s` has passed.
    """
    started_s = time.monotonic()
    findings, looks = await look(), 1
    while is_running and any(f.total and not f.is_warning for f in findings):
        if looks > 1 and time.monotonic() - started_s >= wait_s:
            break
        await asyncio.sleep(PAUSE_S)
        findings, looks = _in_both(findings, await look()), looks + 1
    return Report(findings, is_running, looks, time.monotonic() - started_s)


def _in_both(before: Sequence[Finding], now: Sequence[Finding]) -> list[Finding]:
    seen = {(v.check, v.subject) for finding in before for v in finding.violations}
    confirmed = []
    for finding in now:
        if finding.is_warning:
            confirmed.append(finding)
            continue
        kept = [v for v in finding.violations if (v.check, v.subject) in seen]
        # More than can be listed cannot be compared one by one: then they count as they are.
        is_overfull = finding.total > len(finding.violations)
        total = finding.total if is_overfull and kept else len(kept)
        confirmed.append(Finding(finding.check, finding.examined, kept, total))
    return confirmed


async def apply_rules(stories: AsyncIterator[Story]) -> list[Finding]:
    """Every rule over every order."""
    findings = {name: Finding(name, 0, [], 0) for name in RULES}
    rules = [(rule, findings[name]) for name, rule in RULES.items()]
    async for story in stories:
        for rule, finding in rules:
            said = rule(story)
            if said is None:
                continue
            finding.examined = (finding.examined or 0) + 1
            if said:
                finding.add(Violation(finding.check, story.order_id, said))
    return list(findings.values())
