"""Inventory's books as documents: read, decide, then write every change at once, each guarded.

A hold and the levels it takes from change together, in a transaction of two round trips: the
changes, and the commit. Each change names the state it needs (`free >= wanted`, `status = held`),
so nothing that was read before is trusted; when one does not match, nothing is written and the
decision is taken again.

Amazon DocumentDB gives the same: transactions exist from version 4.0 on, and no filter here needs
`$expr`, no index is partial, no cursor outlives its first batch. It has neither retryable writes
nor bulk writes over several collections, so a reservation costs a round trip more.
"""

from emporion.services.inventory.adapters.mongo.books import MongoBooks
from emporion.services.inventory.adapters.mongo.departures import MongoDepartureStore
from emporion.services.inventory.adapters.mongo.holds import MongoHoldStore
from emporion.services.inventory.adapters.mongo.stock import MongoStockStore

__all__ = ["MongoBooks", "MongoDepartureStore", "MongoHoldStore", "MongoStockStore"]
