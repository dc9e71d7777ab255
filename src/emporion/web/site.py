"""A site: pages with what they share, from a request to a sealed answer."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from emporion.chassis.http.body import BodyReader
from emporion.chassis.http.exchange import Exchange, Response
from emporion.chassis.http.problem import MethodNotAllowed, status_of
from emporion.chassis.http.throttle import Throttle, ThrottleLimits
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.contract import path_parameters
from emporion.kernel.errors import EmporionError, Internal, NotFound, Unauthenticated
from emporion.web.asking import Asking
from emporion.web.assets import Assets
from emporion.web.cookies import Cookies
from emporion.web.forms import read_form
from emporion.web.guard import FIELD, require_own_form
from emporion.web.rendering import Renderer
from emporion.web.security import HEADERS, HSTS
from emporion.web.sessions import SESSION_S, Renewals
from emporion.web.visit import Visit

_log = logging.getLogger(__name__)
_NOT_FOR_PAGES: Final = ("/api/", "/.well-known/", "/metrics", "/readyz", "/livez", "/openapi")
FORM_TIMEOUT_S: Final = 10.0
Show = Callable[[Visit], Awaitable[Response]]
Around = Callable[[Visit], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Manners:
    """What a site does in its own way.

    Args:
        realm: how the names of its cookies begin: a session of one site is none of another.
        session_s: how long a browser keeps a session that is not used.
        is_prolonged: whether using it keeps a session for longer: an open page asks by itself.
        sign_in: the path of the page to sign in.
        home: where one is led after signing in when no page was asked for.
        is_back_at_form: whether somebody whose session ended while filling in a form is led back
            to its page after signing in, not home.
        fault: the template of an error, as part of a page; empty: such a part has none, and the
            page stays as it was.
    """

    realm: str = ""
    session_s: int = SESSION_S
    is_prolonged: bool = True
    sign_in: str = "/sign-in"
    home: str = "/cart"
    is_back_at_form: bool = False
    fault: str = ""


async def nothing_around(_: Visit) -> dict[str, Any]:
    """A layout that shows no more than the page."""
    return {}


@dataclass(frozen=True, slots=True)
class Ground:
    """What the platform gives a site to stand on.

    Args:
        runtime: time, chance and tasks.
        asking: the way to the services.
        is_secure: whether the shop is behind TLS: cookies then travel over nothing else.
        throttle: how often one address may try to sign in or up.
    """

    runtime: Runtime
    asking: Asking
    is_secure: bool
    throttle: ThrottleLimits = field(default_factory=ThrottleLimits)


class Site:
    """The shared parts of pages: templates, cookies, sessions, the guard of forms.

    Args:
        ground: see Ground.
        folders: templates, before those that all sites share.
        around: what a layout shows beside the page itself; asked for whole pages only.
        manners: see Manners.
    """

    def __init__(
        self,
        ground: Ground,
        folders: Sequence[Path],
        *,
        around: Around = nothing_around,
        manners: Manners | None = None,
    ) -> None:
        self.manners = manners or Manners()
        self.runtime = ground.runtime
        self.asking = ground.asking
        self.assets = Assets()
        self.renderer = Renderer(self.assets, folders)
        self.cookies = Cookies(is_secure=ground.is_secure, realm=self.manners.realm)
        self.renewals = Renewals(ground.runtime, ground.asking)
        self.bodies = BodyReader(ground.runtime, timeout_s=FORM_TIMEOUT_S)
        self.throttle = Throttle(ground.throttle)
        self.around = around
        self.headers = [*HEADERS, *([HSTS] if ground.is_secure else [])]

    def page(self, path: str, show: Show) -> "PageOfSite":
        """A page to look at."""
        return PageOfSite(self, "GET", path, show=show)

    def form(self, path: str, take: Show) -> "PageOfSite":
        """What takes a form of ours; refused when it comes from elsewhere."""
        return PageOfSite(self, "POST", path, show=take)

    def refuse(self, exchange: Exchange, error: EmporionError) -> Response | None:
        """A page for a person who found nothing; None for programs, which want a document."""
        path: str = exchange.scope["path"]
        wants_page = b"text/html" in exchange.headers.get(b"accept", b"")
        is_about_path = isinstance(error, NotFound | MethodNotAllowed)
        if not wants_page or not is_about_path or path.startswith(_NOT_FOR_PAGES):
            return None
        visit = Visit(self, exchange, {})
        return visit.sealed(self.complaint(visit, error))

    def complaint(self, visit: Visit, error: EmporionError) -> Response:
        """The page of an error: what it is, that nothing is lost, and where to go."""
        status = status_of(error)
        values = {
            "error": error,
            "status": status,
            "trace_id": visit.exchange.trace.trace_id,
            "is_bare": True,
        }
        if visit.is_partial and self.manners.fault:
            return visit.part(self.manners.fault, status, **values)
        return Response(status, [], self.renderer.render("error.html", visit.context(values)))


class PageOfSite:
    """A route that shows a page, or takes a form."""

    def __init__(self, site: Site, verb: str, path: str, *, show: Show) -> None:
        self.verb = verb
        self.path = path
        self._site = site
        self._show = show
        self._names = tuple(path_parameters(path))

    async def serve(self, exchange: Exchange) -> Response:
        """The page, or the page of an error. Raises ClientGone."""
        site = self._site
        visit = Visit(site, exchange, dict(zip(self._names, exchange.path_values, strict=True)))
        try:
            if self.verb == "POST":
                visit.form = await read_form(exchange, site.bodies)
                require_own_form(exchange, secret=visit.guard, proof=visit.form.text(FIELD))
            response = await self._show(visit)
        except Unauthenticated:
            response = visit.to_sign_in()
        except EmporionError as error:
            response = site.complaint(visit, error)
        except Exception:  # noqa: BLE001 - the last resort: logged, told by its trace id only
            _log.exception("a page failed, trace %s", exchange.trace.trace_id)
            response = site.complaint(visit, Internal())
        return visit.sealed(response)
