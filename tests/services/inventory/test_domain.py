"""The rules of stock, for any demand and any shelves."""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.services.inventory.domain import (
    LIFECYCLE,
    OPEN,
    Action,
    Allocation,
    Effect,
    Hold,
    Shelf,
    Status,
    after,
    allocate,
    effect,
    is_same_request,
    units_per_sku,
    verdict,
)

SKUS = st.sampled_from([Sku(name) for name in ("baguette", "croissant", "tart")])
WAREHOUSES = st.sampled_from([WarehouseId(name) for name in ("east", "main", "north", "west")])
LINES = st.lists(st.tuples(SKUS, st.integers(1, 20)), min_size=1, max_size=12)
SHELVES = st.dictionaries(
    SKUS,
    st.dictionaries(WAREHOUSES, st.tuples(st.integers(0, 3), st.integers(0, 30))).map(
        lambda by_id: [Shelf(id_, priority, free) for id_, (priority, free) in by_id.items()]
    ),
)


@given(LINES)
def test_units_of_one_sku_are_summed_over_its_lines_and_sorted(lines):
    wanted = units_per_sku(lines)

    assert list(wanted) == sorted({sku for sku, _ in lines})
    assert sum(wanted.values()) == sum(quantity for _, quantity in lines)


@given(LINES, SHELVES)
def test_an_order_gets_exactly_what_it_wants_or_nothing(lines, shelves):
    wanted = units_per_sku(lines)

    allocations, shortages = allocate(wanted, shelves)

    got = Counter[Sku]()
    for allocation in allocations:
        got[allocation.sku] += allocation.quantity
    assert bool(allocations) != bool(shortages)
    assert dict(got) == ({} if shortages else wanted)


@given(LINES, SHELVES)
def test_no_more_is_taken_from_a_shelf_than_is_free_on_it(lines, shelves):
    allocations, _ = allocate(units_per_sku(lines), shelves)

    free = {
        (sku, shelf.warehouse_id): shelf.available for sku, on in shelves.items() for shelf in on
    }
    taken = Counter({(sku, warehouse): quantity for sku, warehouse, quantity, _ in allocations})
    assert len(taken) == len(allocations)
    assert all(0 < taken[shelf] <= free[shelf] for shelf in taken)


@given(LINES, SHELVES)
def test_a_warehouse_is_touched_only_when_those_before_it_are_empty(lines, shelves):
    wanted = units_per_sku(lines)

    allocations, _ = allocate(wanted, shelves)

    taken = {(sku, warehouse): quantity for sku, warehouse, quantity, _ in allocations}
    for sku in {allocation.sku for allocation in allocations}:
        missing = wanted[sku]
        for shelf in sorted(shelves[sku], key=lambda each: (each.priority, each.warehouse_id)):
            assert taken.get((sku, shelf.warehouse_id), 0) == min(missing, shelf.available)
            missing -= min(missing, shelf.available)


@given(LINES, SHELVES)
def test_every_short_sku_is_named_with_all_that_is_free_of_it(lines, shelves):
    wanted = units_per_sku(lines)

    _, shortages = allocate(wanted, shelves)

    free = {sku: sum(shelf.available for shelf in shelves.get(sku, [])) for sku in wanted}
    assert {(short.sku, short.wanted, short.available) for short in shortages} == {
        (sku, wanted[sku], free[sku]) for sku in wanted if free[sku] < wanted[sku]
    }


@given(LINES, SHELVES)
def test_a_request_is_the_same_however_its_units_are_split_over_lines_and_shelves(lines, shelves):
    wanted = units_per_sku(lines)
    allocations, shortages = allocate(wanted, shelves)
    if shortages:
        return

    hold = Hold(OrderId("ord_1"), Status.HELD, allocations, 0, 1)

    assert is_same_request(hold, units_per_sku(reversed(lines)))
    assert not is_same_request(hold, units_per_sku([*lines, lines[0]]))


def test_what_was_released_is_never_held_again():
    reached = {status for (before, _), status in LIFECYCLE.items() if before is Status.RELEASED}

    assert reached == {Status.RELEASED}
    assert after(Status.RELEASED, Action.RESERVE) is None


def test_every_hold_can_be_released_from_every_status():
    assert {after(status, Action.RELEASE) for status in Status} == {Status.RELEASED}


def test_only_a_held_one_expires_or_is_extended():
    for action in (Action.EXPIRE, Action.EXTEND):
        assert [status for status in Status if after(status, action)] == [Status.HELD]


def test_stock_moves_exactly_when_a_hold_opens_or_ends():
    for before in Status:
        for status in Status:
            change = (before in OPEN, status in OPEN)
            expected = {(False, True): Effect.TAKE, (True, False): Effect.GIVE_BACK}
            assert effect(before, status) is expected.get(change, Effect.NOTHING)


def test_an_overdue_hold_is_let_go_only_when_its_order_needs_it_no_more():
    order_id = OrderId("ord_1")
    actions = {
        (needed, paid): verdict(order_id, is_needed=needed, is_paid=paid, extended_to_ms=9).action
        for needed in (False, True)
        for paid in (False, True)
    }

    assert actions == {
        (False, False): Action.EXPIRE,
        (True, False): Action.EXTEND,
        (True, True): Action.COMMIT,
        (False, True): Action.COMMIT,
    }


def test_an_allocation_is_stored_plainly_and_one_from_before_shipments_is_read():
    allocation = Allocation(Sku("tart"), WarehouseId("main"), 2)

    assert tuple(allocation) == ("tart", "main", 2, 0)
    assert msgspec.json.decode(b'["tart","main",2]', type=Allocation) == allocation
