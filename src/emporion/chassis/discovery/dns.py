"""Instances as DNS knows them: SRV records with ports, or A and AAAA records and one port."""

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from emporion.chassis.discovery.resolver import Endpoint, polled
from emporion.chassis.runtime.ports import Tasks
from emporion.kernel.errors import EmporionError, Unavailable

TTL_S_MIN: Final = 1.0
TTL_S_MAX: Final = 30.0
"""Whatever the records say, they are looked at again at this interval at the latest."""
LIFETIME_S: Final = 2.0
ENDPOINTS_MAX: Final = 1_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """Which names are asked for.

    Args:
        name: with `{service}` in it: `{service}.shop.internal`, or `_grpc._tcp.{service}.shop`.
        port: of every instance, found by A and AAAA records; None: SRV records say it.
        servers: addresses of name servers; none: those of the system.
        server_port: of these name servers.
    """

    name: str
    port: int | None = None
    servers: tuple[str, ...] = ()
    server_port: int = 53


class DnsResolver:
    """Implements `Resolver` over DNS. Asks again when the records it was given expire.

    DNS knows nothing of health: records of an instance that died stay until somebody removes
    them, and its callers leave it out on their own.
    """

    def __init__(self, settings: DnsSettings, tasks: Tasks) -> None:
        self._settings = settings
        self._tasks = tasks
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._ttl_s: dict[str, float] = {}

    async def endpoints(self, service: str) -> Sequence[Endpoint]:
        """What the records say; none when the name does not exist. Raises Unavailable."""
        name = self._settings.name.format(service=service)
        port = self._settings.port
        self._ttl_s[service] = TTL_S_MAX
        try:
            if port is None:
                return await self._by_srv(service, name)
            return [Endpoint(host, port) for host in await self._addresses(service, name)]
        except (dns.exception.DNSException, OSError) as error:
            self._ttl_s[service] = TTL_S_MIN
            raise Unavailable(f"DNS does not answer for {name}: {error}") from error

    def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        """See Resolver; looked at whenever the shortest life of a record is over."""
        return polled(
            partial(self.endpoints, service),
            self._tasks,
            interval_s=lambda: min(max(self._ttl_s[service], TTL_S_MIN), TTL_S_MAX),
            warn=partial(_warn, service),
        )

    async def _by_srv(self, service: str, name: str) -> list[Endpoint]:
        found: list[Endpoint] = []
        answer = await self._ask(service, name, dns.rdatatype.SRV)
        for record in answer or ():
            if isinstance(record, SRV):
                hosts = await self._addresses(service, record.target.to_text())
                found += [Endpoint(host, record.port) for host in hosts]
            if len(found) >= ENDPOINTS_MAX:
                break
        return found

    async def _addresses(self, service: str, name: str) -> list[str]:
        hosts: list[str] = []
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            answer = await self._ask(service, name, kind)
            hosts += [record.to_text() for record in answer or ()]
        return hosts[:ENDPOINTS_MAX]

    async def _ask(
        self, service: str, name: str, kind: dns.rdatatype.RdataType
    ) -> dns.resolver.Answer | None:
        if self._resolver is None:
            self._resolver = self._configured()
        try:
            answer = await self._resolver.resolve(name, kind, lifetime=LIFETIME_S, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        if answer.rrset is not None:
            self._ttl_s[service] = min(self._ttl_s[service], float(answer.rrset.ttl))
        return answer

    def _configured(self) -> dns.asyncresolver.Resolver:
        settings = self._settings
        if not settings.servers:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = list(settings.servers)
        resolver.port = settings.server_port
        return resolver


def _warn(service: str, error: EmporionError) -> None:
    _log.warning("the instances of %s cannot be found out: %s", service, error.detail)
