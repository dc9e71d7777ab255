"""What the catalog announces; it reacts to nothing."""

from emporion.contracts.catalog import ProductChanged

ANNOUNCED = (ProductChanged,)
