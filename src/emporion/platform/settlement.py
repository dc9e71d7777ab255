"""A provider's settlement file, compared with the money that our books say it moved."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from emporion.contracts.payment_books import Movement, MovementKind
from emporion.kernel.errors import InvalidArgument
from emporion.kernel.money import Money, parse_amount_minor
from emporion.platform.table_file import Table, TableRow

COLUMNS = ("reference", "type", "amount", "currency", "date")
REFERENCE_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Settled:
    """A line of the file."""

    line: int
    reference: str
    kind: MovementKind
    amount: Money
    on: date


@dataclass(frozen=True, slots=True)
class Difference:
    """What does not fit: `ours` or `theirs` is empty where one side has nothing."""

    what: str
    kind: str
    reference: str
    order_id: str
    ours: str
    theirs: str
    line: str


@dataclass(slots=True)
class Reconciled:
    """The result."""

    matched: int = 0
    differences: list[Difference] = field(default_factory=list)


def read_settlement(path: Path) -> list[Settled]:
    """The lines of a settlement file. Raises BadFile, which names every wrong line."""
    table = Table(path, required=COLUMNS, optional=())
    lines: list[Settled] = []
    first_at: dict[tuple[MovementKind, str], int] = {}
    for row in table:
        settled = _read_line(table, row)
        if settled is None:
            continue
        key = (settled.kind, settled.reference)
        if key in first_at:
            table.report(row.line, "reference", f"stands in line {first_at[key]}, too")
            continue
        first_at[key] = row.line
        lines.append(settled)
    table.raise_mistakes()
    return lines


def reconcile(lines: Sequence[Settled], movements: Sequence[Movement]) -> Reconciled:
    """Compare by reference; ours count where they lie within the days of the file."""
    result = Reconciled()
    ours = {(each.kind, each.reference): each for each in movements}
    days = [line.on for line in lines]
    for line in lines:
        mine = ours.pop((line.kind, line.reference), None)
        if mine is None:
            result.differences.append(_difference("missing here", line, None))
        elif mine.amount != line.amount:
            result.differences.append(_difference("amount differs", line, mine))
        else:
            result.matched += 1
    for mine in ours.values():
        if days and min(days) <= _day(mine.at) <= max(days):
            result.differences.append(_difference("missing there", None, mine))
    return result


def _read_line(table: Table, row: TableRow) -> Settled | None:
    cells, before = row.cells, len(table.mistakes)
    reference = cells["reference"]
    if not reference or len(reference) > REFERENCE_LENGTH_MAX:
        table.report(row.line, "reference", f"must have 1..{REFERENCE_LENGTH_MAX} characters")
    kind = cells["type"].lower()
    if kind not in set(MovementKind):
        table.report(row.line, "type", f"{kind[:40]!r} is neither charge nor refund")
    amount = _amount(table, row)
    on = _date(table, row)
    if len(table.mistakes) > before or amount is None or on is None:
        return None
    return Settled(row.line, reference, MovementKind(kind), amount, on)


def _amount(table: Table, row: TableRow) -> Money | None:
    currency = row.cells["currency"].upper()
    try:
        amount = Money(parse_amount_minor(row.cells["amount"], currency), currency)
    except InvalidArgument as error:
        table.report(row.line, "currency", error.detail)
    except ValueError as error:
        table.report(row.line, "amount", str(error))
    else:
        return amount
    return None


def _date(table: Table, row: TableRow) -> date | None:
    try:
        return date.fromisoformat(row.cells["date"][:10])
    except ValueError:
        table.report(row.line, "date", "write it as 2026-01-31")
        return None


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _difference(what: str, line: Settled | None, mine: Movement | None) -> Difference:
    some = line or mine
    assert some is not None  # noqa: S101 - one of the two is there
    return Difference(
        what=what,
        kind=some.kind.value,
        reference=some.reference,
        order_id=mine.order_id if mine else "",
        ours=str(mine.amount) if mine else "",
        theirs=str(line.amount) if line else "",
        line=str(line.line) if line else "",
    )
