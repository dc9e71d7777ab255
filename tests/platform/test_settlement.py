"""A settlement file is compared whole or not at all, and every difference is named."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from emporion.contracts.payment_books import Movement, MovementKind
from emporion.kernel.ids import OrderId
from emporion.kernel.money import Money
from emporion.platform.settlement import read_settlement, reconcile
from emporion.platform.table_file import BadFile

HEADER = "reference,type,amount,currency,date\n"
ORDER = OrderId("ord_" + "1" * 32)


def file_of(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "settlement.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return path


def moved(reference: str, minor: int, kind: MovementKind = MovementKind.CHARGE, day: int = 2):
    return Movement(
        order_id=ORDER,
        kind=kind,
        reference=reference,
        amount=Money(minor, "EUR"),
        at=datetime(2026, 1, day, 12, tzinfo=UTC),
    )


def test_what_agrees_is_counted_and_what_differs_is_named(tmp_path):
    lines = read_settlement(
        file_of(
            tmp_path,
            "pi_1,charge,12.50,EUR,2026-01-01",
            "re_1,REFUND,2.50,eur,2026-01-02T10:00:00Z",
            "pi_2,charge,9.99,EUR,2026-01-03",
            "pi_3,charge,1.00,EUR,2026-01-03",
        )
    )
    refund = moved("re_1", 250, MovementKind.REFUND)
    ours = [moved("pi_1", 1250), refund, moved("pi_2", 1000), moved("pi_4", 5)]

    result = reconcile(lines, [*ours, moved("pi_5", 7, day=4)])

    assert result.matched == 2
    assert [(d.what, d.reference, d.ours, d.theirs, d.line) for d in result.differences] == [
        ("amount differs", "pi_2", "10.00 EUR", "9.99 EUR", "4"),
        ("missing here", "pi_3", "", "1.00 EUR", "5"),
        ("missing there", "pi_4", "0.05 EUR", "", ""),
    ]


def test_a_charge_and_a_refund_of_one_reference_are_two_things(tmp_path):
    lines = read_settlement(file_of(tmp_path, "x,charge,1,EUR,2026-01-02"))

    result = reconcile(lines, [moved("x", 100, MovementKind.REFUND)])

    assert [each.what for each in result.differences] == ["missing here", "missing there"]


def test_every_wrong_line_is_named_and_nothing_is_compared(tmp_path):
    path = file_of(
        tmp_path,
        "pi_1,charge,12.50,EUR,2026-01-01",
        ",charge,1,EUR,2026-01-01",
        "pi_2,payout,1,EUR,2026-01-01",
        "pi_3,charge,1.234,EUR,2026-01-01",
        "pi_4,charge,1,XXX,2026-01-01",
        "pi_5,charge,1,EUR,yesterday",
        "pi_1,charge,12.50,EUR,2026-01-01",
        "pi_6,charge,1,EUR",
    )

    with pytest.raises(BadFile) as failure:
        read_settlement(path)

    assert [(each.line, each.column) for each in failure.value.mistakes] == [
        (3, "reference"),
        (4, "type"),
        (5, "amount"),
        (6, "currency"),
        (7, "date"),
        (8, "reference"),
        (9, ""),
    ]


def test_a_file_without_its_columns_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")

    with pytest.raises(BadFile):
        read_settlement(path)
