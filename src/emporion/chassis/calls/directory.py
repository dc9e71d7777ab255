"""Which services this process holds or knows elsewhere, and the clients that reach them."""

from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from emporion.chassis.auth.identity import Identity, service_identity
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call
from emporion.chassis.calls.inbound import Inbound, ServedMethod
from emporion.chassis.calls.outbound import Attempt, Edge, OutboundMethod, client_object
from emporion.chassis.calls.remote import Remote
from emporion.chassis.calls.wire import WireError, to_wire
from emporion.chassis.resilience.budget import RetryBudget
from emporion.contracts.contract import Message, Request, Rpc, Service, rpcs
from emporion.kernel.errors import EmporionError, Unavailable

S = TypeVar("S", bound=Service)


class Binding(StrEnum):
    """How a call inside one process is carried.

    Both run the same chain and validate every request by encoding and decoding it: objects made
    in Python are checked by nothing else, and the callee gets a copy of its own. LOCAL_STRICT
    does the same to replies and errors, as a wire would; LOCAL_FAST trusts our own typed code to
    have made a right reply, checks its class only, and hands it over as it is.
    """

    LOCAL_FAST = "local-fast"
    LOCAL_STRICT = "local-strict"


class Directory:
    """The services of this process by contract."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._inbounds: dict[type[Service], Inbound] = {}
        self._remotes: dict[type[Service], Remote] = {}

    def add(
        self, contract: type[Service], implementation: Service, *, shed_first: bool = False
    ) -> Inbound:
        """Open the door of a service. Raises ValueError when there is one already."""
        if contract in self._inbounds:
            raise ValueError(f"{contract.NAME} is here already")
        inbound = Inbound(contract, implementation, self.chain, shed_first=shed_first)
        self._inbounds[contract] = inbound
        return inbound

    def add_remote(self, contract: type[Service], remote: Remote) -> None:
        """Name the way to a service elsewhere; one that this process holds is called locally.

        Raises ValueError when a way is known already.
        """
        if contract in self._remotes:
            raise ValueError(f"the way to {contract.NAME} is known already")
        self._remotes[contract] = remote

    def remote(self, contract: type[Service]) -> Remote | None:
        """The way to a service that this process does not hold; None when it does."""
        return None if contract in self._inbounds else self._remotes.get(contract)

    @property
    def inbounds(self) -> tuple[Inbound, ...]:
        """Every door, in the order of `add`."""
        return tuple(self._inbounds.values())

    def find(self, contract: type[Service]) -> Inbound:
        """The door of a service. Raises Unavailable when this process does not hold it."""
        inbound = self._inbounds.get(contract)
        if inbound is None:
            raise Unavailable(f"no {contract.NAME} service is known here")
        return inbound

    def clients(
        self,
        caller: str,
        binding: Binding = Binding.LOCAL_STRICT,
        *,
        scopes: frozenset[str] = frozenset(),
    ) -> "DirectoryClients":
        """The clients of the service named `caller`, which may hold scopes beyond `internal`."""
        own = service_identity(caller)
        identity = Identity(own.kind, own.subject, own.scopes | scopes)
        return DirectoryClients(self, identity, binding)


class DirectoryClients:
    """Implements `calls.clients.Clients` for one calling service.

    Its calls carry the identity of that service, not of the person it works for: the user's id
    travels in requests. A client may be taken, and its methods too, before the callee is there.
    """

    def __init__(self, directory: Directory, identity: Identity, binding: Binding) -> None:
        self._directory = directory
        self._identity = identity
        self._binding = binding
        self._clients: dict[type[Service], Service] = {}

    def get(self, contract: type[S]) -> S:
        """A client of that contract; the same object each time."""
        if contract not in self._clients:
            chain = self._directory.chain
            budget = RetryBudget(chain.runtime.clock)
            methods = {
                name: OutboundMethod(
                    chain,
                    contract.NAME,
                    rpc,
                    edge=Edge(self._identity, budget, self._to(contract, rpc)),
                )
                for name, rpc in rpcs(contract).items()
            }
            self._clients[contract] = client_object(contract, methods)
        client: Any = self._clients[contract]
        found: S = client
        return found

    def _to(self, contract: type[Service], rpc: Rpc) -> "DirectoryTarget":
        return DirectoryTarget(
            self._directory, contract, rpc, caller=self._identity, binding=self._binding
        )


class DirectoryTarget:
    """Where calls of one method go: to the service in this process, or else to the remote one."""

    def __init__(
        self,
        directory: Directory,
        contract: type[Service],
        rpc: Rpc,
        *,
        caller: Identity,
        binding: Binding,
    ) -> None:
        self._directory = directory
        self._contract = contract
        self._rpc = rpc
        self._caller = caller
        self._binding = binding

    def resolve(self) -> Attempt:
        """The way to the method. Raises Unavailable while the service is not known."""
        remote = self._directory.remote(self._contract)
        if remote is not None:
            return remote.attempt(self._rpc, self._caller)
        served = self._directory.find(self._contract).local(self._rpc, self._caller.subject)
        if self._binding is Binding.LOCAL_FAST:
            return served.serve
        return StrictMethod(served).serve


class StrictMethod:
    """A served method whose replies and errors go through the encoding that a wire would use."""

    def __init__(self, served: ServedMethod) -> None:
        self._served = served
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(served.rpc.reply).decode
        self._decode_error = msgspec.msgpack.Decoder(WireError).decode

    async def serve(self, request: Request, call: Call, parent_id: str) -> Message:
        """Answer one call."""
        try:
            reply = await self._served.serve(request, call, parent_id)
        except EmporionError as error:
            wire = self._decode_error(self._encode(to_wire(error)))
            raise self._served.errors.from_wire(wire) from None
        try:
            return self._decode(self._encode(reply))
        except Exception as error:
            raise self._served.unexpected(error, call) from error
