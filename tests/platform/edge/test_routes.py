"""Every public method has a route to the process that holds its service, and nothing else has."""

import re

import pytest

from emporion.contracts.contract import Audience, Retry, rpcs
from emporion.platform.contracts import CONTRACTS
from emporion.platform.edge.routes import Route, routes
from emporion.platform.topology.model import ENGINES_OF

EACH_ITS_OWN = {service: service for service in ENGINES_OF}


def answering(verb: str, path: str, cluster_of: dict[str, str]) -> Route | None:
    """The first route that fits, as a proxy takes it."""
    for route in routes(CONTRACTS, cluster_of):
        if route.verb not in ("", verb):
            continue
        if route.is_prefix:
            if path == route.pattern or path.startswith(f"{route.pattern}/"):
                return route
        elif re.fullmatch(route.pattern, path):
            return route
    return None


PUBLIC = [
    (contract.NAME, rpc)
    for contract in CONTRACTS
    for rpc in rpcs(contract).values()
    if rpc.rest is not None and rpc.access.audience is Audience.PUBLIC
]


@pytest.mark.parametrize(
    ("service", "rpc"), PUBLIC, ids=[f"{service}.{rpc.name}" for service, rpc in PUBLIC]
)
def test_a_public_method_is_answered_by_the_process_of_its_service(service: str, rpc) -> None:
    path = re.sub(r"\{[^}]*\}", "ord_0190", rpc.rest.path)

    route = answering(rpc.rest.verb, path, EACH_ITS_OWN)

    assert route is not None
    assert route.cluster == ("order" if service == "operations" else service)
    assert route.is_query == (rpc.retry is Retry.SAFE)
    assert route.body_bytes_max == rpc.rest.body_bytes_max


def test_only_what_changes_nothing_may_be_sent_again() -> None:
    safe = [route for route in routes(CONTRACTS, EACH_ITS_OWN) if route.is_query]

    assert {route.pattern for route in safe if route.verb != "GET"} == {
        "/api/fraud/backtests",
        "/api/prices",
    }


def test_a_path_of_a_service_that_has_no_such_method_is_refused_by_that_service() -> None:
    route = answering("DELETE", "/api/orders/ord_1", EACH_ITS_OWN)

    assert route is not None
    assert (route.cluster, route.is_query) == ("order", False)


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/api", "/api/ordersx", "/grpc"])
def test_what_is_no_business_of_clients_has_no_route(path: str) -> None:
    assert answering("GET", path, EACH_ITS_OWN) is None


def test_services_that_share_a_process_share_a_cluster() -> None:
    core = {**EACH_ITS_OWN, "order": "core", "payment": "core"}

    route = answering("GET", "/api/payments/ord_1", core)

    assert route is not None
    assert route.cluster == "core"
