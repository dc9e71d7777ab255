"""Clock, chance, threads and sockets come through ports; a domain is pure."""

import ast
import sys
from collections.abc import Iterator

from tests.architecture.rule import Planted, Rule
from tests.architecture.tree import Module, Tree, Violation

# Who may ask the operating system: the adapters of the runtime, of storage and of the network,
# simulated time for tests, the process's signals and the watchdog of its loop, and the bounded
# pool in which passwords are hashed.
ADAPTERS = (
    "chassis/runtime/lag.py",
    "chassis/runtime/lifecycle.py",
    "chassis/runtime/system.py",
    "chassis/data/mongo/",
    "chassis/data/postgres/",
    "chassis/data/sqlite/",
    "chassis/http/",
    "chassis/testing/time.py",
    "services/user/adapters/argon2.py",
    "platform/",
)
BANNED_MODULES = frozenset(
    {
        "_thread",
        "concurrent",
        "multiprocessing",
        "random",
        "secrets",
        "select",
        "selectors",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "time",
        "urllib.request",
        "uuid",
        "uuid_utils",
    }
)
BANNED_CALLS = (
    "asyncio.sleep",
    "asyncio.to_thread",
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "loop.run_in_executor",
    "loop.time",
    "os.getrandom",
    "os.urandom",
)
PURE = frozenset(
    {
        "abc",
        "bisect",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
    }
)


STANDARD = frozenset(sys.stdlib_module_names)


def _is_adapter(module: Module) -> bool:
    return module.inside.startswith(ADAPTERS)


def _begins(name: str, prefixes: frozenset[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in prefixes for count in (1, 2))


def asks_the_system(tree: Tree) -> Iterator[Violation]:
    """Imports and calls that reach for the clock, chance, a thread or a socket."""
    for module in tree.sources:
        if _is_adapter(module):
            continue
        for name, line in module.imports():
            if _begins(name, BANNED_MODULES) or name == "asyncio.sleep":
                yield module.breaks(line, f"`{name}` belongs behind a port: use needs.runtime")
        for name, line in module.calls():
            if name.endswith(BANNED_CALLS):
                yield module.breaks(line, f"`{name}` belongs behind a port: use needs.runtime")


def _domains(tree: Tree) -> Iterator[Module]:
    for module in tree.sources:
        parts = module.inside.split("/")
        if parts[0] == "services" and len(parts) > 2 and parts[2] in {"domain", "domain.py"}:
            yield module


def waits_in_a_domain(tree: Tree) -> Iterator[Violation]:
    """`await` and `async` in a domain."""
    waiting = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
    for module in _domains(tree):
        for node in module.nodes:
            if isinstance(node, waiting):
                yield module.breaks(node.lineno, "a domain decides; it does not wait")


def imports_into_a_domain(tree: Tree) -> Iterator[Violation]:
    """Imports of a domain that are neither the kernel nor a pure module of the standard library."""
    for module in _domains(tree):
        own = "emporion." + ".".join(module.inside.split("/")[:2]) + ".domain"
        for name, line in module.imports():
            if not (name.startswith(("emporion.kernel", own)) or _begins(name, PURE)):
                yield module.breaks(line, f"a domain imports the kernel and pure words, not {name}")


def imports_into_the_kernel(tree: Tree) -> Iterator[Violation]:
    """Imports of the kernel from outside the kernel and the standard library.

    The base of value objects is the one exception: it is a struct of msgspec, so that nothing
    else needs to know.
    """
    for module in tree.sources:
        if not module.inside.startswith("kernel/"):
            continue
        allowed = STANDARD | {"msgspec"} if module.inside == "kernel/value.py" else STANDARD
        for name, line in module.imports():
            if not (name.startswith("emporion.kernel") or _begins(name, allowed)):
                yield module.breaks(line, f"the kernel stands on the standard library, not {name}")


_SERVICE = "src/emporion/services/planted"
_OUTSIDE = f"{_SERVICE}/commands.py"
_DOMAIN = f"{_SERVICE}/domain.py"
_KERNEL = "src/emporion/kernel/planted.py"

RULES = (
    Rule(
        "ports-for-the-system",
        "Clock, randomness, ids, timers, threads, processes and sockets come through ports.",
        asks_the_system,
        (
            Planted(_OUTSIDE, "import time\n"),
            Planted(_OUTSIDE, "from time import monotonic\n"),
            Planted(_OUTSIDE, "import random\n"),
            Planted(_OUTSIDE, "import secrets\n"),
            Planted(_OUTSIDE, "import threading\n"),
            Planted(_OUTSIDE, "import socket\n"),
            Planted(_OUTSIDE, "from uuid import uuid4\n"),
            Planted(_OUTSIDE, "from uuid_utils import uuid7\n"),
            Planted(_OUTSIDE, "from concurrent.futures import ThreadPoolExecutor\n"),
            Planted(_OUTSIDE, "from asyncio import sleep\n"),
            Planted(_OUTSIDE, "import asyncio\nawait asyncio.sleep(1)\n"),
            Planted(_OUTSIDE, "import asyncio\nawait asyncio.to_thread(print)\n"),
            Planted(_OUTSIDE, "import datetime\nnow = datetime.datetime.now()\n"),
            Planted(_OUTSIDE, "from datetime import UTC, datetime\nnow = datetime.now(tz=UTC)\n"),
            Planted(_OUTSIDE, "import os\nkey = os.urandom(16)\n"),
            Planted("src/emporion/chassis/calls/planted.py", "import time\n"),
        ),
        kept=(
            Planted("src/emporion/chassis/runtime/system.py", "import time\n"),
            Planted(_OUTSIDE, "import asyncio\nfrom datetime import datetime\n"),
        ),
    ),
    Rule(
        "domain-waits-for-nothing",
        "A domain contains no `await` and no `async`.",
        waits_in_a_domain,
        (
            Planted(_DOMAIN, "async def decide() -> None:\n    pass\n"),
            Planted(f"{_SERVICE}/domain/price.py", "async def decide() -> None:\n    pass\n"),
        ),
        kept=(Planted(_OUTSIDE, "async def decide() -> None:\n    pass\n"),),
    ),
    Rule(
        "domain-is-pure",
        "A domain imports the kernel, itself, and pure modules of the standard library.",
        imports_into_a_domain,
        (
            Planted(_DOMAIN, "import logging\n"),
            Planted(_DOMAIN, "import msgspec\n"),
            Planted(_DOMAIN, "from emporion.contracts.words import Sku\n"),
            Planted(_DOMAIN, "from emporion.services.order.domain import Order\n"),
        ),
        kept=(Planted(_DOMAIN, "from emporion.kernel.money import Money\nimport re\n"),),
    ),
    Rule(
        "kernel-on-the-standard-library",
        "The kernel imports the standard library only; the base of its values adds msgspec.",
        imports_into_the_kernel,
        (Planted(_KERNEL, "import msgspec\n"), Planted(_KERNEL, "import emporion.contracts\n")),
        kept=(
            Planted(_KERNEL, "import re\nfrom emporion.kernel import ids\n"),
            Planted("src/emporion/kernel/value.py", "import msgspec\n"),
        ),
    ),
)
