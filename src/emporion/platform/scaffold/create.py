"""Writes the files of a new service from the templates beside this module."""

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from emporion.kernel.errors import Conflict, InvalidArgument, NotFound

NAME = re.compile(r"[a-z][a-z0-9]{2,13}")
SAYS_NOTHING = frozenset({"common", "dto", "handler", "helper", "impl", "manager", "misc", "utils"})
# Template to file; $name is the service's name.
FILES = {
    "contract.py.txt": "src/emporion/contracts/$name.py",
    "package.py.txt": "src/emporion/services/$name/__init__.py",
    "service.py.txt": "src/emporion/services/$name/service.py",
    "service.yaml.txt": "src/emporion/services/$name/service.yaml",
    "api.py.txt": "src/emporion/services/$name/api.py",
    "commands.py.txt": "src/emporion/services/$name/commands.py",
    "queries.py.txt": "src/emporion/services/$name/queries.py",
    "ports.py.txt": "src/emporion/services/$name/ports.py",
    "domain.py.txt": "src/emporion/services/$name/domain.py",
    "adapters_package.py.txt": "src/emporion/services/$name/adapters/__init__.py",
    "adapters_sql.py.txt": "src/emporion/services/$name/adapters/sql.py",
    "migration.sql.txt": "src/emporion/services/$name/migrations/sqlite/0001_entries.sql",
    "test_domain.py.txt": "tests/services/$name/test_domain.py",
    "test_service.py.txt": "tests/services/$name/test_service.py",
}


class UnusableName(InvalidArgument):
    """The name cannot be a service's: it is a folder, a database and a package on the wire."""

    slug = "unusable-service-name"
    title = "This cannot be the name of a service"


class ServiceExists(Conflict):
    """There is a service or a contract of that name."""

    slug = "service-exists"
    title = "There is a service of that name"


class NoCheckout(NotFound):
    """The folder is not a checkout of the source."""

    slug = "no-checkout"
    title = "This is not a checkout of the source"


def create_service(root: Path, name: str) -> list[Path]:
    """Write the service `name` into the checkout at `root`; returns the new files.

    Nothing is overwritten. Raises UnusableName, ServiceExists, or NoCheckout when `root` has no
    src/emporion/services.
    """
    _require_usable(name)
    if not (root / "src/emporion/services").is_dir():
        raise NoCheckout(f"{root} has no src/emporion/services; run this in a checkout")
    words = _words(name)
    targets = {
        template: root / Template(target).substitute(words) for template, target in FILES.items()
    }
    for target in targets.values():
        if target.exists():
            raise ServiceExists(f"{target.relative_to(root)} exists")
    for template, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(template, words), encoding="utf-8")
    return list(targets.values())


def _require_usable(name: str) -> None:
    if not NAME.fullmatch(name):
        raise UnusableName(f"{name[:40]!r}: use one word of 3..14 lower-case letters and digits")
    if keyword.iskeyword(name) or name in SAYS_NOTHING:
        raise UnusableName(f"{name!r} does not name a business capability")


def _words(name: str) -> dict[str, str]:
    """What the templates may say; imported names are sorted, as the linter wants them."""
    title = name.capitalize()
    contract_names = sorted(("Entry", "EntryOf", "PutEntry", f"{title}Service"))
    return {"name": name, "Name": title, "contract_names": ", ".join(contract_names)}


def _filled(template: str, words: dict[str, str]) -> str:
    text = (files("emporion.platform.scaffold") / "templates" / template).read_text("utf-8")
    return Template(text).substitute(words)
