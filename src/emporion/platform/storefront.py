"""The storefront of a process: loaded when somebody asks for its first page, and not before."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from emporion.chassis.auth.verifier import TokenVerifier
from emporion.chassis.calls.inbound import Inbound
from emporion.chassis.http.exchange import Exchange, Response
from emporion.chassis.http.routes import Route
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import EmporionError
from emporion.platform.later import Later
from emporion.platform.settings import Environment, Provider, Settings
from emporion.platform.shop import Shop
from emporion.web.storefront.paths import HOME, PATHS

if TYPE_CHECKING:
    from emporion.web.asking import Asking
    from emporion.web.storefront.front import Storefront

CARDS: Final = (
    ("tok_ok", "Test card", "Pays at once; no money moves."),
    ("tok_timeout", "Slow test card", "Pays, but its bank answers late."),
    ("tok_declined", "Empty test card", "Is declined."),
)
"""The ways to pay of the built-in test provider: token, name, what it does."""


class LaterStorefront:
    """Stands for the storefront: a process that shows no page does not carry its modules.

    Args:
        make: loads and makes it; called once.
        index: what programs find at `/`.
    """

    def __init__(self, make: Callable[[], "Storefront"], index: Route) -> None:
        self._front = Later(make)
        home = _Home(_Later(self, "GET", HOME), index)
        self.routes: list[Route] = [home, *(_Later(self, verb, path) for verb, path in PATHS)]

    async def route(self, verb: str, path: str) -> Route:
        """A route of the storefront by its template."""
        return (await self._front.get()).route(verb, path)

    def refuse(self, exchange: Exchange, error: EmporionError) -> Response | None:
        """See Edge.refuse; a person's first page may be one that is not there."""
        if b"text/html" not in exchange.headers.get(b"accept", b""):
            return None
        return self._front.get_now().site.refuse(exchange, error)


class _Later:
    """A route of a storefront that may not be there yet."""

    def __init__(self, front: LaterStorefront, verb: str, path: str) -> None:
        self.verb = verb
        self.path = path
        self._front = front

    async def serve(self, exchange: Exchange) -> Response:
        """What the storefront answers."""
        route = await self._front.route(self.verb, self.path)
        return await route.serve(exchange)


class _Home:
    """`/`: the shop for a browser, and what there is for a program."""

    verb = "GET"
    path = HOME

    def __init__(self, home: Route, index: Route) -> None:
        self._home = home
        self._index = index

    async def serve(self, exchange: Exchange) -> Response:
        """The one or the other, by what is accepted."""
        wants_page = b"text/html" in exchange.headers.get(b"accept", b"")
        is_of_page = wants_page or b"hx-request" in exchange.headers
        response = await (self._home if is_of_page else self._index).serve(exchange)
        response.headers.append((b"vary", b"Accept, HX-Request"))
        return response


def storefront_of(
    shop: Shop, doors: Sequence[Inbound], verifier: TokenVerifier, *, index: Route
) -> LaterStorefront:
    """The storefront over the services of this process."""

    def make() -> "Storefront":
        from emporion.web.asking import LocalAsking  # noqa: PLC0415 - see LaterStorefront

        asking = LocalAsking(doors, verifier.authenticate, shop.runtime.clock)
        return storefront_over(shop.settings, asking, shop.runtime)

    return LaterStorefront(make, index)


def storefront_over(settings: Settings, asking: "Asking", runtime: Runtime) -> "Storefront":
    """The storefront over whatever carries its calls; loads it."""
    from emporion.web.site import Ground  # noqa: PLC0415 - see LaterStorefront
    from emporion.web.storefront.checkout import PaymentChoice  # noqa: PLC0415 - same
    from emporion.web.storefront.front import Storefront  # noqa: PLC0415 - same

    is_secure = settings.environment is not Environment.DEVELOPMENT
    cards = CARDS if settings.payment_provider is Provider.REHEARSAL else ()
    ground = Ground(runtime=runtime, asking=asking, is_secure=is_secure)
    return Storefront(ground, [PaymentChoice(*card) for card in cards])
