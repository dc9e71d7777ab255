"""One request of a person's browser: who it is, what was sent, and how the answer is made."""

from collections.abc import AsyncGenerator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from emporion.chassis.http.exchange import Exchange, Header, Response
from emporion.contracts.contract import Message, Request, Rpc, Service
from emporion.contracts.user import Session
from emporion.kernel.errors import Unauthenticated
from emporion.web.asking import Asked, client
from emporion.web.cookies import FOREVER_S
from emporion.web.forms import NO_FIELDS, Fields, read_query
from emporion.web.guard import COOKIE, FIELD, SECRET_BYTES, is_secret, proof_of
from emporion.web.sessions import ACCESS, EARLY_S, REFRESH, UNTIL
from emporion.web.words import safe_path

if TYPE_CHECKING:
    from emporion.web.site import Site

S = TypeVar("S", bound=Service)
HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")
NO_STORE: Final[Header] = (b"cache-control", b"no-store")
EVENTS: Final[Header] = (b"content-type", b"text/event-stream; charset=utf-8")
UNBUFFERED: Final[Header] = (b"x-accel-buffering", b"no")
SECONDS_DIGITS_MAX: Final = 12
RETURNED: Final = "next"


class Visit:
    """A visitor's request. `form` holds what was posted, once it is known to be from our page."""

    def __init__(self, site: "Site", exchange: Exchange, path: Mapping[str, str]) -> None:
        self.site = site
        self.exchange = exchange
        self.path = path
        self.form: Fields = NO_FIELDS
        self.cookies = site.cookies.read(exchange.headers.get(b"cookie"))
        self.known: dict[str, Any] = {}
        """What was found out on the way, so that it is asked for once a request."""
        self._set: dict[str, Header] = {}
        self._is_sealed = False

    # --- what was sent -----------------------------------------------------------------------

    @cached_property
    def query(self) -> Fields:
        """The query of the address. Raises MalformedBody."""
        return read_query(self.exchange)

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks, for a part of a page that it has already."""
        headers = self.exchange.headers
        return b"hx-request" in headers and b"hx-history-restore-request" not in headers

    @cached_property
    def guard(self) -> str:
        """The secret that this browser's forms are bound to; a new one when it has none."""
        secret = self.cookies.get(COOKIE, "")
        return secret if is_secret(secret) else self.renew_guard()

    def renew_guard(self) -> str:
        """Bind the browser's forms to a new secret: forms of before are refused."""
        secret = self.site.runtime.random.token(SECRET_BYTES)
        self.keep(COOKIE, secret, max_age_s=FOREVER_S)
        vars(self)["guard"] = secret
        return secret

    # --- who asks ----------------------------------------------------------------------------

    @property
    def is_signed_in(self) -> bool:
        """Whether the browser holds a session; whether it is good, the services say."""
        return REFRESH in self.cookies

    def begin(self, session: Session) -> None:
        """Keep a new session in the browser's cookies."""
        lasts_s = self.site.manners.session_s
        if not self.site.manners.is_prolonged:
            self.keep(UNTIL, str(self._now_s() + lasts_s), max_age_s=lasts_s)
        self._hold(session, lasts_s)

    def end(self) -> str:
        """Forget the session; the refresh token it had."""
        self.drop(ACCESS)
        if not self.site.manners.is_prolonged:
            self.drop(UNTIL)
        return self.drop(REFRESH)

    def _hold(self, session: Session, lasts_s: int) -> None:
        self.keep(ACCESS, session.access_token, max_age_s=max(1, session.expires_in_s - EARLY_S))
        self.keep(REFRESH, session.refresh_token, max_age_s=lasts_s)

    def _left_s(self) -> int:
        """How long the session may still last."""
        lasts_s = self.site.manners.session_s
        if self.site.manners.is_prolonged:
            return lasts_s
        until = self.cookies.get(UNTIL, "")
        is_told = until.isascii() and until.isdigit() and len(until) <= SECONDS_DIGITS_MAX
        return min(lasts_s, int(until) - self._now_s()) if is_told else 0

    def _now_s(self) -> int:
        return self.site.runtime.clock.now_ms() // 1000

    def seal_session(self) -> None:
        """Do not renew it any more: the head of the answer leaves, and no cookie can follow."""
        self._is_sealed = True

    def keep(self, name: str, value: str, *, max_age_s: int) -> None:
        """Set a cookie."""
        self.cookies[name] = value
        self._set[name] = self.site.cookies.written(name, value, max_age_s=max_age_s)

    def drop(self, name: str) -> str:
        """Take a cookie away; what it held."""
        self._set[name] = self.site.cookies.cleared(name)
        return self.cookies.pop(name, "")

    def ask(self, contract: type[S], *, timeout_s: float = 0.0) -> S:
        """The service of a contract, as this visitor may use it.

        Calls raise what the contract declares, and Unauthenticated when nobody is signed in any
        more. With `timeout_s` they raise DeadlineExceeded by then.
        """
        return client(contract, partial(self._ask, timeout_s=timeout_s))

    async def _ask(
        self, contract: type[Service], rpc: Rpc, request: Request, *, timeout_s: float
    ) -> Message:
        needs_token = rpc.access.scope is not None
        if needs_token and ACCESS not in self.cookies:
            await self._renew()
        try:
            return await self._ask_once(contract, rpc, request, timeout_s=timeout_s)
        except Unauthenticated:
            if not needs_token:
                raise
        # Refused before anything was done: the token expired on the way, or its key is gone.
        await self._renew()
        return await self._ask_once(contract, rpc, request, timeout_s=timeout_s)

    async def _ask_once(
        self, contract: type[Service], rpc: Rpc, request: Request, *, timeout_s: float
    ) -> Message:
        token = self.cookies[ACCESS] if rpc.access.scope is not None else ""
        trace, client = self.exchange.trace, self.exchange.scope.get("client")
        address = client[0] if client else ""
        asked = Asked(contract, rpc, request, token, trace, timeout_s, address)
        return await self.site.asking.ask(asked)

    async def _renew(self) -> None:
        refresh_token = self.cookies.get(REFRESH)
        if refresh_token is None or self._is_sealed:
            raise Unauthenticated
        left_s = self._left_s()
        if left_s <= 0:
            self.end()
            raise Unauthenticated
        session = await self.site.renewals.renew(refresh_token, self.exchange.trace)
        if session is None:
            self.end()
            raise Unauthenticated
        self._hold(session, left_s)

    # --- the answer --------------------------------------------------------------------------

    def context(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What every template may use, beside its own values."""
        return {
            "guard_name": FIELD,
            "guard_proof": proof_of(self.guard),
            "here": self.exchange.scope["path"],
            "is_signed_in": self.is_signed_in,
            **values,
        }

    async def show(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """A whole page, with what the layout shows around it."""
        around = await self.site.around(self)
        return Response(status, [], self._rendered(template, {**around, **values}))

    def part(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """A part of a page, for htmx."""
        return Response(status, [], self._rendered(template, values))

    def text_of(self, template: str, **values: Any) -> bytes:
        """A rendered part, to be sent in a stream."""
        return self._rendered(template, values)

    def _rendered(self, template: str, values: Mapping[str, Any]) -> bytes:
        return self.site.renderer.render(template, self.context(values))

    def redirect(self, path: str) -> Response:
        """To another page of ours, by GET."""
        return Response(303, [(b"location", path.encode("ascii"))])

    def stream(self, events: AsyncGenerator[bytes, None]) -> Response:
        """Server-sent events."""
        return Response(200, [EVENTS, UNBUFFERED], parts=events)

    def to_sign_in(self) -> Response:
        """Sign in first, then back to the page that was asked for, if it was one to look at."""
        sign_in = self.site.manners.sign_in
        if self.is_partial:
            return Response(200, [(b"hx-redirect", f"{sign_in}{self._returning()}".encode())])
        return self.redirect(f"{sign_in}{self._returning()}")

    def _returning(self) -> str:
        """The query that leads back to the page that is or was looked at."""
        scope, manners = self.exchange.scope, self.site.manners
        path = manners.home
        if self.is_partial:
            path = self._page_named(b"hx-current-url")
        elif scope["method"] == "GET":
            query = scope["query_string"].decode("latin-1")
            path = scope["path"] + (f"?{query}" if query else "")
        elif manners.is_back_at_form:
            path = self._page_named(b"referer")
        return f"?{RETURNED}={quote(path, safe='/')}"

    def _page_named(self, header: bytes) -> str:
        """The page of ours that a header names, or the site's home."""
        try:
            named = urlsplit(self.exchange.headers.get(header, b"").decode("latin-1"))
        except ValueError:
            return self.site.manners.home
        path = safe_path(named.path + (f"?{named.query}" if named.query else ""))
        return path if named.path else self.site.manners.home

    def sealed(self, response: Response) -> Response:
        """The answer with its cookies and with what keeps a browser safe."""
        names = {name for name, _ in response.headers}
        response.headers += self.site.headers
        response.headers += self._set.values()
        if b"content-type" not in names:
            response.headers.append(HTML)
        if b"cache-control" not in names:
            response.headers.append(NO_STORE)
        return response
