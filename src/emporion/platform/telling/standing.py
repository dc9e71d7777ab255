"""How the services of a process do at this moment: what they need, and whether it is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from emporion import __version__
from emporion.chassis.http.health import Checked, Probes, examine
from emporion.contracts.operations_processes import Check, ProcessDetails, ServiceHere


@dataclass(frozen=True, slots=True)
class Standing:
    """A process, as it tells of itself.

    Args:
        process, bus, discovery: see ProcessDetails.
        engines: what keeps the data of each service here.
        probes: what each service needs; asked whenever somebody wants to know.
    """

    process: str
    started_at: datetime
    bus: str
    discovery: str
    engines: Mapping[str, str]
    probes: Probes

    async def tell(self) -> ProcessDetails:
        """The process of now; a probe takes two seconds at most."""
        found = await examine(self.probes)
        return ProcessDetails(
            process=self.process,
            version=__version__,
            started_at=self.started_at,
            bus=self.bus,
            discovery=self.discovery,
            services=[self._service(name, found.get(name, {})) for name in sorted(self.engines)],
        )

    def _service(self, name: str, checked: Mapping[str, Checked]) -> ServiceHere:
        return ServiceHere(
            service=name,
            engine=self.engines[name],
            is_ready=all(each.is_ok for each in checked.values()),
            checks=[
                Check(name=what, is_ok=each.is_ok, problem=each.problem)
                for what, each in checked.items()
            ],
        )
