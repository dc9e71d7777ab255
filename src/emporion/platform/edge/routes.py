"""The routes of the edge, derived from the contracts: which process answers which path."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emporion.contracts.contract import Audience, Retry, Service, rpcs

OPERATIONS: Final = "operations"
FORM_BYTES_MAX: Final = 64 * 1024
"""See web.forms."""
OPERATIONS_AT: Final = "order"
"""Any process answers operations for the whole shop; this one has the sagas at hand."""


@dataclass(frozen=True, slots=True)
class Route:
    """Requests of one path, and of one verb unless that is empty.

    Args:
        verb: or empty, for all verbs that have no route of their own.
        pattern: a regular expression of the whole path, or a prefix when `is_prefix`.
        cluster: the process that answers.
        is_query: whether it changes nothing: only then may it be sent again.
        body_bytes_max: what is longer is refused here already; 0 leaves it to the process.
        header: only requests with this header, which contains `header_contains`; empty: any.
    """

    verb: str
    pattern: str
    cluster: str
    is_prefix: bool = False
    is_query: bool = False
    body_bytes_max: int = 0
    header: str = ""
    header_contains: str = ""


def page_routes(pages: Sequence[tuple[str, str]], *, home: str, cluster: str) -> list[Route]:
    """The routes of pages (verb and template of each), the most particular first.

    `home` is answered to whoever asks for a page, for programs ask there, too. Under the first
    word of each other path the process says itself what is not there.
    """
    homes = [
        Route("GET", _pattern(home), cluster, is_query=True, header=name, header_contains=word)
        for name, word in (("accept", "text/html"), ("hx-request", ""))
    ]
    exact = [
        Route(
            verb,
            _pattern(path),
            cluster,
            is_query=verb == "GET",
            body_bytes_max=0 if verb == "GET" else FORM_BYTES_MAX,
        )
        for verb, path in sorted(pages, key=lambda page: page[1].count("{"))
    ]
    words = sorted({path.split("/")[1] for _, path in pages})
    areas = [
        Route("", f"/{word}", cluster, is_prefix=True, body_bytes_max=FORM_BYTES_MAX)
        for word in words
    ]
    return [*homes, *exact, *areas]


def routes(contracts: Sequence[type[Service]], cluster_of: Mapping[str, str]) -> list[Route]:
    """Every public route, the most particular first, then what is left of each area.

    An area is the first two words of a path (`/api/orders`): its process refuses the paths and
    verbs that it does not know, in its own words. `cluster_of` names the cluster of a service.
    """
    exact: list[tuple[tuple[int, str], Route]] = []
    owners: dict[str, list[str]] = defaultdict(list)
    limits: dict[str, int] = defaultdict(int)
    for contract in contracts:
        cluster = cluster_of[_holder(contract.NAME)]
        for rpc in rpcs(contract).values():
            if rpc.rest is None or rpc.access.audience is not Audience.PUBLIC:
                continue
            path = rpc.rest.path
            owners[_area(path)].append(cluster)
            limits[_area(path)] = max(limits[_area(path)], rpc.rest.body_bytes_max)
            route = Route(
                rpc.rest.verb,
                _pattern(path),
                cluster,
                is_query=rpc.retry is Retry.SAFE,
                body_bytes_max=rpc.rest.body_bytes_max,
            )
            exact.append(((path.count("{"), path), route))
    exact.sort(key=lambda entry: entry[0])
    areas = [
        Route("", area, max(held, key=held.count), is_prefix=True, body_bytes_max=limits[area])
        for area, held in sorted(owners.items())
    ]
    return [route for _, route in exact] + areas


def _holder(service: str) -> str:
    return OPERATIONS_AT if service == OPERATIONS else service


def _area(path: str) -> str:
    return "/".join(path.split("/")[:3])


def _pattern(path: str) -> str:
    return "/".join(
        "[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/")
    )
