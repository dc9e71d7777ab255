"""The operator's console of a process: loaded when somebody asks for its first page."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emporion.chassis.auth.verifier import TokenVerifier
from emporion.chassis.calls.inbound import Inbound
from emporion.chassis.http.exchange import Exchange, Response
from emporion.chassis.http.routes import Route
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import EmporionError
from emporion.platform.later import Later
from emporion.platform.settings import Environment, Settings
from emporion.platform.shop import Shop
from emporion.web.console.paths import PATHS, ROOT

if TYPE_CHECKING:
    from emporion.web.asking import Asking
    from emporion.web.console.front import Console


class LaterConsole:
    """Stands for the console: a process that shows no page of it does not carry its modules.

    Args:
        make: loads and makes it; called once.
    """

    def __init__(self, make: Callable[[], "Console"]) -> None:
        self._console = Later(make)
        self.routes: list[Route] = [_Page(self._console, verb, path) for verb, path in PATHS]

    def refuse(self, exchange: Exchange, error: EmporionError) -> Response | None:
        """See Edge.refuse; None where it is not the console's to say."""
        if not exchange.scope["path"].startswith(ROOT):
            return None
        return self._console.get_now().refuse(exchange, error)


class _Page:
    """An address of a console that may not be there yet."""

    def __init__(self, console: Later["Console"], verb: str, path: str) -> None:
        self.verb = verb
        self.path = path
        self._console = console

    async def serve(self, exchange: Exchange) -> Response:
        """What the console answers."""
        console = await self._console.get()
        return await console.serve(exchange)


def console_of(shop: Shop, doors: Sequence[Inbound], verifier: TokenVerifier) -> LaterConsole:
    """The console over the services of this process."""

    def make() -> "Console":
        from emporion.web.asking import LocalAsking  # noqa: PLC0415 - see LaterConsole

        asking = LocalAsking(doors, verifier.authenticate, shop.runtime.clock)
        return console_over(shop.settings, asking, shop.runtime)

    return LaterConsole(make)


def console_over(settings: Settings, asking: "Asking", runtime: Runtime) -> "Console":
    """The console over whatever carries its calls; loads it."""
    from emporion.web.console.front import Console  # noqa: PLC0415 - see LaterConsole
    from emporion.web.site import Ground  # noqa: PLC0415 - same

    is_secure = settings.environment is not Environment.DEVELOPMENT
    return Console(Ground(runtime=runtime, asking=asking, is_secure=is_secure))
