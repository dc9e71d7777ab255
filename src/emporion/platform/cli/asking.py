"""Asks a shop about its operations: the running one as an operator, else what is on its files."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from emporion.platform.cli.exits import refuse, say

if TYPE_CHECKING:
    from emporion.chassis.calls.clients import Clients
    from emporion.contracts.operations import OperationsService
    from emporion.platform.operating import Target

T = TypeVar("T")


def target_of(folder: Path, url: str, *, email: str, password: str) -> "Target":
    """The shop that the options of a command name."""
    from emporion.platform.operating import Target

    return Target(folder=folder, url=url, email=email, password=password)


def asked(target: "Target", work: "Callable[[OperationsService], Awaitable[T]]") -> T:
    """What `work` returns, on the shop that runs or on the files of one that does not."""
    import asyncio

    from emporion.platform.operating import operate

    return asyncio.run(operate(target, work))


def consulted(target: "Target", work: "Callable[[Clients], Awaitable[T]]") -> T:
    """What `work` returns, given clients of the shop's services; see `asked`."""
    import asyncio

    from emporion.platform.operating import consult

    return asyncio.run(consult(target, work))


def asked_if_running(
    target: "Target", work: "Callable[[OperationsService], Awaitable[T]]"
) -> T | None:
    """The same of a running shop; None when there is none, or it does not answer.

    Its files can be read beside it then, as they can without it.
    """
    from emporion.platform.client.connection import ConnectionLost
    from emporion.platform.data_folder import FolderInUse

    try:
        return asked(target, work) if target.where() else None
    except (ConnectionLost, FolderInUse) as error:
        if target.url:
            raise
        say(f"{error.detail}. What its files say:")
        return None


def require_known(service: str, target: "Target") -> None:
    """End with a sentence when the shop on these files has no such service."""
    from emporion.platform.shop_folder import SERVICES

    if not target.url and service not in SERVICES:
        refuse(f"there is no service {service!r}; there are {', '.join(SERVICES)}")
