"""A browser without a screen: keeps cookies, follows redirects, fills in the forms of a page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

from emporion.chassis.http.app import HttpApp

HOPS_MAX = 5
HOST = "shop.test"


@dataclass
class Form:
    """A form as a page has it: where it goes, and what it sends if nothing is changed."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class _Reading(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.texts: list[str] = []
        self._select = ""
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in {"script", "style"}:
            self._silent += 1
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").upper()))
        elif tag == "select":
            self._select = given.get("name", "")
        elif self.forms and tag == "option" and "selected" in given:
            self.forms[-1].fields.append((self._select, given["value"]))
        elif self.forms and tag == "input" and "name" in given:
            is_box = given.get("type") in {"radio", "checkbox"}
            if not is_box or "checked" in given:
                self.forms[-1].fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)


@dataclass
class Shown:
    """What the browser shows."""

    status: int
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """A header's value; empty without it."""
        return next((value for sent, value in self.headers if sent == name), "")

    @property
    def html(self) -> str:
        """The page's source."""
        return self.body.decode()

    @property
    def text(self) -> str:
        """What there is to be read."""
        return " ".join(" ".join(self._read().texts).split())

    @property
    def forms(self) -> dict[str, Form]:
        """The forms by where they go."""
        return {form.action: form for form in self._read().forms}

    @property
    def set_cookies(self) -> list[str]:
        """Every cookie that is set, with its attributes."""
        return [value for sent, value in self.headers if sent == "set-cookie"]

    def _read(self) -> _Reading:
        reading = _Reading()
        reading.feed(self.html)
        return reading


class Visitor:
    """Somebody's browser."""

    def __init__(self, app: HttpApp) -> None:
        self._app = app
        self.cookies: dict[str, str] = {}

    async def get(self, target: str, **headers: str) -> Shown:
        """Look at a page, wherever that leads."""
        return await self._followed("GET", target, b"", headers)

    async def post(
        self, target: str, fields: Any, *, hops: int = HOPS_MAX, **headers: str
    ) -> Shown:
        """Send fields, and look at what comes; `hops=0` shows the very answer."""
        sent = {"content_type": "application/x-www-form-urlencoded", **headers}
        return await self._followed("POST", target, urlencode(fields).encode(), sent, hops=hops)

    async def submit(
        self, page: Shown, action: str, /, *, hops: int = HOPS_MAX, **changed: Any
    ) -> Shown:
        """Fill in a form of a page and send it."""
        return await self.post(action, filled(page, action, **changed), hops=hops)

    async def once(
        self, verb: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Shown:
        """One request and its answer; cookies are kept, redirects are not followed."""
        messages = [message async for message in self._exchange(verb, target, body, headers or {})]
        start = messages[0]
        shown = Shown(
            start["status"],
            target,
            [(name.decode(), value.decode()) for name, value in start["headers"]],
            b"".join(message.get("body", b"") for message in messages[1:]),
        )
        for cookie in shown.set_cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return shown

    async def _followed(
        self,
        verb: str,
        target: str,
        body: bytes,
        headers: dict[str, str],
        *,
        hops: int = HOPS_MAX,
    ) -> Shown:
        shown = await self.once(verb, target, body, headers)
        for _ in range(hops):
            if shown.status != 303:
                break
            shown = await self.once("GET", shown.header("location"))
        return shown

    async def _exchange(self, verb: str, target: str, body: bytes, headers: dict[str, str]) -> Any:
        sent = {"host": HOST, "accept": "text/html", **headers}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body:
            sent["content-length"] = str(len(body))
        url = urlsplit(target)
        scope = {
            "type": "http",
            "method": verb,
            "path": url.path,
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in sent.items()],
            "client": ("127.0.0.1", 50_000),
        }
        waiting: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]
        messages: list[Any] = []

        async def receive() -> Any:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        for message in messages:
            yield message


def filled(page: Shown, action: str, /, **changed: Any) -> list[tuple[str, str]]:
    """The fields of a form, some of them changed; a list gives several of one name."""
    assert action in page.forms, (action, sorted(page.forms), page.text)
    return [*_kept(page.forms[action], changed), *_given(changed)]


def _kept(form: Form, changed: dict[str, Any]) -> Iterator[tuple[str, str]]:
    return (pair for pair in form.fields if pair[0] not in changed)


def _given(changed: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in changed.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, str(one)
