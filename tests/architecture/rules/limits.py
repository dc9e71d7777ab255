"""Limits: when one bites, the design is asked, not the limit moved."""

import ast
from collections.abc import Iterator

from tests.architecture.rule import Planted, Rule
from tests.architecture.tree import Function, Module, Tree, Violation

FILE_LINES_MAX = 300
FOUNDATION_FILE_LINES_MAX = 400  # chassis and contracts
FUNCTION_LINES_MAX = 40


def _file_limit(module: Module) -> int:
    is_foundation = module.inside.startswith(("chassis/", "contracts/"))
    return FOUNDATION_FILE_LINES_MAX if is_foundation else FILE_LINES_MAX


def long_files(tree: Tree) -> Iterator[Violation]:
    """Source files over the limit."""
    for module in tree.sources:
        limit, count = _file_limit(module), len(module.text.splitlines())
        if count > limit:
            yield module.breaks(count, f"{count} lines; at most {limit}")


def _lines(function: Function) -> int:
    """The lines of the body: without the signature and the docstring."""
    first = function.body[0]
    start = first.lineno
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        start = (first.end_lineno or first.lineno) + 1
    return (function.end_lineno or start) - start + 1


def long_functions(tree: Tree) -> Iterator[Violation]:
    """Functions whose body is over the limit."""
    for module in tree.sources:
        for function in module.functions():
            if (count := _lines(function)) > FUNCTION_LINES_MAX:
                why = f"`{function.name}` has {count} lines; at most {FUNCTION_LINES_MAX}"
                yield module.breaks(function.lineno, why)


def modules_without_a_sentence(tree: Tree) -> Iterator[Violation]:
    """Modules whose docstring does not begin with one sentence on one line."""
    for module in tree.modules:
        first = (ast.get_docstring(module.tree) or "").partition("\n")[0]
        if not first.endswith((".", "?", "!", ":")):
            yield module.breaks(1, "a module starts with a docstring of one sentence")


_PLACE = "src/emporion/web/planted.py"
_LONG_BODY = "\n".join(["    x = 1"] * (FUNCTION_LINES_MAX + 1))
_LONG_TEXT = "\n".join(["    line"] * (FUNCTION_LINES_MAX + 1))

RULES = (
    Rule(
        "file-length",
        f"A file has at most {FILE_LINES_MAX} lines, {FOUNDATION_FILE_LINES_MAX} in chassis and "
        "contracts.",
        long_files,
        (
            Planted(_PLACE, "x = 1\n" * (FILE_LINES_MAX + 1)),
            Planted("src/emporion/chassis/planted.py", "x = 1\n" * (FOUNDATION_FILE_LINES_MAX + 1)),
        ),
        kept=(Planted("src/emporion/chassis/planted.py", "x = 1\n" * FOUNDATION_FILE_LINES_MAX),),
    ),
    Rule(
        "function-length",
        f"A function's body has at most {FUNCTION_LINES_MAX} lines, its docstring not counted.",
        long_functions,
        (
            Planted(_PLACE, f"def work():\n{_LONG_BODY}\n"),
            Planted(
                _PLACE, f"class A:\n    async def work():\n{_LONG_BODY.replace('x', '    x')}\n"
            ),
        ),
        kept=(Planted(_PLACE, f'def work():\n    """Say.\n{_LONG_TEXT}\n    """\n    return 1\n'),),
    ),
    Rule(
        "module-sentence",
        "Every module starts with a docstring whose first line is one sentence.",
        modules_without_a_sentence,
        (
            Planted(_PLACE, "x = 1\n"),
            Planted("tests/test_planted.py", '"""No full stop"""\n'),
            Planted(_PLACE, '"""A sentence that goes\nover two lines."""\n'),
        ),
    ),
)
