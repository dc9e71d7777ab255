"""Rules about contracts: they look at the declared classes, as the surfaces do."""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

from emporion.contracts.contract import Audience, Event, Message, Rpc, Service, rpcs
from emporion.kernel.errors import CATEGORIES, EmporionError

T = TypeVar("T")


def published() -> list[type[Service]]:
    """The service interfaces under emporion.contracts, by name; not those that are parts of one."""
    load("emporion.contracts")
    found = {
        kind
        for kind in subclasses(Service)
        if kind.__module__.startswith("emporion.contracts.") and "NAME" in vars(kind)
    }
    return sorted(found, key=lambda contract: contract.NAME)


def load(package: str) -> None:
    """Import every module below a package, so that its classes are known."""
    path = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(path, f"{package}."):
        importlib.import_module(module.name)


def _is_ours(kind: type[object]) -> bool:
    return kind.__module__.startswith("emporion.")


def subclasses(kind: type[T]) -> Iterator[type[T]]:
    """Every class below `kind` that our own modules define."""
    for below in kind.__subclasses__():
        if _is_ours(below):
            yield below
        yield from subclasses(below)


def _methods(contracts: Iterable[type[Service]]) -> Iterator[tuple[str, Rpc]]:
    for contract in contracts:
        for name, rpc in rpcs(contract).items():
            yield f"{contract.__name__}.{name}", rpc


def undeclared_methods(contracts: Iterable[type[Service]]) -> Iterator[str]:
    """Public methods that carry neither @query nor @command: no rule would apply to them."""
    for contract in contracts:
        members = [member for part in contract.__mro__ for member in vars(part).items()]
        for name, member in members:
            if callable(member) and not name.startswith("_") and name not in rpcs(contract):
                yield f"{contract.__name__}.{name}"


def loose_access(contracts: Iterable[type[Service]]) -> Iterator[str]:
    """Methods without a scope, or without an ownership check, that give no reason for it."""
    for where, rpc in _methods(contracts):
        access = rpc.access
        if (access.scope is None or not access.is_owner_checked) and not access.reason:
            yield where


def routed_though_internal(contracts: Iterable[type[Service]]) -> Iterator[str]:
    """Internal methods that have a REST surface all the same, and public ones without any."""
    for where, rpc in _methods(contracts):
        if (rpc.access.audience is Audience.INTERNAL) == (rpc.rest is not None):
            yield where


def shared_routes(contracts: Iterable[type[Service]]) -> Iterator[str]:
    """Verb and path pairs that two methods answer; parameters count as equal."""
    routes = Counter(
        f"{rpc.rest.verb} {_shape(rpc.rest.path)}" for _, rpc in _methods(contracts) if rpc.rest
    )
    yield from (route for route, count in routes.items() if count > 1)


def _shape(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def stray_routes(contracts: Iterable[type[Service]]) -> Iterator[str]:
    """Routes outside /api, which is what the edge routes by path."""
    for where, rpc in _methods(contracts):
        if rpc.rest and not rpc.rest.path.startswith(("/api/", "/.well-known/")):
            yield where


def shared_slugs(errors: Iterable[type[object]]) -> Iterator[str]:
    """Slugs that two errors use, or that an error inherits instead of having its own."""
    slugs = Counter(vars(error).get("slug", f"{error.__name__} has none") for error in errors)
    yield from (slug for slug, count in slugs.items() if count > 1 or " " in slug)


def outside_the_tree(errors: Iterable[type[object]]) -> Iterator[str]:
    """Errors that descend from none of the categories: no surface could answer them."""
    for error in errors:
        if error not in CATEGORIES.values() and not issubclass(error, tuple(CATEGORIES.values())):
            yield error.__name__


def unnamed_refusals(contracts: Iterable[type[Service]]) -> Iterator[str]:
    """Refusals declared in `raises` that the docstring does not name."""
    for where, rpc in _methods(contracts):
        for error in rpc.raises:
            if error.__name__ not in rpc.summary and not _is_said_elsewhere(rpc.summary):
                yield f"{where} does not say when {error.__name__}"


def _is_said_elsewhere(summary: str) -> bool:
    return "like `" in summary


def shared_events(events: Iterable[type[Event]]) -> Iterator[str]:
    """Event names used twice, and keys that are no field of the event."""
    names = Counter(event.SPEC.name for event in events)
    yield from (name for name, count in names.items() if count > 1)


def keyless_events(events: Iterable[type[Event]]) -> Iterator[str]:
    """Events whose ordering key is no field of theirs."""
    for event in events:
        if event.SPEC.key not in event.__struct_fields__:
            yield event.__name__


def wordless_messages(messages: Iterable[type[Message]]) -> Iterator[str]:
    """Messages without a docstring: the API documentation is this text."""
    yield from (message.__name__ for message in messages if not vars(message).get("__doc__"))


def errors() -> list[type[EmporionError]]:
    """Every error that may cross a boundary, wherever it is defined."""
    for package in ("kernel", "contracts", "chassis", "services"):
        load(f"emporion.{package}")
    return sorted({*subclasses(EmporionError)}, key=lambda error: error.__name__)
