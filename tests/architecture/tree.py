"""A source tree as the rules see it: parsed modules, the real one or a planted one."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Violation:
    """A rule broken at a line of a file."""

    path: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.why}"


@dataclass(frozen=True)
class Module:
    """A parsed Python file; `path` is relative to the root, with forward slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def inside(self) -> str:
        """The path below `src/emporion/`, or empty for files elsewhere."""
        return self.path.removeprefix("src/emporion/") if self.is_source else ""

    @property
    def is_source(self) -> bool:
        return self.path.startswith("src/emporion/")

    def functions(self) -> Iterator[Function]:
        for node in self.nodes:
            if isinstance(node, Function):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                yield node

    def imports(self) -> Iterator[tuple[str, int]]:
        """Every imported name in full (`datetime.datetime`, `time`), and its line."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, node.lineno
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield f"{node.module or ''}.{alias.name}", node.lineno

    def calls(self) -> Iterator[tuple[str, int]]:
        """Every dotted name that is called (`datetime.now`, `asyncio.sleep`), and its line."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield dotted(node.func), node.lineno

    def breaks(self, line: int, why: str) -> Violation:
        return Violation(self.path, line, why)


@dataclass(frozen=True)
class Tree:
    """The files of a checkout that the rules look at."""

    root: Path

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """Python files under src, tests and bench."""
        paths = (
            path for top in ("src", "tests", "bench") for path in (self.root / top).rglob("*.py")
        )
        return tuple(Module(self.name(path), path.read_text()) for path in sorted(paths))

    @cached_property
    def sources(self) -> tuple[Module, ...]:
        return tuple(module for module in self.modules if module.is_source)

    @cached_property
    def services(self) -> tuple[Path, ...]:
        folders = (self.root / "src/emporion/services").glob("*/__init__.py")
        return tuple(sorted(path.parent for path in folders))

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an expression made of names and attributes; empty for any other."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{dotted(node.value)}.{node.attr}"
        case _:
            return ""
