"""What a split shop's folder says of it: its process files, which stay when it is stopped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from emporion.platform.reading.refusals import NoShopHere
from emporion.platform.topology.process_file import HeldService, ProcessFile

RUN: Final = "run"
PROCESSES: Final = "processes"


def process_paths(folder: Path) -> Sequence[Path]:
    """The process files in a data folder; none: a shop of one process, or no shop."""
    return sorted((folder / RUN).glob("*.json"))


def is_split(folder: Path) -> bool:
    """Whether the shop that was started last on this folder is one of several processes."""
    return bool(process_paths(folder))


def forget_processes(folder: Path) -> None:
    """A shop of one process begins on this folder: it is the one to be read from now on."""
    for path in process_paths(folder):
        path.unlink(missing_ok=True)


def services_in(folder: Path, names: Sequence[str]) -> Mapping[str, HeldService]:
    """Where each of these services keeps its data. Raises NoShopHere, or BadProcessFile."""
    held = {
        one.name: one for path in process_paths(folder) for one in ProcessFile.read(path).services
    }
    missing = [name for name in names if name not in held]
    if missing:
        raise NoShopHere(
            f"no process file in {folder / RUN} tells of the service {missing[0]}: the shop was "
            "not started whole"
        )
    return {name: held[name] for name in names}


def files_of_processes(folder: Path, name: str) -> Sequence[Path]:
    """The files of that name that processes share or have for themselves, also from before."""
    found = (folder / PROCESSES).glob(f"**/{name}")
    return sorted(path for path in found if path.is_file())
