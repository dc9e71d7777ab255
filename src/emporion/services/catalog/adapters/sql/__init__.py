"""The catalog in SQL."""

from emporion.services.catalog.adapters.sql.past import SqlPastPrices
from emporion.services.catalog.adapters.sql.products import SqlProductStore
from emporion.services.catalog.adapters.sql.rules import SqlRulesStore
from emporion.services.catalog.adapters.sql.uses import SqlUseStore

__all__ = ["SqlPastPrices", "SqlProductStore", "SqlRulesStore", "SqlUseStore"]
