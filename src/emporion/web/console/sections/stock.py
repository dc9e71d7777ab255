"""Stock by warehouse: what lies where, who holds it until when, what moved, and a correction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from emporion.chassis.http.exchange import Response
from emporion.contracts.inventory import (
    AllWarehouses,
    InventoryService,
    ListMovements,
    MovementReason,
    MoveStock,
)
from emporion.contracts.inventory import Movement as Moved
from emporion.contracts.inventory_levels import AvailabilityOf, Level, ListLevels
from emporion.kernel.errors import EmporionError, InvalidArgument, NotFound
from emporion.web.console.acting import act, key_of, reason_of, show
from emporion.web.console.section import Section
from emporion.web.forms import message
from emporion.web.visit import Visit

HOME: Final = "/console/stock"
PER_PAGE: Final = 50
WORDS: Final = {"moved": "The stock is corrected; the movement is the first in the list below."}
REASONS: Final = (
    (MovementReason.ADJUSTED.value, "adjusted: counted otherwise"),
    (MovementReason.RECEIVED.value, "received: a delivery"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which levels, as the address says."""

    sku: str
    warehouse: str
    cursor: str

    def request(self) -> ListLevels:
        """What is asked for. Raises InvalidArgument."""
        return message(
            ListLevels,
            sku=self.sku or None,
            warehouse_id=self.warehouse or None,
            limit=PER_PAGE,
            cursor=self.cursor,
        )

    def address(self, cursor: str = "") -> str:
        """That of the same conditions, from a cursor on."""
        fields = {"sku": self.sku, "warehouse": self.warehouse, "cursor": cursor}
        given = {name: value for name, value in fields.items() if value}
        return f"{HOME}?{urlencode(given)}" if given else HOME


async def levels(visit: Visit) -> Response:
    """What lies where."""
    wanted = Wanted(*(visit.query.text(name) for name in ("sku", "warehouse", "cursor")))
    inventory = visit.ask(InventoryService)
    page, known = await asyncio.gather(
        inventory.list_levels(wanted.request()), inventory.list_warehouses(AllWarehouses())
    )
    return await visit.show(
        "desks/stock.html",
        wanted=wanted,
        levels=page.levels,
        warehouses=known.warehouses,
        first=wanted.address() if wanted.cursor else "",
        next=wanted.address(page.next_cursor) if page.next_cursor else "",
    )


async def one(visit: Visit) -> Response:
    """A SKU. Raises NotFound when nothing of it was ever anywhere."""
    return await _shown(visit, None)


async def move(visit: Visit) -> Response:
    """Correct what lies in a warehouse, once for each form."""

    async def work() -> Moved:
        return await visit.ask(InventoryService).move_stock(_movement(visit))

    return await act(visit, work, onto=_address(visit), done="moved", shown=_shown)


def _movement(visit: Visit) -> MoveStock:
    form = visit.form
    quantity = form.text("quantity").replace("\N{MINUS SIGN}", "-").removeprefix("+")
    if quantity in {"", "0", "-0"}:
        raise InvalidArgument("say how many units more (+) or less (-) there are", field="quantity")
    return message(
        MoveStock,
        movement_key=key_of(visit),
        sku=visit.path["sku"],
        warehouse_id=form.text("warehouse"),
        quantity=quantity,
        reason=form.text("kind"),
        note=reason_of(visit),
    )


async def _shown(visit: Visit, refusal: EmporionError | None) -> Response:
    sku, cursor = visit.path["sku"], visit.query.text("cursor")
    try:
        about = message(AvailabilityOf, sku=sku)
        wanted = message(ListMovements, sku=sku, limit=PER_PAGE, cursor=cursor)
    except InvalidArgument as error:
        raise NotFound("that is no SKU") from error
    inventory = visit.ask(InventoryService)
    why, moved, known = await asyncio.gather(
        inventory.why_unavailable(about),
        inventory.list_movements(wanted),
        inventory.list_warehouses(AllWarehouses()),
    )
    if not why.levels and not moved.movements:
        raise NotFound(f"nothing of {sku!r} was ever in a warehouse")
    onward = f"{_address(visit)}?{urlencode({'cursor': moved.next_cursor})}#movements"
    return await show(
        visit,
        "desks/sku.html",
        refusal,
        words=WORDS,
        why=why,
        sum=total(why.levels),
        movements=moved.movements,
        warehouses=known.warehouses,
        reasons=REASONS,
        typed=_typed(visit),
        address=_address(visit),
        first=f"{_address(visit)}#movements" if cursor else "",
        next=onward if moved.next_cursor else "",
    )


def total(levels: Sequence[Level]) -> tuple[int, int, int]:
    """On hand, reserved and available, over all warehouses."""
    return (
        sum(level.on_hand for level in levels),
        sum(level.reserved for level in levels),
        sum(level.available for level in levels),
    )


def _typed(visit: Visit) -> dict[str, Any]:
    """What was filled in stays when it was refused."""
    names = ("warehouse", "quantity", "kind", "reason")
    return {name: visit.form.text(name) for name in names}


def _address(visit: Visit) -> str:
    return f"{HOME}/{quote(visit.path['sku'], safe='')}"


SECTION: Final = Section("Stock", pages={"": levels, "/{sku}": one}, forms={"/{sku}/move": move})
