"""Topologies by name, for those that come with the program, or by file."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from emporion.platform.table_file import BadFile
from emporion.platform.topology.model import Topology
from emporion.platform.topology.nodes import suggestion
from emporion.platform.topology.reading import parse_topology, read_topology

SHIPPED: Final = ("one-process", "core", "per-service", "aws")


def find_topology(name: str) -> Topology:
    """The shipped topology of that name, or the one in that file. Raises BadFile."""
    if name in SHIPPED:
        file = files("emporion.platform.topology.shipped") / f"{name}.yaml"
        return parse_topology(file.read_text("utf-8"), f"{name}.yaml")
    path = Path(name)
    if not path.exists() and not path.suffix:
        message = f"no such file, nor a topology that comes with emporion; {_which(name)}"
        raise BadFile.because(name, message)
    return read_topology(path)


def _which(name: str) -> str:
    return suggestion(name, SHIPPED)
