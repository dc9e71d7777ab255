"""When a look at the database may be saved."""

import pytest

from emporion.kernel.ids import OrderId
from emporion.services.payment.commands import first_sight
from emporion.services.payment.commands.first_sight import FirstSight
from tests.services.payment.desk import Desk, request

START_MS = 1_000_000


def made(at_ms: int, number: int = 0) -> OrderId:
    return OrderId(f"ord_{at_ms:012x}{number:020x}")


def test_an_order_made_after_the_start_is_new_once():
    sight = FirstSight(START_MS, is_sole_writer=True)

    assert [sight.is_first(made(START_MS + 1)) for _ in range(3)] == [True, False, False]


def test_an_order_from_before_the_start_has_to_be_looked_up():
    sight = FirstSight(START_MS, is_sole_writer=True)

    assert not sight.is_first(made(START_MS - 1))
    assert not sight.is_first(made(START_MS, 0xFFFF))


def test_where_others_write_too_every_order_has_to_be_looked_up():
    sight = FirstSight(START_MS, is_sole_writer=False)

    assert not sight.is_first(made(START_MS + 1))
    assert not sight.is_first(OrderId("ord_" + "f" * 32))


def test_what_is_forgotten_has_to_be_looked_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(first_sight, "REMEMBERED_MAX", 3)
    sight = FirstSight(START_MS, is_sole_writer=True)
    orders = [made(START_MS + 1, number) for number in range(10)]
    assert all(sight.is_first(order) for order in orders)

    assert not any(sight.is_first(order) for order in orders)
    assert not sight.is_first(made(START_MS + 1, 5))
    assert sight.is_first(made(START_MS + 2))


async def test_a_first_charge_reads_nothing_when_nobody_else_writes(desk: Desk):
    """Everything in the `desk` tests holds both ways; this is the difference."""
    reads = 0
    read = desk.database.read

    async def counted(work):
        nonlocal reads
        reads += 1
        return await read(work)

    desk.database.read = counted  # type: ignore[method-assign]
    await desk.service.charge(request(order=1))
    first = reads
    await desk.service.charge(request(order=1))

    assert (first, reads) == ((0, 1) if desk.needs.is_sole_writer else (1, 2))
