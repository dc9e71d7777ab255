"""The orders: found by status, person, time or id; one with everything that became of it."""

from typing import Final

from emporion.web.console.section import Section
from emporion.web.console.sections.orders.listing import orders
from emporion.web.console.sections.orders.one import order, then

SECTION: Final = Section(
    "Orders", pages={"": orders, "/{order_id}": order, "/{order_id}/then": then}
)
