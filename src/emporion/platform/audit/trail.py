"""Proves the trail: every stream's chain, its end, and that it reaches as far as it was sealed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emporion.chassis.data.database import Database
from emporion.chassis.eventstore.past import told
from emporion.chassis.eventstore.trail import Followed, streams
from emporion.kernel.clock import Clock
from emporion.platform.audit.books import OWN_BOOKS, own_findings
from emporion.platform.audit.facts import Finding, Violation
from emporion.platform.audit.seals import FILE, PAGE, Digest, Seal, Sealing, Seals, open_seals
from emporion.platform.reading.shop import open_for_reading

CHAIN = "every event is the one that was written"
SEALED = "every stream reaches as far as it was sealed"
SEALS = "the seals are those that were made"
_ENDS = "replay to the row"
"""How the services' own checks are called that compare a stream's end with the row beside it."""


@dataclass(slots=True)
class Trail:
    """What was found in one service: how much there is, how much is sealed, what is wrong."""

    service: str
    streams: int = 0
    events: int = 0
    sealed_before: Sealing | None = None
    sealed_now: Sealing | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """How many streams, rows or seals are not as they should be."""
        return sum(finding.total for finding in self.findings)


async def audit_trail(
    folder: Path, *, seals_file: Path | None, clock: Clock, is_sealed: bool = True
) -> list[Trail]:
    """Prove the trail of every service in a data folder, and seal what is proved.

    Of the shop nothing is written; the seals lie in `seals_file`, by default beside it. A stream
    in which something is wrong keeps the seal it had. Raises what `open_for_reading` raises.
    """
    async with open_for_reading(folder) as shop, open_seals(seals_file or folder / FILE) as seals:
        databases = {n: each for n, each in shop.databases.items() if each.engine != "mongodb"}
        trails = [
            await _Proof(name, database, seals).run(clock, is_sealed=is_sealed)
            for name, database in databases.items()
        ]
        await _add_ends(trails, databases)
        return [trail for trail in trails if trail.streams or trail.violations]


async def _add_ends(trails: Sequence[Trail], databases: Mapping[str, Database]) -> None:
    """The checks of the services themselves: the last event of a stream against its row."""
    by_name = {trail.service: trail for trail in trails}
    for own in OWN_BOOKS:
        trail = by_name.get(own.service)
        if trail is not None and any(check.endswith(_ENDS) for check in own.examined):
            found = await own_findings(own, databases[own.service])
            trail.findings += [finding for finding in found if finding.check.endswith(_ENDS)]


class _Proof:
    """The proof of one service's trail, its streams and its seals read side by side."""

    def __init__(self, service: str, database: Database, seals: Seals) -> None:
        self._service = service
        self._database = database
        self._seals = seals
        self._trail = Trail(service)
        self._chain = Finding(f"{service}: {CHAIN}", 0, [], 0)
        self._reach = Finding(f"{service}: {SEALED}", 0, [], 0)
        self._waiting: list[Seal] = []
        self._sealed_at = ""

    async def run(self, clock: Clock, *, is_sealed: bool) -> Trail:
        """Follow everything; then the new sealing counts."""
        last = await self._seals.last(self._service)
        self._sealed_at = told(last.at_ms)
        is_next = is_sealed
        if is_next:
            await self._seals.begin(self._service, last)
        number, events, count = last.number + 1, 0, 0
        old = Digest(self._service, await self._seals.before(self._service, last.number))
        new = Digest(self._service, last.digest)
        async for seal in self._followed(last, old):
            new.add(seal)
            events, count = events + seal.version, count + 1
            self._waiting.append(seal)
            if is_next and len(self._waiting) >= PAGE:
                await self._flush(number)
        trail = self._trail
        trail.findings = [self._chain, self._reach, self._about_seals(last, old)]
        trail.sealed_before = last if last.number else None
        if is_next and trail.streams:
            await self._flush(number)
            trail.sealed_now = Sealing(number, clock.now_ms(), count, events, new.bytes())
            await self._seals.finish(self._service, trail.sealed_now)
        return trail

    async def _flush(self, number: int) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            await self._seals.add(self._service, number, waiting)

    async def _followed(self, last: Sealing, old: Digest) -> AsyncIterator[Seal]:
        """Every stream with its seal, by name; yields what is to be sealed of it."""
        sealed = self._seals.of(self._service, last.number)
        seal = await anext(sealed, None)
        async for stream in streams(self._database):
            while seal is not None and seal.stream < stream.stream:
                yield self._vanished(seal, old)
                seal = await anext(sealed, None)
            if seal is None or seal.stream != stream.stream:
                kept = self._looked_at(stream, None)
            else:
                old.add(seal)
                kept = self._looked_at(stream, seal)
                seal = await anext(sealed, None)
            if kept is not None:
                yield kept
        while seal is not None:
            yield self._vanished(seal, old)
            seal = await anext(sealed, None)

    def _looked_at(self, stream: Followed, seal: Seal | None) -> Seal | None:
        """What is to be sealed of a stream: its end, or what was sealed if something is wrong."""
        self._trail.streams += 1
        self._trail.events += len(stream.hashes)
        self._chain.examined = (self._chain.examined or 0) + len(stream.hashes)
        if stream.broken_at:
            detail = f"{stream.broken}{_meaning(stream)}"
            self._chain.add(Violation(self._chain.check, stream.stream, detail))
        is_short = seal is not None and not self._reaches(stream, seal)
        if stream.broken_at or is_short:
            return seal
        return Seal(stream.stream, len(stream.hashes), stream.hashes[-1])

    def _reaches(self, stream: Followed, seal: Seal) -> bool:
        self._reach.examined = (self._reach.examined or 0) + 1
        there = len(stream.hashes)
        if there >= seal.version:
            if stream.hashes[seal.version - 1] == seal.hash:
                return True
            detail = f"its first {seal.version} events are others than those sealed"
        elif stream.broken_at:
            return True  # that is told already, and the seal stays
        else:
            detail = f"{seal.version} events were sealed and {there} are left: the end is cut off"
        self._reach.add(Violation(self._reach.check, stream.stream, self._since(detail)))
        return False

    def _vanished(self, seal: Seal, old: Digest) -> Seal:
        old.add(seal)
        self._reach.examined = (self._reach.examined or 0) + 1
        detail = f"{seal.version} events were sealed and none is left: all of it was deleted"
        self._reach.add(Violation(self._reach.check, seal.stream, self._since(detail)))
        return seal

    def _since(self, detail: str) -> str:
        return f"{detail} (by the seals of {self._sealed_at})"

    def _about_seals(self, last: Sealing, old: Digest) -> Finding:
        finding = Finding(f"{self._service}: {SEALS}", last.streams, [], 0)
        if last.number and old.bytes() != last.digest:
            detail = "they are not those whose digest was written down with them"
            finding.add(Violation(finding.check, f"sealing {last.number}", detail))
        return finding


def _meaning(stream: Followed) -> str:
    if "missing" in stream.broken:
        return ": it was deleted"
    return ": it was edited, or put in by somebody else"
