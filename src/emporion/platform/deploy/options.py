"""What is said once for a whole deployment: region, size, topology; read from a YAML file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from emporion.platform.settings import SECRET, Settings
from emporion.platform.table_file import BadFile
from emporion.platform.topology.nodes import Notes, Value, parse

FILE: Final = Path("deploy/shop.yaml")
ZONES_MAX: Final = 3
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,20}")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


class Size(StrEnum):
    """How much of what the services stand on."""

    SMALL = "small"
    """One PostgreSQL instance with a database for each service, and one for the vault alone; one
    way out of the network."""
    LARGE = "large"
    """A PostgreSQL instance for each service, in two zones; a way out in each zone."""


class Architecture(StrEnum):
    """What processors the tasks run on; the image has to be built for it."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


@dataclass(frozen=True, slots=True)
class Options:
    """One deployment.

    Args:
        name: the first word of every name in the account.
        region: of AWS.
        topology: a topology that comes with emporion, or a file.
        size, architecture: see there.
        zones: availability zones, 2 or 3.
        database_class: of the PostgreSQL instances.
        database_gb: of their storage.
        audit_every_h: hours between two audits of all books, 12 at most.
        domain: of the shop's pages; empty: the balancer shows none.
        mail_domain: from which mails are sent by SES; empty: no mails.
        grpc_callers: who else calls over gRPC, each with a certificate of its own.
        settings: settings of the shop that are no secrets, for all processes.
    """

    name: str = "emporion"
    region: str = "us-east-1"
    topology: str = "aws"
    size: Size = Size.SMALL
    architecture: Architecture = Architecture.X86_64
    zones: int = 2
    database_class: str = "db.t4g.medium"
    database_gb: int = 50
    audit_every_h: int = 6
    domain: str = ""
    mail_domain: str = ""
    grpc_callers: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


def read_options(path: Path) -> Options:
    """The options in a file. Raises BadFile with every mistake, each naming its line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "") or "not UTF-8"
        raise BadFile.because(str(path), reason.lower()) from error
    return parse_options(text, str(path))


def parse_options(text: str, file: str) -> Options:
    """The options in a text that came from `file`. Raises BadFile."""
    notes = Notes(file)
    root = parse(text, notes, rule="a deployment begins with `name:`")
    parts = root.known_entries(tuple(_READERS))
    read = {key: _READERS[key](value) for key, value in parts.items()}
    notes.raise_mistakes()
    return Options(**read)


def _matching(pattern: re.Pattern[str]) -> Callable[[Value], str]:
    def read(value: Value) -> str:
        text = value.text()
        if text and not pattern.fullmatch(text):
            value.wrong(f"{text!r} cannot stand here")
        return text

    return read


def _settings(value: Value) -> tuple[tuple[str, str], ...]:
    """Known ones, none of them a secret: those belong into Secrets Manager."""
    known = [field.name for field in fields(Settings) if field.name not in SECRET]
    return tuple((key, part.text()) for key, part in value.known_entries(known).items())


_READERS: Final[Mapping[str, Callable[[Value], Any]]] = {
    "name": _matching(_NAME),
    "region": _matching(_REGION),
    "topology": lambda value: value.text(),
    "size": lambda value: value.kind(Size, Size.SMALL),
    "architecture": lambda value: value.kind(Architecture, Architecture.X86_64),
    "zones": lambda value: value.number(2, ZONES_MAX),
    "database_class": _matching(re.compile(r"db\.[a-z0-9]+\.[a-z0-9]+")),
    "database_gb": lambda value: value.number(20, 65_536),
    "audit_every_h": lambda value: value.number(1, 12),  # an alarm looks back on a day at most
    "domain": _matching(_DOMAIN),
    "mail_domain": _matching(_DOMAIN),
    "grpc_callers": lambda value: tuple(_matching(_NAME)(item) for item in value.items()),
    "settings": _settings,
}
