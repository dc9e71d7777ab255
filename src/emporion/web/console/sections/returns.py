"""The returns desk: what is to come back, what came and was counted, and what was given back."""

import asyncio
from typing import Final
from urllib.parse import urlencode

from emporion.chassis.http.exchange import Response
from emporion.contracts.inventory import AllWarehouses, InventoryService, Warehouse
from emporion.contracts.order import OrderService
from emporion.contracts.order_returns import (
    ListReturns,
    ReceiveReturn,
    RefuseReturn,
    Return,
    ReturnOf,
    ReturnStatus,
)
from emporion.kernel.errors import EmporionError, InvalidArgument, NotFound
from emporion.web.console.acting import act, key_of, reason_of, show
from emporion.web.console.lenient import Lenient
from emporion.web.console.section import Section
from emporion.web.forms import message
from emporion.web.visit import Visit

HOME: Final = "/console/returns"
PER_PAGE: Final = 50
KINDS: Final = {
    ReturnStatus.REQUESTED: "wait",
    ReturnStatus.APPROVED: "wait",
    ReturnStatus.RECEIVED: "wait",
    ReturnStatus.REFUSED: "wrong",
    ReturnStatus.REFUNDED: "right",
}
WORDS: Final = {
    "approved": "Approved: the units may be sent back.",
    "refused": "Refused. The customer reads the reason.",
    "received": "Counted. The money is given back, and what is not written off is on the shelf.",
}


async def returns(visit: Visit) -> Response:
    """Everybody's, newest first."""
    status, cursor = visit.query.text("status"), visit.query.text("cursor")
    chosen = status if status in set(ReturnStatus) else ""
    wanted = message(ListReturns, status=chosen or None, limit=PER_PAGE, cursor=cursor)
    page = await visit.ask(OrderService).list_returns(wanted)
    here = f"{HOME}?{urlencode({'status': chosen})}"
    return await visit.show(
        "desks/returns.html",
        returns=page.returns,
        status=chosen,
        statuses=[("", "any"), *((each.value, each.value) for each in ReturnStatus)],
        kinds=KINDS,
        first=here if cursor else "",
        next=f"{here}&{urlencode({'cursor': page.next_cursor})}" if page.next_cursor else "",
    )


async def one(visit: Visit) -> Response:
    """A return. Raises NotFound."""
    return await _shown(visit, None)


async def approve(visit: Visit) -> Response:
    """Let the units come."""

    async def work() -> Return:
        request = message(ReturnOf, return_id=visit.path["return_id"])
        return await visit.ask(OrderService).approve_return(request)

    return await act(visit, work, onto=_address(visit), done="approved", shown=_shown)


async def refuse(visit: Visit) -> Response:
    """Do not take them back."""

    async def work() -> Return:
        given = {"return_id": visit.path["return_id"], "reason": reason_of(visit)}
        return await visit.ask(OrderService).refuse_return(message(RefuseReturn, **given))

    return await act(visit, work, onto=_address(visit), done="refused", shown=_shown)


async def receive(visit: Visit) -> Response:
    """Count what came, once for each form."""

    async def work() -> Return:
        return await visit.ask(OrderService).receive_return(_counted(visit))

    return await act(visit, work, onto=_address(visit), done="received", shown=_shown)


def _counted(visit: Visit) -> ReceiveReturn:
    """What was counted: for each line a number, and whether it goes onto the shelf."""
    form, lines = visit.form, []
    for sku in form.all("sku"):
        quantity = form.text(f"count-{sku}")
        if quantity not in {"", "0"}:
            is_restocked = form.text(f"fate-{sku}") != "written-off"
            lines.append({"sku": sku, "quantity": quantity, "is_restocked": is_restocked})
    if not lines:
        raise InvalidArgument("count at least one unit, or refuse the return", field="lines")
    return message(
        ReceiveReturn,
        idempotency_key=key_of(visit),
        return_id=visit.path["return_id"],
        warehouse_id=form.text("warehouse"),
        lines=lines,
    )


async def _shown(visit: Visit, refusal: EmporionError | None) -> Response:
    try:
        request = message(ReturnOf, return_id=visit.path["return_id"])
    except InvalidArgument as error:
        raise NotFound("a return's id is ret_ and 32 hexadecimal digits") from error
    told, warehouses = await asyncio.gather(
        visit.ask(OrderService).get_return(request), _warehouses(visit)
    )
    return await show(
        visit,
        "desks/return.html",
        refusal,
        words=WORDS,
        it=told,
        kinds=KINDS,
        warehouses=warehouses,
        typed=_typed(visit, [line.sku for line in told.lines]),
    )


def _typed(visit: Visit, skus: list[str]) -> dict[str, str]:
    """What was counted in a form that was refused: nobody counts twice."""
    names = ["warehouse", *(f"{word}-{sku}" for sku in skus for word in ("count", "fate"))]
    return {name: visit.form.text(name) for name in names}


async def _warehouses(visit: Visit) -> list[Warehouse]:
    """Where units may be put; none while inventory may not be asked: then one writes the id."""
    try:
        found = await Lenient(visit).get(InventoryService).list_warehouses(AllWarehouses())
    except NotFound:
        return []
    return found.warehouses


def _address(visit: Visit) -> str:
    return f"{HOME}/{visit.path['return_id']}"


SECTION: Final = Section(
    "Returns",
    pages={"": returns, "/{return_id}": one},
    forms={
        "/{return_id}/approve": approve,
        "/{return_id}/refuse": refuse,
        "/{return_id}/receive": receive,
    },
)
