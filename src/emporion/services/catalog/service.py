"""Puts the catalog together from what the platform hands in."""

from emporion.chassis.data.database import Tx
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.catalog import CatalogService
from emporion.services.catalog.adapters.sql import (
    SqlPastPrices,
    SqlProductStore,
    SqlRulesStore,
    SqlUseStore,
)
from emporion.services.catalog.api import CatalogApi, Queries
from emporion.services.catalog.commands.products import ProductCommands
from emporion.services.catalog.commands.rules import RuleCommands
from emporion.services.catalog.queries.baskets import BasketQueries, StandingRules
from emporion.services.catalog.queries.products import ProductQueries
from emporion.services.catalog.queries.rules import RuleQueries
from emporion.services.catalog.queries.why import WhyQueries


def build(needs: Needs) -> Assembly:
    """The catalog on the database handed in."""
    clock = needs.runtime.clock
    store = SqlProductStore(needs.database)
    rules, uses = SqlRulesStore(needs.database), SqlUseStore(needs.database)
    standing, queries = StandingRules(rules, clock), ProductQueries(store)
    rule_queries = RuleQueries(rules)

    async def read_a_price(tx: Tx) -> None:
        await tx.fetch_one("SELECT 1 FROM variant LIMIT 1")

    async def probe() -> None:
        await needs.database.read(read_a_price)

    return Assembly(
        contract=CatalogService,
        implementation=CatalogApi(
            ProductCommands(store, needs.runtime.ids, clock),
            RuleCommands(rules, uses, standing=standing, queries=rule_queries),
            Queries(
                queries,
                rule_queries,
                BasketQueries(queries, standing, uses=uses, clock=clock),
                WhyQueries(store, rules, SqlPastPrices(needs.database), clock=clock),
            ),
        ),
        probes={"prices": probe},
    )
