"""Runs a topology on this machine until it is asked to end."""

import asyncio
from collections.abc import Callable, Sequence

from emporion.platform.data_folder import DataFolder
from emporion.platform.settings import Settings
from emporion.platform.supervisor.kept import Say
from emporion.platform.supervisor.local_shop import LocalShop
from emporion.platform.supervisor.service_process import SERVE
from emporion.platform.supervisor.supervisor import supervise
from emporion.platform.topology.model import Topology

Announce = Callable[[str], None]
"""Told the URL once requests are taken."""


def run(
    topology: Topology,
    settings: Settings,
    *,
    say: Say,
    announce: Announce,
    words: Sequence[str] = SERVE,
) -> None:
    """Start everything, serve until SIGTERM, SIGINT or SIGHUP, and end everything.

    `words` are the program that serves a process file.

    Raises BadFile naming the line of the topology, EngineMissing, StartFailed, AddressInUse or
    FolderInUse when it cannot start; then nothing runs.
    """
    with DataFolder(settings.folder):
        shop = LocalShop(topology, settings, say, words=words)
        asyncio.run(_run(shop, announce))


async def _run(shop: LocalShop, announce: Announce) -> None:
    await shop.engines.check_external()
    await shop.supervisor.end_leftovers()
    shop.begin()
    await supervise(
        shop.folders.data,
        shop.supervisor,
        url=lambda: shop.url,
        announce=lambda: announce(shop.url),
    )
