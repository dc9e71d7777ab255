"""A shop's services for the command line: of the running one over REST, or on its files."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from emporion.chassis.calls.clients import Clients
from emporion.chassis.calls.directory import Binding
from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.contracts.operations import OperationsService
from emporion.platform.client.address import Address
from emporion.platform.client.rest import RestClients
from emporion.platform.data_folder import DataFolder, FolderInUse, address_in
from emporion.platform.privacy import settings_of
from emporion.platform.shop import STAFF_SCOPES, Shop, open_shop
from emporion.platform.shop_folder import require_shop

T = TypeVar("T")
SCOPES = STAFF_SCOPES | {
    "operations:read",
    "operations:write",
    "faults:write",
    "orders:read",
    "analytics:read",
}
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose operations: of the shop at `url`, or else of the one on `folder`, running or not.

    Args:
        email, password: the operator as whom a running shop is asked.
    """

    folder: Path
    url: str
    email: str
    password: str

    def where(self) -> str:
        """The URL of the shop to ask; empty when none runs on the folder.

        Raises FolderInUse when one does and takes no requests.
        """
        if self.url or not DataFolder.is_held(self.folder):
            return self.url
        url = address_in(self.folder)
        if not url:
            raise FolderInUse(
                f"{self.folder} is in use by a process that takes no requests: a shop that starts "
                "or stops, or another command. Try again, or give the shop's --url"
            )
        return url


async def operate(target: Target, work: Callable[[OperationsService], Awaitable[T]]) -> T:
    """Run `work` on the operations of the shop that runs, or on the files of one that does not.

    Raises what `consult` raises.
    """

    async def with_operations(clients: Clients) -> T:
        return await work(clients.get(OperationsService))

    return await consult(target, with_operations)


async def consult(target: Target, work: Callable[[Clients], Awaitable[T]]) -> T:
    """Run `work` with clients of every service, as an operator.

    Raises NoShopHere, FolderInUse, BadUrl, ConnectionLost, WrongCredentials, PermissionDenied,
    and what `work` raises.
    """
    url = target.where()
    opened = _of_running(target, url) if url else _of_files(target.folder)
    async with opened as clients:
        return await work(clients)


async def pages(turn: Callable[[str], Awaitable[tuple[list[T], str]]], limit: int) -> list[T]:
    """The entries of a paged list, until there are `limit`; `turn` is given the cursor."""
    found, cursor = await turn("")
    while cursor and len(found) < limit:
        more, cursor = await turn(cursor)
        found += more
    return found[:limit]


@asynccontextmanager
async def _of_running(target: Target, url: str) -> AsyncIterator[Clients]:
    clients = RestClients(Address.parse(url), patience_s=PATIENCE_S)
    try:
        await clients.sign_in(target.email, target.password)
        yield clients
    finally:
        clients.close()


@asynccontextmanager
async def _of_files(folder: Path) -> AsyncIterator[Clients]:
    async with open_stopped(folder) as shop:
        yield shop.directory.clients("platform", Binding.LOCAL_FAST, scopes=SCOPES)


@asynccontextmanager
async def open_stopped(folder: Path) -> AsyncIterator[Shop]:
    """A shop that is opened and not started: what it is told takes effect at its next start.

    Raises NoShopHere, ShopNotRunning, FolderInUse or Unavailable.
    """
    require_shop(folder)
    runtime = system_runtime()
    telemetry = Telemetry(runtime, is_strict=False)
    try:
        async with open_shop(settings_of(folder), runtime, telemetry) as shop:
            yield shop
    finally:
        if isinstance(runtime.tasks, SystemTasks):
            await runtime.tasks.cancel_all()
