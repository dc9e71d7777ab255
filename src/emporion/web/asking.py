"""How pages ask the services: as the visitor, through the same door as every client outside."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import msgspec

from emporion.chassis.auth.identity import ANONYMOUS, Identity
from emporion.chassis.calls.context import NEVER_S, Call, Trace
from emporion.chassis.calls.wire import invalid
from emporion.chassis.http.routes import Answer, Door
from emporion.contracts.contract import Audience, Message, Request, Rpc, Service, rpcs
from emporion.kernel.clock import Clock
from emporion.kernel.errors import PermissionDenied, Unavailable

S = TypeVar("S", bound=Service)
_encode = msgspec.msgpack.Encoder().encode


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A call that a page makes.

    Args:
        contract, rpc, request: what is asked of whom.
        token: the visitor's access token; empty for nobody.
        trace: of the page's own request.
        timeout_s: how long the page waits at most; 0: as long as the method may take.
        address: the visitor's, for a shop elsewhere to throttle by; empty: not known.
    """

    contract: type[Service]
    rpc: Rpc
    request: Request
    token: str
    trace: Trace
    timeout_s: float = 0.0
    address: str = ""


class Asking(Protocol):
    """Carries calls of contracts to whoever answers them."""

    async def ask(self, asked: Asked) -> Message:
        """The reply. Raises what the method declares, Unauthenticated and Unavailable among it."""
        ...


def checked(asked: Asked) -> Request:
    """The request, encoded and decoded: objects made in Python are checked by nothing else.

    Raises InvalidArgument.
    """
    try:
        request: Request = msgspec.msgpack.decode(_encode(asked.request), type=asked.rpc.request)
    except (msgspec.MsgspecError, ValueError) as error:
        raise invalid(error) from error
    return request


class LocalAsking:
    """Asks the services of this process, by the doors that the HTTP edge uses.

    Only what clients outside may ask is asked: an internal method is refused. Requests are
    checked by encoding and decoding them, as a wire would.

    Args:
        doors: the services.
        authenticate: from an Authorization header to an identity; raises Unauthenticated.
        clock: for deadlines.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        authenticate: Callable[[bytes | None], Identity],
        clock: Clock,
    ) -> None:
        self._doors = {door.contract: door for door in doors}
        self._authenticate = authenticate
        self._monotonic_s = clock.monotonic_s
        self._answers: dict[tuple[type[Service], str], Answer] = {}

    async def ask(self, asked: Asked) -> Message:
        """See Asking."""
        answer = self._answer(asked.contract, asked.rpc)
        identity = ANONYMOUS
        if asked.token:
            identity = self._authenticate(f"Bearer {asked.token}".encode())
        request = checked(asked)
        deadline_s = self._monotonic_s() + asked.timeout_s if asked.timeout_s else NEVER_S
        reply: Message = await answer(request, Call(identity, asked.trace, deadline_s))
        return reply

    def _answer(self, contract: type[Service], rpc: Rpc) -> Answer:
        key = (contract, rpc.name)
        if key not in self._answers:
            if rpc.access.audience is not Audience.PUBLIC:
                raise PermissionDenied(f"{contract.NAME}.{rpc.name} is not for pages")
            if contract not in self._doors:
                raise Unavailable(f"no {contract.NAME} service is known here")
            self._answers[key] = self._doors[contract].method(rpc)
        return self._answers[key]


class _Client:
    """Has every method of a contract; each call is handed to `ask`."""

    def __init__(self, contract: type[Service], ask: Callable[..., Any]) -> None:
        self._contract = contract
        self._ask = ask

    def __getattr__(self, name: str) -> Callable[[Request], Any]:
        rpc = rpcs(self._contract).get(name)
        if rpc is None:
            raise AttributeError(f"{self._contract.NAME} has no method {name}")
        return partial(self._ask, self._contract, rpc)


def client(contract: type[S], ask: Callable[..., Any]) -> S:
    """An object of the contract's type that calls `ask(contract, rpc, request)`."""
    return cast("S", _Client(contract, ask))
