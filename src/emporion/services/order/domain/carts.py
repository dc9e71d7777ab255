"""The rules of a cart."""

from emporion.kernel.ids import Sku

LINES_MAX = 200
UNITS_PER_LINE_MAX = 10_000


def is_overfull(units_per_sku: dict[Sku, int]) -> bool:
    """Whether a cart holds more lines, or a line more units, than a cart may."""
    return len(units_per_sku) > LINES_MAX or any(
        units > UNITS_PER_LINE_MAX for units in units_per_sku.values()
    )
