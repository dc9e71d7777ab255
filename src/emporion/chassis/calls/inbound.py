"""The door of a service: every call, local or from an edge, enters by the same ordered chain."""

from collections.abc import Awaitable, Callable
from typing import Any

from emporion.chassis.calls.context import Call, enter, leave
from emporion.contracts.contract import Rpc, Service, rpcs

Bound = Callable[[Any, Call], Awaitable[Any]]
"""`await bound(request, call)`: a validated request in, the reply out; raises EmporionError only.

An edge builds `call` from what it received: the verified identity, the trace context of the
`traceparent` header (`Telemetry.trace_of(header)` also starts a new one), the deadline of the
client or NEVER_S. The chain narrows the deadline to the method's own timeout, makes the child
span, checks access, sheds load, and turns unexpected errors into Internal.
"""


class Inbound:
    """One service's door."""

    def __init__(self, contract: type[Service], implementation: Service) -> None:
        self.contract = contract
        self.service = contract.NAME
        self._implementation = implementation

    @property
    def rpcs(self) -> dict[str, Rpc]:
        """The methods of the contract by name."""
        return rpcs(self.contract)

    def authorise(self, rpc: Rpc, call: Call) -> None:
        """Check access alone, so that an edge can refuse before it decodes a body.

        Raises Unauthenticated or PermissionDenied. The chain checks it again.
        """
        if rpc.access.scope is not None:
            call.identity.require_scope(rpc.access.scope)

    def method(self, rpc: Rpc) -> Bound:
        """The callable of one method, built once at start-up. For edges: HTTP now, gRPC later."""
        target = getattr(self._implementation, rpc.name)

        async def bound(request: Any, call: Call) -> Any:
            self.authorise(rpc, call)
            token = enter(call)
            try:
                return await target(request)
            finally:
                leave(token)

        return bound
