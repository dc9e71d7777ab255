"""What a split shop's folder says of it: its process files, which stay when it is stopped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from emporion.platform.reading.refusals import NoShopHere
from emporion.platform.topology.kinds import Engine
from emporion.platform.topology.process_file import BadProcessFile

RUN: Final = "run"
PROCESSES: Final = "processes"


class HeldPlace(msgspec.Struct, frozen=True):
    """Where a service keeps its data; see HeldService."""

    name: str
    engine: Engine
    dsn: str


class _Process(msgspec.Struct, frozen=True):
    """Of a process file what a reader needs: one of another version tells it too."""

    services: tuple[HeldPlace, ...]


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


def services_in(folder: Path, names: Sequence[str]) -> Mapping[str, HeldPlace]:
    """Where each of these services keeps its data. Raises NoShopHere, or BadProcessFile."""
    held = {one.name: one for path in process_paths(folder) for one in _read(path).services}
    missing = [name for name in names if name not in held]
    if missing:
        raise NoShopHere(
            f"no process file in {folder / RUN} tells of the service {missing[0]}: the shop was "
            "not started whole"
        )
    return {name: held[name] for name in names}


def _read(path: Path) -> _Process:
    """Raises BadProcessFile, without quoting the file: it holds secrets."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Process)
    except OSError as error:
        raise BadProcessFile(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise BadProcessFile(f"{path}: {error}") from None


def files_of_processes(folder: Path, name: str) -> Sequence[Path]:
    """The files of that name that processes share or have for themselves, also from before."""
    found = (folder / PROCESSES).glob(f"**/{name}")
    return sorted(path for path in found if path.is_file())
