"""The console put together: its sections, who may look at them, and how one gets in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from emporion.chassis.http.exchange import Exchange, Response
from emporion.chassis.http.router import Router
from emporion.chassis.http.routes import Route
from emporion.kernel.errors import EmporionError
from emporion.web.console import session
from emporion.web.console.paths import ROOT
from emporion.web.console.section import Section, navigation, path_of, sections
from emporion.web.site import Ground, Manners, Show, Site
from emporion.web.visit import Visit

TEMPLATES: Final = Path(__file__).parent / "templates"
SESSION_S: Final = 12 * 3_600
"""A working day: the console is not left open for a month, however often its pages ask."""
MANNERS: Final = Manners(
    realm="console-",
    session_s=SESSION_S,
    is_prolonged=False,
    sign_in=session.SIGN_IN,
    home=ROOT,
    is_back_at_form=True,
    fault="fault.html",
)


class Console:
    """Every page of the console, found by its address.

    Args:
        ground: see Ground.
        known: the sections, by name; by default all that there are.
    """

    def __init__(self, ground: Ground, known: Mapping[str, Section] | None = None) -> None:
        known = sections() if known is None else known
        self.site = site = Site(ground, [TEMPLATES], around=self._around, manners=MANNERS)
        self._navigation = navigation(known)
        self._names = frozenset(known)
        routes: list[Route] = [
            site.page(session.SIGN_IN, session.sign_in_page),
            site.form(session.SIGN_IN, session.sign_in),
            site.form(session.SIGN_OUT, session.sign_out),
        ]
        for name, section in known.items():
            for rest, show in section.pages.items():
                routes.append(site.page(path_of(name, rest), _admitted(show)))
            for rest, take in section.forms.items():
                routes.append(site.form(path_of(name, rest), _admitted(take)))
        self._router: Router[Route] = Router(routes)

    async def serve(self, exchange: Exchange) -> Response:
        """The page of an address. Raises NoSuchRoute, MethodNotAllowed or ClientGone."""
        scope = exchange.scope
        route, exchange.path_values = self._router.find(scope["method"], scope["raw_path"])
        exchange.route = route.path
        return await route.serve(exchange)

    def refuse(self, exchange: Exchange, error: EmporionError) -> Response | None:
        """The page of what is not there; None where it is not the console's to say."""
        path: str = exchange.scope["path"]
        is_ours = path == ROOT or path.startswith(f"{ROOT}/")
        return self.site.refuse(exchange, error) if is_ours else None

    async def _around(self, visit: Visit) -> dict[str, Any]:
        """The navigation, the names of the sections that there are, and who is signed in."""
        return {
            "navigation": self._navigation,
            "sections": self._names,
            "operator": visit.known.get(session.OPERATOR),
        }


def _admitted(show: Show) -> Show:
    """The page, for operators."""

    async def admitted(visit: Visit) -> Response:
        await session.admit(visit)
        return await show(visit)

    return admitted
