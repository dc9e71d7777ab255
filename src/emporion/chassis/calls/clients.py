"""How a service reaches another one: `clients.get(InventoryService)`, wherever that runs."""

from typing import Protocol, TypeVar

from emporion.contracts.contract import Service

S = TypeVar("S", bound=Service)


class Clients(Protocol):
    """Gives callable objects for contracts; the topology decides what stands behind them."""

    def get(self, contract: type[S]) -> S:
        """A client of that contract. Every call through it runs the chain of `calls.chain`.

        May be called while the process is being put together: it resolves its target at the
        first call. Calls raise the contract's refusals, and Unavailable, DeadlineExceeded or
        ResourceExhausted from the chain.
        """
        ...
