"""How the pages of metrics ask: one window, one grid of time, one choice."""

from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import MetricPage, MetricsOf
from emporion.kernel.clock import to_datetime
from emporion.web.console.charts import Grid
from emporion.web.visit import Visit


class Course:
    """A window of time, looked at by one visitor.

    Args:
        chosen: of what in particular; empty: of everything.
    """

    def __init__(self, visit: Visit, *, window_s: int, chosen: str) -> None:
        self.chosen = chosen
        self.window_s = window_s
        self.grid = Grid(to_datetime(visit.site.runtime.clock.now_ms()), window_s)
        self._operations = visit.ask(OperationsService)

    async def ask(self, name: str, by: str) -> MetricPage:
        """A metric in the steps of the grid, by labels."""
        request = MetricsOf(name=name, window_s=self.window_s, step_s=self.grid.step_s, by=by)
        return await self._operations.get_metrics(request)
