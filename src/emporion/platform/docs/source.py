"""The source of the services, parsed, and the contracts, imported."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import emporion.contracts
from emporion.contracts.contract import Event, Service

SERVICES = "src/emporion/services"


@dataclass(frozen=True, slots=True)
class ServiceSource:
    """One service's folder: its parsed modules by dotted name inside the folder."""

    name: str
    folder: Path
    modules: dict[str, ast.Module]

    def nodes(self) -> Iterator[ast.AST]:
        """Every node of every module, module by module."""
        for name in sorted(self.modules):
            yield from ast.walk(self.modules[name])

    def calls(self, name: str) -> Iterator[ast.Call]:
        """Every call of a function or method of that name."""
        for node in self.nodes():
            if isinstance(node, ast.Call) and last_word(node.func) == name:
                yield node


def services(root: Path) -> list[ServiceSource]:
    """The services of a checkout, by name."""
    folders = sorted(path.parent for path in (root / SERVICES).glob("*/__init__.py"))
    return [_parsed(folder) for folder in folders]


def _parsed(folder: Path) -> ServiceSource:
    modules = {
        ".".join(path.relative_to(folder).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.py"))
    }
    return ServiceSource(folder.name, folder, modules)


def contracts() -> dict[str, type[Service]]:
    """The published service interfaces by class name, in the order of their service's name."""
    for module in pkgutil.iter_modules(emporion.contracts.__path__):
        importlib.import_module(f"emporion.contracts.{module.name}")
    published = [kind for kind in Service.__subclasses__() if _is_published(kind)]
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
