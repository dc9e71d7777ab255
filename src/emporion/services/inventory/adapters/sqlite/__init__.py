"""Inventory's books on SQL: conditional updates inside a transaction of the chassis's database."""

from emporion.services.inventory.adapters.sqlite.holds import SqliteHoldStore
from emporion.services.inventory.adapters.sqlite.stock import SqliteStockStore

__all__ = ["SqliteHoldStore", "SqliteStockStore"]
