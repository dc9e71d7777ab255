"""Every service has the same shape, its own tables, and no address of anything."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from tests.architecture.rule import Planted, Rule
from tests.architecture.tree import Function, Module, Tree, Violation

MANIFEST = {
    "service": str,
    "image": str,
    "cpu": int,
    "memory": int,
    "desired_count": int,
    "load_balancer": {"target_group": str, "container_port": int},
    "auto_scaling": {"min_capacity": int, "max_capacity": int, "cpu_threshold": int},
    "owner": str,
}
FARGATE_CPU = frozenset({256, 512, 1024, 2048, 4096, 8192, 16384})
ADDRESS = re.compile(r"\b(?:https?|grpc|amqp|nats|postgres(?:ql)?|mongodb|redis)://(?!\s|$)")


def shapeless(tree: Tree) -> Iterator[Violation]:
    """Service folders without a service.py that builds, a contract of that name, or tests."""
    for folder in tree.services:
        name = tree.name(folder)
        assembly = folder / "service.py"
        if not assembly.exists() or "\ndef build(" not in assembly.read_text():
            yield Violation(f"{name}/service.py", 1, "a service is put together by `build(needs)`")
        if not (tree.root / f"src/emporion/contracts/{folder.name}.py").exists():
            yield Violation(name, 1, f"there is no contract contracts/{folder.name}.py")
        if not any((tree.root / "tests/services" / folder.name).rglob("test_*.py")):
            yield Violation(name, 1, f"there are no tests in tests/services/{folder.name}")


def wrong_manifests(tree: Tree) -> Iterator[Violation]:
    """Manifests that could not become a task definition."""
    for folder in tree.services:
        path = folder / "service.yaml"
        name = tree.name(path)
        if not path.exists():
            yield Violation(name, 1, "a service says how it is deployed and who owns it")
            continue
        manifest = yaml.safe_load(path.read_text())
        for why in _lacks(MANIFEST, manifest):
            yield Violation(name, 1, why)
        if isinstance(manifest, Mapping):
            if manifest.get("service") != folder.name:
                yield Violation(name, 1, f"`service` must be {folder.name}")
            if manifest.get("cpu") not in FARGATE_CPU:
                yield Violation(name, 1, "`cpu` must be a size that Fargate has")


def _lacks(wanted: Mapping[str, object], given: object, prefix: str = "") -> Iterator[str]:
    if not isinstance(given, Mapping):
        yield f"`{prefix or 'the manifest'}` must be a mapping"
        return
    for key, kind in wanted.items():
        value = given.get(key)
        if isinstance(kind, Mapping):
            yield from _lacks(kind, value, f"{prefix}{key}.")
        elif not isinstance(kind, type) or not isinstance(value, kind) or not value:
            yield f"`{prefix}{key}` is missing"


def misnumbered_migrations(tree: Tree) -> Iterator[Violation]:
    """Migrations that are not numbered 0001, 0002, ... per engine."""
    for folder in tree.services:
        for engine in sorted(path for path in (folder / "migrations").glob("*") if path.is_dir()):
            kind = "json" if engine.name == "mongodb" else "sql"
            files = sorted(engine.glob("*.*"))
            for number, path in enumerate(files, 1):
                if not re.fullmatch(rf"{number:04d}_[a-z0-9_]+\.{kind}", path.name):
                    why = f"expected {number:04d}_<what_it_does>.{kind}"
                    yield Violation(tree.name(path), 1, why)


CREATED = re.compile(
    r"create\s+(?:(?:virtual\s+)?table|materialized\s+view)\s+(?:if\s+not\s+exists\s+)?[\"`]?(\w+)",
    re.IGNORECASE,
)
NAMED = re.compile(
    r"\b(?:from|join|into|update|delete\s+from)\s+([a-z_][a-z0-9_]*)\b(?!\s*\()", re.IGNORECASE
)
IS_SQL = re.compile(r"^\s*(?:select|insert|update|delete|with|replace)\b", re.IGNORECASE)
DEFINED = re.compile(
    r"(?:with|,)\s*(?:recursive\s+)?(\w+)\s*(?:\([^)]*\)\s*)?as\s*\(", re.IGNORECASE
)
NO_TABLES = frozenset(
    {"json_each", "set", "select", "sqlite_master", "do", "excluded", "nothing", "skip"}
)


def _tables(folder: Path) -> dict[str, Path]:
    return {
        table.lower(): path
        for path in sorted(folder.rglob("migrations/**/*.sql"))
        for table in CREATED.findall(path.read_text())
    }


def shared_tables(tree: Tree) -> Iterator[Violation]:
    """Tables that two services, or a service and the chassis, both create."""
    owners = dict.fromkeys(_tables(tree.root / "src/emporion/chassis"), "the chassis")
    for folder in tree.services:
        for table, path in _tables(folder).items():
            if table in owners:
                yield Violation(tree.name(path), 1, f"`{table}` belongs to {owners[table]}")
            owners[table] = folder.name


def foreign_tables(tree: Tree) -> Iterator[Violation]:
    """SQL of a service that names a table which neither it nor the chassis creates."""
    chassis = set(_tables(tree.root / "src/emporion/chassis"))
    for folder in tree.services:
        own = chassis | set(_tables(folder)) | NO_TABLES
        for module in _modules_of(tree, folder):
            for sql, line in _statements(module):
                known = own | {name.lower() for name in DEFINED.findall(sql)}
                for table in NAMED.findall(sql):
                    if table.lower() not in known:
                        yield module.breaks(line, f"`{table}` is not a table of {folder.name}")


def _modules_of(tree: Tree, folder: Path) -> Iterator[Module]:
    prefix = tree.name(folder) + "/"
    return (module for module in tree.sources if module.path.startswith(prefix))


def _strings(module: Module) -> Iterator[tuple[str, int]]:
    """Every string that is not a docstring, and its line."""
    said = {node.value for node in module.nodes if isinstance(node, ast.Expr)}
    for node in module.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
            yield node.value, node.lineno


def _statements(module: Module) -> Iterator[tuple[str, int]]:
    return ((text, line) for text, line in _strings(module) if IS_SQL.match(text))


def addresses(tree: Tree) -> Iterator[Violation]:
    """URLs in the code of services: where things are is data of the topology."""
    for folder in tree.services:
        for module in _modules_of(tree, folder):
            for text, line in _strings(module):
                if ADDRESS.search(text):
                    yield module.breaks(line, "an address belongs into the topology")


def silent_ports(tree: Tree) -> Iterator[Violation]:
    """Methods of a service's ports that wait for something and do not say what they raise."""
    for folder in tree.services:
        for module in _modules_of(tree, folder):
            if not module.path.endswith("/ports.py"):
                continue
            for port in module.classes():
                told = "raise" in (ast.get_docstring(port) or "").lower()
                for method in port.body:
                    if not told and isinstance(method, Function) and _is_silent(method):
                        why = f"`{port.name}.{method.name}` does not say what it raises"
                        yield module.breaks(method.lineno, why)


