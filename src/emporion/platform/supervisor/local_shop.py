"""A topology on this machine: its engines, its processes and its edge as one supervised shop."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from emporion import __version__
from emporion.contracts.operations import OperationsService
from emporion.platform.contracts import CONTRACTS, rest_description
from emporion.platform.edge.envoy import EnvoyEdge
from emporion.platform.edge.routes import page_routes, routes
from emporion.platform.engines.local import Engines
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.settings import Settings
from emporion.platform.supervisor.certificates import Authority
from emporion.platform.supervisor.kept import Say
from emporion.platform.supervisor.pages_process import PAGES, PagesProcess, pages_process
from emporion.platform.supervisor.part import Part
from emporion.platform.supervisor.plan import Folders, process_files
from emporion.platform.supervisor.service_process import SERVE, ServiceProcess
from emporion.platform.supervisor.supervisor import Succession, Supervisor
from emporion.platform.topology.kinds import EdgeKind
from emporion.platform.topology.model import Topology
from emporion.platform.topology.process_file import Listening
from emporion.web.console.paths import PATHS as CONSOLE
from emporion.web.storefront.paths import HOME, PATHS

Instance = ServiceProcess | PagesProcess
SETTLED_NS: Final = 100_000_000


class LocalShop:
    """A shop of several processes. Opens nothing by being made, except its file of passwords.

    Args:
        topology: what it consists of.
        settings: `host` and `port` are those of the edge, `data` is the shop's folder.
        say: told what happens, a sentence each.
        words: the program that serves a process file.
    """

    def __init__(
        self,
        topology: Topology,
        settings: Settings,
        say: Say,
        *,
        words: Sequence[str] = SERVE,
    ) -> None:
        self._topology = topology
        self.folders = Folders(settings.folder.absolute())
        secrets = SecretsFile.open(self.folders.data)
        self.engines = Engines(topology, self.folders.data, secrets)
        told = process_files(topology, settings, secrets=secrets, addresses=self.engines.addresses)
        self.processes = [
            ServiceProcess(one, self.folders.process_file(one.instance), words=words)
            for one in told
        ]
        self._read_ns = -1
        self._found: dict[str, list[Listening]] = {}
        self.edge = self._edge(topology, settings) if topology.edge is EdgeKind.ENVOY else None
        self.pages = self._pages(topology, settings)
        twins: list[tuple[Instance, Instance]] = [
            (one, one.twin()) for one in self.processes if one.can_overlap
        ]
        twins += [(one, one.twin()) for one in self.pages]
        self._instances: list[Instance] = [
            *self.processes,
            *self.pages,
            *(twin for _, twin in twins),
        ]
        self.supervisor = Supervisor(
            self.folders.data,
            [
                [*self.engines.databases, *self.engines.brokers],
                [*self.processes, *self.pages],
                [self.edge] if self.edge is not None else [],
            ],
            say,
            succession=Succession(
                {one.name: other for pair in twins for one, other in (pair, reversed(pair))},
                self._known,
            ),
        )

    @property
    def url(self) -> str:
        """Where clients connect: the edge, or else the first process that runs."""
        if self.edge is not None:
            return self.edge.url
        return next((one.listening.http for one in self.processes if one.listening), "")

    def begin(self) -> None:
        """Forget what an earlier start said, and issue certificates; only while nothing runs.

        Every process answers for its operations, too.
        """
        self.folders.clear()
        if self._topology.is_tls:
            authority = Authority(self.folders.tls)
            for plan in self._topology.processes:
                authority.issue(plan.name, (*plan.services, OperationsService.NAME))

    def listening(self) -> Mapping[str, Sequence[Listening]]:
        """The instances of each process that take requests now.

        Asked all the time: the files are read again only when one came or went.
        """
        changed_ns = _changed_ns(self.folders.listening)
        if changed_ns != self._read_ns:
            self._found = {one.told.process: [] for one in self._instances}
            for one in self._instances:
                if (listening := one.listening) is not None:
                    self._found[one.told.process].append(listening)
            # In one tick of the file system's clock another may follow: then it is read once more.
            is_settled = time.time_ns() - changed_ns > SETTLED_NS
            self._read_ns = changed_ns if is_settled else -1
        return self._found

    async def _known(self, part: Part) -> None:
        """Until the edge sends it requests: before that its predecessor may not drain."""
        listening = part.listening if isinstance(part, ServiceProcess | PagesProcess) else None
        if self.edge is not None and listening is not None:
            await self.edge.until_found(listening)

    def _pages(self, topology: Topology, settings: Settings) -> list[PagesProcess]:
        """The process that shows them, if any: it asks the edge, by the same machine's address."""
        if self.edge is None or not topology.shows_pages:
            return []
        return [pages_process(topology, settings, self.edge.near_url)]

    def _edge(self, topology: Topology, settings: Settings) -> EnvoyEdge:
        cluster_of = {
            service: plan.name for plan in topology.processes for service in plan.services
        }
        index = {
            "shop": "Emporion",
            "version": __version__,
            "products": "/api/products",
            "api": "/openapi.json",
        }
        return EnvoyEdge(
            self.folders.data,
            address=(settings.host, settings.port),
            routes=[
                *routes(CONTRACTS, cluster_of),
                *(
                    page_routes((*PATHS, *CONSOLE), home=HOME, cluster=PAGES)
                    if topology.shows_pages
                    else ()
                ),
            ],
            instances=self.listening,
            pages={"index": index, "openapi": rest_description()},
        )


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
