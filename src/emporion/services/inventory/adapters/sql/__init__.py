"""Inventory's books on SQL: conditional updates inside a transaction of the chassis's database."""

from emporion.services.inventory.adapters.sql.books import SqlBooks
from emporion.services.inventory.adapters.sql.departures import SqlDepartureStore
from emporion.services.inventory.adapters.sql.holds import SqlHoldStore
from emporion.services.inventory.adapters.sql.stock import SqlStockStore

__all__ = ["SqlBooks", "SqlDepartureStore", "SqlHoldStore", "SqlStockStore"]
