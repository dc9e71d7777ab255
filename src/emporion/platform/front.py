"""What a process shows over HTTP: its services, health, metrics, a description, the storefront."""

import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from emporion import __version__
from emporion.chassis.auth.verifier import PublicKeys, TokenVerifier
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.calls.inbound import Inbound
from emporion.chassis.http.app import Edge, HttpApp, Served
from emporion.chassis.http.exchange import Exchange, Response
from emporion.chassis.http.health import Health, health_pages
from emporion.chassis.http.pages import index_page, metrics_page
from emporion.chassis.http.routes import Page, PageRoute, Route, Shown
from emporion.chassis.surfaces.openapi import openapi
from emporion.chassis.telemetry.requests import RequestSpans
from emporion.chassis.telemetry.sampling import SLOW_S
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.kernel.errors import EmporionError
from emporion.platform.console import console_of
from emporion.platform.shop import Shop
from emporion.platform.storefront import storefront_of

Refuse = Callable[[Exchange, EmporionError], Response | None]
_access = logging.getLogger("emporion.access")


def http_app(
    shop: Shop,
    closed: Callable[[], str],
    *,
    doors: Sequence[Inbound] | None = None,
    keys: Callable[[], PublicKeys] | None = None,
    is_behind_edge: bool = False,
) -> HttpApp:
    """The application of a process.

    Args:
        shop: what it serves; its health and metrics are shown.
        closed: why no traffic is taken now; empty while it is.
        doors: the services to show; by default all of the process, which is then the whole shop:
            persons are shown the storefront at `/`, where programs find what there is.
        keys: see TokenVerifier; by default those of the user service, which is here then.
        is_behind_edge: whether our own proxy is in front and says when it took a request.
    """
    is_whole = doors is None
    doors = shop.directory.inbounds if doors is None else doors
    verifier = TokenVerifier(keys or shop.user.public_keys, shop.runtime.clock)
    index = PageRoute(_index())
    front = storefront_of(shop, doors, verifier, index=index) if is_whole else None
    console = console_of(shop, doors, verifier) if is_whole else None
    edge = Edge(
        runtime=shop.runtime,
        authenticate=verifier.authenticate,
        trace_of=shop.telemetry.outside_trace_of,
        record=Recorder(shop.telemetry, is_behind_edge=is_behind_edge).record,
        unrecorded=shop.telemetry.unrecorded,
        child_of=shop.telemetry.child_of,
        refuse=refuses(*(site.refuse for site in (console, front) if site is not None)),
    )
    beside: list[Route] = [index] if front is None else list(front.routes)
    if console is not None:
        beside += console.routes
    pages = (
        *health_pages(Health(ready=shop.probes, live=shop.live_probes, closed=closed)),
        metrics_page(shop.telemetry.metrics.exposition),
        _openapi_page(doors),
    )
    return HttpApp(doors, edge, pages, beside=beside)


def refuses(*sites: Refuse) -> Refuse:
    """Asks each site whether an error has a page."""

    def refuse(exchange: Exchange, error: EmporionError) -> Response | None:
        return next(filter(None, (ask(exchange, error) for ask in sites)), None)

    return refuse


def _index() -> Page:
    return index_page(
        {
            "shop": "Emporion",
            "version": __version__,
            "products": "/api/products",
            "api": "/openapi.json",
            "health": "/readyz",
            "metrics": "/metrics",
        }
    )


def _openapi_page(doors: Sequence[Inbound]) -> Page:
    """`/openapi.json`, made at the first request: nobody waits for it at the start."""
    made: list[Shown] = []

    async def show(_: Mapping[str, str]) -> Shown:
        if not made:
            contracts = [door.contract for door in doors]
            document = openapi(contracts, title="Emporion", version=__version__)
            made.append(Shown(msgspec.json.encode(document), "application/json"))
        return made[0]

    return Page("/openapi.json", show)


class Recorder:
    """Counts every answered request by route, verb and status; logs those that failed on us."""

    def __init__(self, telemetry: Telemetry, *, is_behind_edge: bool) -> None:
        self._metrics = telemetry.metrics
        self._spans = RequestSpans(telemetry, is_behind_edge=is_behind_edge)
        self._known: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def record(self, served: Served) -> None:
        """Told of every request once it is answered."""
        key = (served.verb, served.route, served.status)
        observe = self._known.get(key)
        if observe is None:
            observe = self._metrics.durations(
                "http_request_seconds",
                "Requests answered.",
                verb=served.verb,
                route=served.route,
                status=str(served.status),
            ).observe
            self._known[key] = observe
        observe(served.duration_s)
        if served.trace.is_sampled or served.status >= 500 or served.duration_s > SLOW_S:  # noqa: PLR2004 - HTTP's boundary of our own faults
            self._spans.record(served)
        if served.status >= 500:  # noqa: PLR2004 - HTTP's boundary of our own faults
            token = enter(Call(trace=served.trace))
            _access.warning("%s %s answered %d", served.verb, served.route, served.status)
            leave(token)
