"""The source of the services, parsed, and the contracts, imported."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import emporion.contracts
from emporion.contracts.contract import Event, Service

SERVICES = "src/emporion/services"


@dataclass(frozen=True, slots=True)
class ServiceSource:
    """One service's folder: its parsed modules by dotted name, and all their nodes."""

    name: str
    folder: Path
    modules: dict[str, ast.Module]
    nodes: tuple[ast.AST, ...]

    def calls(self, name: str) -> Iterator[ast.Call]:
        """Every call of a function or method of that name."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and last_word(node.func) == name:
                yield node


@cache
def services(root: Path) -> tuple[ServiceSource, ...]:
    """The services of a checkout, by name; parsed once a process."""
    return services_in(root / SERVICES)


@cache
def services_in(folder: Path) -> tuple[ServiceSource, ...]:
    """The services in the folder of that package, by name; parsed once a process."""
    folders = sorted(path.parent for path in folder.glob("*/__init__.py"))
    return tuple(_parsed(folder) for folder in folders)


def _parsed(folder: Path) -> ServiceSource:
    modules = {
        ".".join(path.relative_to(folder).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.py"))
    }
    nodes = tuple(node for module in modules.values() for node in ast.walk(module))
    return ServiceSource(folder.name, folder, modules, nodes)


def _below(kind: type[Service]) -> Iterator[type[Service]]:
    """Interfaces and, below them, those that take one in as a part."""
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


def contracts() -> dict[str, type[Service]]:
    """The published service interfaces by class name, in the order of their service's name."""
    for module in pkgutil.iter_modules(emporion.contracts.__path__):
        importlib.import_module(f"emporion.contracts.{module.name}")
    published = [kind for kind in _below(Service) if _is_published(kind) and "NAME" in vars(kind)]
    return {kind.__name__: kind for kind in sorted(published, key=lambda kind: kind.NAME)}


def events() -> dict[str, type[Event]]:
    """The integration events by class name, in the order of their wire name."""
    contracts()
    published = [kind for kind in Event.__subclasses__() if _is_published(kind)]
    return {kind.__name__: kind for kind in sorted(published, key=lambda kind: kind.SPEC.name)}


def _is_published(kind: type[object]) -> bool:
    return kind.__module__.startswith("emporion.contracts.")


def last_word(node: ast.AST) -> str:
    """The name that an expression ends in: `c` of `a.b.c`; empty for other expressions."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
