"""Puts the analytics service together."""

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.analytics import AnalyticsService
from emporion.services.analytics.adapters.sql import SqlFigures
from emporion.services.analytics.adapters.timescale import TimescaleFigures
from emporion.services.analytics.adapters.zones import InstalledZones
from emporion.services.analytics.api import AnalyticsApi
from emporion.services.analytics.events import subscriptions
from emporion.services.analytics.queries import Queries


def build(needs: Needs) -> Assembly:
    """The service, not started. It calls nobody, and nobody who sells calls it."""
    is_timescale = needs.database.engine == "timescale"
    store = (TimescaleFigures if is_timescale else SqlFigures)(needs.database)
    queries = Queries(store, InstalledZones(), needs.runtime.clock)
    return Assembly(
        contract=AnalyticsService,
        implementation=AnalyticsApi(queries),
        subscriptions=subscriptions(store),
        shed_first=True,
    )
