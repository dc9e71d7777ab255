"""Clients of the contracts over REST: the same typed calls, from outside a running shop."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec

from emporion.contracts.contract import Message, Request, Retry, Rpc, Service, path_parameters, rpcs
from emporion.contracts.user import RefreshToken, Session, SignIn, UserService
from emporion.kernel.errors import Unauthenticated
from emporion.platform.client.address import Address
from emporion.platform.client.connection import Answer, Connection, ConnectionLost
from emporion.platform.client.problem import RETRIABLE, read_problem, to_error

S = TypeVar("S", bound=Service)
PAUSE_S = 0.2
PAUSE_S_MAX = 5.0
CALL_TIMEOUT_S = 35.0
"""Longer than the longest deadline of a contract: the shop answers first."""


class RestClients:
    """Implements `Clients` over one connection: calls run one after another.

    Queries and keyed commands are repeated after a lost connection or a 429/5xx answer, with a
    doubling pause, for at most `patience_s`; then the last error is raised. An expired access
    token is renewed once per call.
    """

    def __init__(
        self,
        address: Address,
        *,
        patience_s: float = 15.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self.connection = Connection(address, tls=tls)
        self._patience_s = patience_s
        self._lock = asyncio.Lock()
        self._session: Session | None = None
        self._remotes: dict[type[Service], Any] = {}

    def get(self, contract: type[S]) -> S:
        """A client of that contract; methods without a REST surface raise LookupError."""
        if contract not in self._remotes:
            self._remotes[contract] = _Remote(contract, self._call)
        return cast("S", self._remotes[contract])

    async def sign_in(self, email: str, password: str) -> None:
        """Make all further calls as this person. Raises WrongCredentials or TooManySignIns."""
        self._session = None
        credentials = SignIn(email=email, password=password)
        self._session = await self.get(UserService).sign_in(credentials)

    async def renew(self) -> None:
        """Exchange the refresh token. Raises Unauthenticated, then there is no session left."""
        spent, self._session = self._session, None
        if spent is None:
            raise Unauthenticated
        token = RefreshToken(refresh_token=spent.refresh_token)
        self._session = await self.get(UserService).refresh(token)

    @property
    def authorization(self) -> str:
        """The header line that carries the access token; empty without a session."""
        if self._session is None:
            return ""
        return f"Authorization: Bearer {self._session.access_token}\r\n"

    @property
    def expires_in_s(self) -> float:
        """How long a fresh access token of this session lasts; 0.0 without a session."""
        return float(self._session.expires_in_s) if self._session is not None else 0.0

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    async def _call(self, rpc: Rpc, request: Request) -> Message:
        try:
            return await self._call_once(rpc, request)
        except Unauthenticated:
            if self._session is None:
                raise
        await self.renew()
        return await self._call_once(rpc, request)

    async def _call_once(self, rpc: Rpc, request: Request) -> Message:
        verb, path, headers, body = to_http(rpc, request)
        if rpc.access.scope is not None:
            headers += self.authorization
        head = self.connection.head(verb, path, headers)
        async with self._lock:
            answer = await self._ask(head, body, is_repeatable=rpc.retry is not Retry.NEVER)
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's own border of errors
            raise to_error(read_problem(answer.status, answer.body), rpc.raises)
        return msgspec.json.decode(answer.body or b"{}", type=rpc.reply)

    async def _ask(self, head: bytes, body: bytes, *, is_repeatable: bool) -> Answer:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._patience_s
        pause_s = PAUSE_S
        while True:
            answer: Answer | None = None
            try:
                answer = await self.connection.call(head, body, timeout_s=CALL_TIMEOUT_S)
                if answer.status not in RETRIABLE or not is_repeatable or loop.time() > until_s:
                    return answer
            except ConnectionLost:
                if not is_repeatable or loop.time() > until_s:
                    raise
            said_s = answer.retry_after_s if answer is not None else 0.0
            await asyncio.sleep(min(max(pause_s, said_s), PAUSE_S_MAX))
            pause_s *= 2


def to_http(rpc: Rpc, request: Request) -> tuple[str, str, str, bytes]:
    """Verb, path, header lines and body of a call, as the contract's REST surface says.

    Raises LookupError when the method has none.
    """
    if rpc.rest is None:
        message = f"{rpc.name} has no REST surface"
        raise LookupError(message)
    fields: dict[str, Any] = msgspec.to_builtins(request)
    path = rpc.rest.path
    for name in path_parameters(path):
        path = path.replace(f"{{{name}}}", quote(str(fields.pop(name)), safe=""))
    headers = ""
    if rpc.key_in_header and rpc.key is not None:
        key = fields.pop(rpc.key)
        headers = f"Idempotency-Key: {key}\r\n" if key else ""
    for name, title in rpc.rest.headers:
        headers += f"{title}: {fields.pop(name)}\r\n"
    if rpc.rest.raw:
        return rpc.rest.verb, path, headers, getattr(request, rpc.rest.raw)
    if rpc.rest.verb in {"GET", "DELETE"}:
        asked = {name: _as_text(value) for name, value in fields.items() if value not in (None, "")}
        return rpc.rest.verb, f"{path}?{urlencode(asked)}" if asked else path, headers, b""
    return rpc.rest.verb, path, headers, msgspec.json.encode(fields)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Remote:
    """Has a coroutine function for each method of a contract."""

    def __init__(
        self, contract: type[Service], call: Callable[[Rpc, Request], Awaitable[Message]]
    ) -> None:
        for rpc in rpcs(contract).values():
            setattr(self, rpc.name, _bound(rpc, call))


def _bound(
    rpc: Rpc, call: Callable[[Rpc, Request], Awaitable[Message]]
) -> Callable[[Request], Awaitable[Message]]:
    async def remote(request: Request) -> Message:
        return await call(rpc, request)

    return remote
