"""How many there are left, as far as that is known in time: a hint, never a promise."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from emporion.contracts.catalog import Variant
from emporion.contracts.inventory import InventoryService
from emporion.contracts.inventory_levels import AvailabilityOf
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import Sku
from emporion.web.visit import Visit

_log = logging.getLogger(__name__)
FEW: Final = 10
"""Below this, a page says how many are left."""
WAIT_S: Final = 0.5
HINTS_MAX: Final = 20


async def left_of(visit: Visit, variants: Sequence[Variant]) -> dict[Sku, int]:
    """The units of each variant that could be ordered; those not known in WAIT_S are left out."""
    inventory = visit.ask(InventoryService, timeout_s=WAIT_S)
    asked = [
        inventory.availability(AvailabilityOf(sku=variant.sku)) for variant in variants[:HINTS_MAX]
    ]
    left: dict[Sku, int] = {}
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(answer, EmporionError):
            _log.info("a stock hint is missing: %s", answer.slug)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            left[answer.sku] = answer.available
    return left
