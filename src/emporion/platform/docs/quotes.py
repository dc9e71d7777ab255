"""Puts pieces of the source into a guide: each mark names a file and a function or method in it."""

import ast
import re
from pathlib import Path
from textwrap import dedent

GUIDES = "docs/guides"
SOURCE = "src/emporion"
_MARK = re.compile(
    r"(<!-- code: (?P<file>\S+) (?P<name>\S+) -->\n).*?(<!-- /code -->)", flags=re.DOTALL
)


def quoted(text: str, root: Path) -> str:
    """The guide with every quotation taken from the source again.

    Raises LookupError naming the mark when the file has no such function, method or class.
    """

    def fill(match: re.Match[str]) -> str:
        piece = _piece(root / SOURCE / match["file"], match["name"])
        return f"{match[1]}\n```python\n{piece}\n```\n\n{match[4]}"

    return _MARK.sub(fill, text)


def refresh_guides(root: Path) -> None:
    """Fill the quotations of every guide of the checkout at `root` again."""
    for guide in sorted((root / GUIDES).glob("*.md")):
        guide.write_text(quoted(guide.read_text("utf-8"), root), encoding="utf-8")


def _piece(file: Path, name: str) -> str:
    source = file.read_text("utf-8")
    node: ast.AST = ast.parse(source)
    for part in name.split("."):
        found = [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and child.name == part
        ]
        if not found:
            raise LookupError(f"{file} has no {name!r} to quote")
        node = found[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)  # noqa: S101 - as found
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return dedent("\n".join(source.splitlines()[first - 1 : node.end_lineno]))
