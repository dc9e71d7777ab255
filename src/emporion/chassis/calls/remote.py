"""The port by which a directory reaches services that other processes hold."""

from typing import Protocol

from emporion.chassis.auth.identity import Identity
from emporion.chassis.calls.outbound import Attempt
from emporion.contracts.contract import Rpc


class Remote(Protocol):
    """A service in another process."""

    def attempt(self, rpc: Rpc, identity: Identity) -> Attempt:
        """The way to one method, for a caller of that identity.

        An attempt raises the refusals that the method declares and those of the chain;
        Unavailable or DeadlineExceeded when the outcome is not known.
        """
        ...
