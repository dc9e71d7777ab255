"""What is in the image, as a bill of materials (CycloneDX 1.6), from the lock that it installs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from emporion.platform.table_file import BadFile

LOCK: Final = Path("requirements/image.lock")
_PACKAGE: Final = re.compile(r"([A-Za-z0-9._-]+)==([^ ;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_Component = dict[str, Any]


def bill_of_materials(lock: Path = LOCK, *, version: str) -> dict[str, Any]:
    """The document: every locked package with its version and the hashes of its files.

    Raises BadFile when the lock cannot be read or names no package.
    """
    try:
        lines = lock.read_text("utf-8").splitlines()
    except OSError as error:
        raise BadFile.because(str(lock), (error.strerror or "cannot be read").lower()) from error
    components = list(_components(lines))
    if not components:
        raise BadFile.because(str(lock), "names no package; make lock")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "emporion", "version": version}},
        "components": components,
    }


def _components(lines: list[str]) -> Iterator[_Component]:
    current: _Component | None = None
    for line in lines:
        package = _PACKAGE.match(line)
        if package is not None:
            if current is not None:
                yield current
            name, found = package[1].lower().replace("_", "-"), package[2]
            current = {
                "type": "library",
                "name": name,
                "version": found,
                "purl": f"pkg:pypi/{name}@{found}",
                "hashes": [],
            }
        elif current is not None:
            hashes = _HASH.findall(line)
            current["hashes"] += [{"alg": "SHA-256", "content": one} for one in hashes]
    if current is not None:
        yield current
