"""Asks beside the main thing: what may not be asked, or is away, is left out and named."""

from typing import TypeVar

from emporion.contracts.contract import Message, Request, Rpc, Service
from emporion.kernel.errors import (
    EmporionError,
    FailedPrecondition,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)
from emporion.web.asking import client
from emporion.web.visit import Visit

S = TypeVar("S", bound=Service)


class Lenient:
    """Clients of services for what a page shows besides.

    Whatever is not told raises NotFound: there is nothing to show. `scopes` are those that were
    missing, `away` the services that did not answer.

    Args:
        strict: the contract whose errors are raised as they are: what the page is about.
    """

    def __init__(self, visit: Visit, *, strict: type[Service] | None = None) -> None:
        self._visit = visit
        self._strict = strict
        self._scopes: dict[str, None] = {}
        self._away: dict[str, None] = {}
        self._untold: set[str] = set()

    @property
    def untold(self) -> frozenset[str]:
        """Services that did not tell everything: what is not there may be all the same."""
        return frozenset(self._untold)

    @property
    def scopes(self) -> list[str]:
        """Scopes that were missing."""
        return sorted(self._scopes)

    @property
    def away(self) -> list[str]:
        """Services that did not answer."""
        return sorted(self._away)

    def get(self, contract: type[S]) -> S:
        """A client of that contract, as the visitor may use it."""
        if contract is self._strict:
            return self._visit.ask(contract)
        return client(contract, self._ask)

    async def _ask(self, contract: type[Service], rpc: Rpc, request: Request) -> Message:
        method = getattr(self._visit.ask(contract), rpc.name)
        try:
            reply: Message = await method(request)
        except (NotFound, Unauthenticated):
            raise
        except PermissionDenied as error:
            self._untold.add(contract.NAME)
            self._scopes.setdefault(str(error.fields.get("scope", rpc.access.scope)))
            raise NotFound from error
        except FailedPrecondition as error:
            raise NotFound from error
        except EmporionError as error:
            self._untold.add(contract.NAME)
            self._away.setdefault(contract.NAME)
            raise NotFound from error
        return reply
