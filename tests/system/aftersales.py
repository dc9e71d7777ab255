"""What staff and customers do after the sale, and what they were told of it."""

import csv
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from tests.system.accounts import Customer
from tests.system.running import ROOT
from tests.system.wire import UNKNOWN, Wire

WAREHOUSE = "main"
CATALOGUE = ROOT / "src" / "emporion" / "platform" / "demo" / "catalogue.csv"
SOON = frozenset({"not-found", "stock-not-settled", "not-returnable", "not-shipped"})
"""What is said of an order whose events, or whose shipment, are still on their way."""
DONE, PENDING = frozenset({200, 201}), 202
T = TypeVar("T")


def prices_minor() -> dict[str, int]:
    """What one unit costs, by SKU, as the demo's list says."""
    with CATALOGUE.open(newline="") as list_:
        return {row["sku"]: int(Decimal(row["price"]) * 100) for row in csv.DictReader(list_)}


@dataclass
class Aftersale:
    """An order on its way to the customer and back, in six requests, each under its own key.

    A request that has its final answer is not repeated, unless everything is asked `again`: then
    each answer must be what it was.

    Args:
        key: the order's idempotency key; the others are made of it.
        customer: whose order it is.
        units: what was ordered, by SKU.
        is_whole: all of it goes back; otherwise one unit of the first SKU.
        is_restocked: what comes back is put on sale again; otherwise it is written off.
    """

    key: str
    customer: Customer
    units: Mapping[str, int]
    is_whole: bool
    is_restocked: bool
    order_id: str = ""
    shipment_id: str = ""
    return_id: str = ""
    refund_minor: int | None = None
    contradictions: list[str] = field(default_factory=list)
    _answered: int = 0
    _is_refused: bool = False
    _is_over: bool = False

    @property
    def returned(self) -> dict[str, int]:
        """The units that go back, by SKU."""
        return dict(self.units) if self.is_whole else {next(iter(self.units)): 1}

    @property
    def is_all_returned(self) -> bool:
        """Whether nothing stays with the customer."""
        return self.returned == self.units

    @property
    def is_done(self) -> bool:
        """Whether every request has its final answer."""
        return self._is_refused or self._answered == len(self._requests)

    def again(self) -> None:
        """Ask everything once more."""
        self._answered = 0

    async def go_on(self, wire: Wire, staff: Customer, order_id: str) -> bool:
        """Ask for what is next, until an answer is not final; whether all are.

        Raises NotSent or NoAnswer.
        """
        self.order_id = order_id
        while not self.is_done:
            request = self._requests[self._answered]
            if not await request(wire, staff) and not self._is_refused:
                return False
            self._answered += 1
        return True

    @property
    def _requests(self) -> tuple[Callable[[Wire, Customer], Awaitable[bool]], ...]:
        return (
            self._release, self._ship, self._deliver,
            self._ask_return, self._approve, self._receive,
        )  # fmt: skip

    async def _release(self, wire: Wire, staff: Customer) -> bool:
        """Screened or not: many orders in a short time are held for a review."""
        path = f"/api/shipping/fulfilments/{self.order_id}/release"
        return await self._answer(wire, staff, path, {"reason": "tried"}) is not None

    async def _ship(self, wire: Wire, staff: Customer) -> bool:
        path = f"/api/shipping/fulfilments/{self.order_id}/shipments"
        parcel = {"warehouse_id": WAREHOUSE, "carrier": "Crash"}
        found = await self._answer(wire, staff, path, parcel, key=f"{self.key}-ship")
        if found is not None:
            self.shipment_id = self._same("shipment", self.shipment_id, found["shipment_id"])
        return found is not None

    async def _deliver(self, wire: Wire, staff: Customer) -> bool:
        path = f"/api/shipping/shipments/{self.shipment_id}/deliver"
        return await self._answer(wire, staff, path) is not None

    async def _ask_return(self, wire: Wire, _staff: Customer) -> bool:
        path = f"/api/orders/{self.order_id}/returns"
        lines = [{"sku": sku, "quantity": units} for sku, units in self.returned.items()]
        wish = {"lines": lines, "reason": "not what it was"}
        found = await self._answer(wire, self.customer, path, wish, key=f"{self.key}-return")
        if found is not None:
            self.return_id = self._same("return", self.return_id, found["return_id"])
            self._is_over = found["status"] in ("received", "refunded")
        return found is not None

    async def _approve(self, wire: Wire, staff: Customer) -> bool:
        if self._is_over:
            return True  # it may be approved as often as one likes, until it was received
        return await self._answer(wire, staff, f"/api/returns/{self.return_id}/approve") is not None

    async def _receive(self, wire: Wire, staff: Customer) -> bool:
        counted = [
            {"sku": sku, "quantity": units, "is_restocked": self.is_restocked}
            for sku, units in self.returned.items()
        ]
        path = f"/api/returns/{self.return_id}/receive"
        count = {"warehouse_id": WAREHOUSE, "lines": counted}
        found = await self._answer(wire, staff, path, count, key=f"{self.key}-receive")
        if found is not None:
            refund_minor = int(found["refund"]["amount_minor"])
            self.refund_minor = self._same("refund", self.refund_minor, refund_minor)
        return found is not None

    async def _answer(
        self, wire: Wire, who: Customer, path: str, document: object = None, *, key: str = ""
    ) -> dict[str, Any] | None:
        """The final answer; None while there is none. A refusal is the end, and a contradiction."""
        headers = who.headers | ({"Idempotency-Key": key} if key else {})
        reply = await wire.ask("POST", path, document, headers=headers)
        if reply.status in DONE:
            return reply.document
        is_unknown = reply.status == PENDING or reply.status in UNKNOWN
        if not is_unknown and _slug(reply.document) not in SOON:
            self._is_refused = True
            self.contradictions.append(f"{self.key}: {path}: {reply.body.decode()}")
        return None

    def _same(self, what: str, before: T, now: T) -> T:
        if before and before != now:
            self.contradictions.append(f"{self.key}: the {what} {before}, then {now}")
        return now


def _slug(problem: Mapping[str, Any]) -> str:
    return str(problem.get("type", "")).rpartition(":")[2]
