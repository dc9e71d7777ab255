"""Every error that a client of the REST surface can be told, from the contracts and the edge."""

from collections.abc import Iterator

from emporion.chassis.auth import verifier
from emporion.chassis.http import connection, problem
from emporion.contracts.contract import Audience, rpcs
from emporion.kernel.errors import CATEGORIES, EmporionError
from emporion.platform.contracts import CONTRACTS

EDGE = (connection, problem, verifier)


def told_to_clients() -> dict[str, type[EmporionError]]:
    """By slug: the refusals that public methods declare, those of the edge, and the categories."""
    found = [*named_refusals(), *edge_errors(), *CATEGORIES.values()]
    return {kind.slug: kind for kind in found}


def named_refusals() -> Iterator[type[EmporionError]]:
    """What public methods declare, without the categories."""
    for contract in CONTRACTS:
        for rpc in rpcs(contract).values():
            if rpc.access.audience is Audience.PUBLIC:
                yield from (kind for kind in rpc.raises if kind not in CATEGORIES.values())


def edge_errors() -> Iterator[type[EmporionError]]:
    """What the HTTP edge and the verifier of tokens raise."""
    for module in EDGE:
        for kind in vars(module).values():
            if (
                isinstance(kind, type)
                and issubclass(kind, EmporionError)
                and kind.__module__ == module.__name__
            ):
                yield kind
