"""The storeys of the house, and the matrix of services and their files."""

import tomllib
from itertools import pairwise
from pathlib import Path

import yaml

from emporion.platform.docs.source import ServiceSource, contracts, services

COLUMNS = ("api", "events", "sagas", "commands", "queries", "audit", "adapters", "ports", "domain")


def storeys(root: Path) -> str:
    """The storeys as the import contract names them, with what lies on each."""
    configured = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    rules = configured["tool"]["importlinter"]["contracts"]
    names = next(rule["layers"] for rule in rules if rule["id"] == "storeys")
    lines = ["```mermaid", "flowchart TB"]
    lines += [f'    {name}["{name}<br/>{_rooms(root, name)}"]' for name in names]
    lines += [f"    {above} --> {below}" for above, below in pairwise(names)]
    return "\n".join([*lines, "```"])


def _rooms(root: Path, storey: str) -> str:
    """The packages and modules of a storey, a few to a line."""
    folder = root / "src/emporion" / storey
    rooms = sorted(
        path.stem
        for path in folder.iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    )
    lines = [" ".join(rooms[start : start + 6]) for start in range(0, len(rooms), 6)]
    return f"<small>{'<br/>'.join(lines)}</small>"


def matrix(root: Path) -> str:
    """Every service: what it is, which team owns it, and which of the layers it has."""
    summaries = {contract.NAME: contract.SUMMARY for contract in contracts().values()}
    lines = [
        f"| service | what it does | team | {' | '.join(COLUMNS)} |",
        f"|---|---|---|{'---|' * len(COLUMNS)}",
    ]
    for service in services(root):
        has = [_mark(service, column) for column in COLUMNS]
        cells = [service.name, summaries.get(service.name, ""), _team(service), *has]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _mark(service: ServiceSource, layer: str) -> str:
    is_there = any(name == layer or name.startswith(f"{layer}.") for name in service.modules)
    return "x" if is_there else ""


def _team(service: ServiceSource) -> str:
    manifest = yaml.safe_load((service.folder / "service.yaml").read_text("utf-8"))
    return str(manifest["owner"])