def _is_silent(method: Function) -> bool:
    waits = isinstance(method, ast.AsyncFunctionDef)
    return waits and "raise" not in (ast.get_docstring(method) or "").lower()


_A, _B = "src/emporion/services/planted", "src/emporion/services/other"
_MANIFEST = """service: planted
image: emporion
cpu: 512
memory: 1024
desired_count: 3
load_balancer: {target_group: planted, container_port: 8080}
auto_scaling: {min_capacity: 2, max_capacity: 20, cpu_threshold: 70}
owner: storefront
"""
_CREATE = "CREATE TABLE parcel (id TEXT PRIMARY KEY) STRICT;\n"
_ADAPTER = f"{_A}/adapters/sql.py"

RULES = (
    Rule(
        "service-shape",
        "A service is put together by `build(needs)`, has a contract of its name, and tests.",
        shapeless,
        (
            Planted(f"{_A}/service.py", "needs = 1\n"),
            Planted(f"{_A}/service.py", "x = 1\ndef build(needs): ...\n"),
        ),
    ),
    Rule(
        "service-manifest",
        "service.yaml says size, count, scaling, target group and the team that owns it.",
        wrong_manifests,
        (
            Planted(f"{_A}/service.yaml", _MANIFEST.replace("owner: storefront\n", "")),
            Planted(f"{_A}/service.yaml", _MANIFEST.replace("planted\nimage", "other\nimage")),
            Planted(f"{_A}/service.yaml", _MANIFEST.replace("512", "500")),
            Planted(f"{_A}/service.yaml", _MANIFEST.replace(", cpu_threshold: 70", "")),
            Planted(f"{_A}/domain.py", ""),
        ),
        kept=(Planted(f"{_A}/service.yaml", _MANIFEST),),
    ),
    Rule(
        "migrations-in-order",
        "Migrations are numbered 0001, 0002, ... per engine, without a gap.",
        misnumbered_migrations,
        (
            Planted(f"{_A}/migrations/sqlite/0002_parcels.sql", _CREATE),
            Planted(f"{_A}/migrations/sqlite/parcels.sql", _CREATE),
            Planted(f"{_A}/migrations/mongodb/0001_parcels.sql", _CREATE),
        ),
        kept=(
            Planted(f"{_A}/migrations/sqlite/0001_parcels.sql", _CREATE),
            Planted(f"{_A}/migrations/mongodb/0001_parcels.json", "[]"),
        ),
    ),
    Rule(
        "tables-are-not-shared",
        "No two services create a table of the same name, nor one of the chassis's names.",
        shared_tables,
        (
            Planted(
                f"{_A}/migrations/sqlite/0001_a.sql",
                f"{_CREATE}\0{_B}/migrations/sqlite/0001_b.sql\0{_CREATE}",
            ),
            Planted(
                f"{_A}/migrations/sqlite/0001_a.sql",
                f"{_CREATE}\0{_B}/migrations/timescale/0001_b.sql\0"
                "CREATE MATERIALIZED VIEW parcel AS SELECT 1;",
            ),
            Planted(
                f"{_A}/migrations/sqlite/0001_a.sql",
                "CREATE TABLE outbox (id TEXT);\0src/emporion/chassis/data/migrations/sqlite/"
                "0001_chassis.sql\0CREATE TABLE IF NOT EXISTS outbox (id TEXT);",
            ),
        ),
        kept=(Planted(f"{_A}/migrations/sqlite/0001_a.sql", _CREATE),),
    ),
    Rule(
        "tables-of-its-own",
        "SQL of a service names its own tables and those of the chassis only.",
        foreign_tables,
        (
            Planted(_ADAPTER, 'x = "SELECT id FROM orders"\n'),
            Planted(_ADAPTER, 'x = "UPDATE orders SET a = 1"\n'),
            Planted(_ADAPTER, 'x = "INSERT INTO orders VALUES (?)"\n'),
        ),
        kept=(
            Planted(_ADAPTER, 'x = "WITH due AS (SELECT 1) SELECT * FROM due"\n'),
            Planted(_ADAPTER, 'x = "picked from somewhere"\n'),
        ),
    ),
    Rule(
        "no-addresses",
        "No URL is written in the code of a service.",
        addresses,
        (
            Planted(f"{_A}/commands.py", 'x = "http://inventory:8080/api"\n'),
            Planted(_ADAPTER, 'x = "postgresql://shop"\n'),
        ),
    ),
    Rule(
        "ports-say-what-they-raise",
        "Every method of a service's port that waits says what it raises.",
        silent_ports,
        (Planted(f"{_A}/ports.py", 'class Store:\n    async def load(self): """Load."""\n'),),
        kept=(
            Planted(f"{_A}/ports.py", 'class Store:\n    async def load(self): """Raises X."""\n'),
            Planted(f"{_A}/ports.py", 'class Store:\n    def rate(self): """A number."""\n'),
        ),
    ),
)
