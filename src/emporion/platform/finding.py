"""How a process finds the others, and is found by them, as its topology says."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, assert_never

from emporion.chassis.discovery.registry import Registry, RegistryResolver
from emporion.chassis.discovery.resolver import Endpoint, Resolver
from emporion.chassis.discovery.static import StaticResolver
from emporion.chassis.runtime.ports import Runtime
from emporion.platform.topology.kinds import DiscoveryKind
from emporion.platform.topology.process_file import DiscoveryPlace

GRPC_PORT = 9090
"""Of instances whose record in Cloud Map names none."""


class Finder(Protocol):
    """One way of discovery."""

    @property
    def resolver(self) -> Resolver:
        """Finds others."""
        ...

    def announce(self, services: Sequence[str], endpoint: Endpoint) -> None:
        """These services are served there from now on. Raises Unavailable."""
        ...

    def withdraw(self) -> None:
        """They are about to stop."""
        ...


class LocalFinder:
    """By a folder that all processes of this machine share."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self.resolver: Resolver = RegistryResolver(folder, runtime)
        self._registry = Registry(folder)

    def announce(self, services: Sequence[str], endpoint: Endpoint) -> None:
        """See Finder."""
        for service in services:
            self._registry.register(service, endpoint)

    def withdraw(self) -> None:
        """See Finder."""
        self._registry.withdraw()


class ForeignFinder:
    """By what others keep: a table, DNS, Cloud Map. They know of us by whoever deploys us."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def announce(self, services: Sequence[str], endpoint: Endpoint) -> None:
        """See Finder: nothing to do."""

    def withdraw(self) -> None:
        """See Finder: the drain tells callers, and readiness those who keep the records."""


class Renamed:
    """Resolver (the port) where services are known under the names of their processes."""

    def __init__(self, resolver: Resolver, names: Mapping[str, str]) -> None:
        self._resolver = resolver
        self._names = names

    async def endpoints(self, service: str) -> Sequence[Endpoint]:
        """See Resolver."""
        return await self._resolver.endpoints(self._names.get(service, service))

    def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        """See Resolver."""
        return self._resolver.changes(self._names.get(service, service))


def finder_of(place: DiscoveryPlace, runtime: Runtime) -> Finder:
    """The way that the topology names. Connects to nothing.

    Only what is used is imported: the library of AWS alone takes 20 MB and a second to start.
    """
    match place.kind:
        case DiscoveryKind.REGISTRY:
            return LocalFinder(Path(place.directory), runtime)
        case DiscoveryKind.STATIC:
            table = {
                service: [_endpoint(address) for address in addresses]
                for service, addresses in place.endpoints.items()
            }
            return ForeignFinder(StaticResolver(table))
        case DiscoveryKind.DNS:
            from emporion.chassis.discovery.dns import (  # noqa: PLC0415 - see above
                DnsResolver,
                DnsSettings,
            )

            name = f"_grpc._tcp.{{service}}.{place.namespace}"
            return ForeignFinder(DnsResolver(DnsSettings(name), runtime.tasks))
        case DiscoveryKind.CLOUD_MAP:
            from emporion.chassis.discovery.cloud_map import (  # noqa: PLC0415 - see above
                CloudMapResolver,
                CloudMapSettings,
            )

            settings = CloudMapSettings(
                place.namespace, place.region, GRPC_PORT, place.endpoint_url
            )
            found = CloudMapResolver(settings, runtime.tasks)
            return ForeignFinder(Renamed(found, place.process_of))
        case _:
            assert_never(place.kind)


def _endpoint(address: str) -> Endpoint:
    host, _, port = address.rpartition(":")
    return Endpoint(host.strip("[]"), int(port))
