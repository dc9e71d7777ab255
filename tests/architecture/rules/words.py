"""Vocabulary: one word, one meaning, and units last."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.rule import Planted, Rule
from tests.architecture.tree import Module, Tree, Violation

BANNED_WORDS = frozenset(
    {"common", "dto", "handler", "helper", "helpers", "impl", "manager", "misc", "util", "utils"}
)
BANNED_NAMES = frozenset({"process_data"})
WORDS_WITH_UNITS = ("delay", "duration", "interval", "latency", "pause", "timeout", "ttl")
LONG_UNITS = frozenset({"millis", "milliseconds", "msec", "secs", "seconds", "usec", "micros"})
UNITS = frozenset({"ms", "ns", "us"})
AFTER_A_UNIT = re.compile(r"max|min|sum|total|p\d+")
WHERE_MONEY_IS = ("contracts/", "kernel/", "services/")
NUMBERS = frozenset({"int", "float", "int | None", "float | None"})


def words_of(name: str) -> list[str]:
    """The lower-case words of a snake_case or CamelCase name."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return [word.lower() for word in spaced.split("_") if word]


def _names(module: Module) -> Iterator[tuple[str, int]]:
    """The module's own name and the classes and functions that it defines."""
    yield module.path.rpartition("/")[2].removesuffix(".py"), 1
    yield from ((folder, 1) for folder in module.path.split("/")[:-1])
    for definition in (*module.classes(), *module.functions()):
        yield definition.name, definition.lineno


def banned_names(tree: Tree) -> Iterator[Violation]:
    """Modules, folders, classes and functions named with a word that says nothing."""
    for module in tree.modules:
        for name, line in _names(module):
            banned = BANNED_WORDS.intersection(words_of(name))
            if banned or name.strip("_") in BANNED_NAMES:
                yield module.breaks(line, f"`{name}` says nothing: what does it do?")


def prefixed_classes(tree: Tree) -> Iterator[Violation]:
    """Classes named AbstractX or IX."""
    for module in tree.modules:
        for definition in module.classes():
            if re.match(r"_?(Abstract|I[A-Z][a-z])", definition.name):
                yield module.breaks(definition.lineno, f"`{definition.name}`: name the port itself")


def _numbers(module: Module) -> Iterator[tuple[str, int]]:
    """Names that hold a plain number: annotated, or constants with a number as their value."""
    for node in module.nodes:
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                if ast.unparse(annotation) in NUMBERS:
                    yield name, node.lineno
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name)):
                if ast.unparse(node.annotation) in NUMBERS:
                    yield name, node.lineno
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int() | float())):
                yield name, node.lineno
            case _:
                pass  # names no number


def missing_units(tree: Tree) -> Iterator[Violation]:
    """Numbers that measure something and do not end in their unit."""
    for module in tree.sources:
        for name, line in _numbers(module):
            words = words_of(name)
            while words and AFTER_A_UNIT.fullmatch(words[-1]):
                words.pop()
            if not words:
                continue
            if words[-1] in WORDS_WITH_UNITS:
                yield module.breaks(line, f"`{name}` in what? End it in _s or _ms")
            if words[-1] in {"amount", "price"} and module.inside.startswith(WHERE_MONEY_IS):
                yield module.breaks(line, f"`{name}`: money is Money, or `{name}_minor`")
            if len(words) > 1 and LONG_UNITS.intersection(words):
                yield module.breaks(line, f"`{name}`: units are written _s, _ms, _us")
            if UNITS.intersection(words[:-1]):
                yield module.breaks(line, f"`{name}`: the unit stands last")


_PLACE = "src/emporion/services/planted/domain.py"


def _planted(*texts: str) -> tuple[Planted, ...]:
    return tuple(Planted(_PLACE, text) for text in texts)


RULES = (
    Rule(
        "words-that-say-something",
        "No module, class or function is called utils, helper, common, manager, handler, impl, "
        "dto, misc or process_data.",
        banned_names,
        (
            Planted("src/emporion/web/utils.py", ""),
            Planted("src/emporion/web/helpers/pages.py", ""),
            *_planted(
                "class OrderManager: ...\n",
                "class OrderDTO: ...\n",
                "class StoreImpl: ...\n",
                "def error_handler(): ...\n",
                "def process_data(): ...\n",
            ),
            Planted("tests/test_helpers.py", ""),
        ),
        kept=_planted("def handle_DATA(): ...\n", "class Commons: ...\n"),
    ),
    Rule(
        "ports-have-plain-names",
        "No class is called Abstract... or I...: the port has the plain name.",
        prefixed_classes,
        _planted("class AbstractStore: ...\n", "class IStore: ...\n"),
        kept=_planted("class Inventory: ...\n", "class ISOCode: ...\n", "class Ids: ...\n"),
    ),
    Rule(
        "units-last",
        "A number that measures time or money ends in its unit: timeout_s, latency_ms_p99, "
        "amount_minor.",
        missing_units,
        _planted(
            "def wait(timeout: float) -> None: ...\n",
            "DELAY_MAX = 3\n",
            "ttl_seconds: int = 3\n",
            "ms_timeout: int = 3\n",
            "price: int\n",
            "class A:\n    amount: float\n",
        ),
        kept=_planted(
            "def wait(timeout_s: float, latency_ms_p99: float) -> None: ...\n",
            "PAUSE_S_MAX = 3\n",
            "amount: Money\n",
        ),
    ),
)
