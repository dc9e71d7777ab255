"""The descriptions under `contracts/`: written, and checked against what the code declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from emporion.chassis.surfaces.asyncapi import asyncapi
from emporion.chassis.surfaces.openapi import openapi
from emporion.chassis.surfaces.proto import proto_files
from emporion.chassis.surfaces.proto_calls import CALLS_FILE
from emporion.chassis.surfaces.proto_lock import Lock, locked, parse
from emporion.chassis.surfaces.proto_model import render
from emporion.chassis.surfaces.schemas import document_text
from emporion.contracts.contract import Service
from emporion.kernel.errors import FailedPrecondition

PROTO: Final = "proto"
OPENAPI: Final = "openapi.json"
ASYNCAPI: Final = "asyncapi.json"
_VERBS: Final = frozenset({"get", "put", "post", "patch", "delete"})


class BreakingChange(FailedPrecondition):
    """The contracts would break a peer that knows the committed descriptions (field `breaks`)."""

    slug = "breaking-change"
    title = "The contracts break what is published"


@dataclass(frozen=True, slots=True)
class Described:
    """The text of every file by its path below the folder, and what the change would break."""

    texts: Mapping[str, str]
    breaks: tuple[str, ...]


def describe(
    contracts: Sequence[type[Service]], directory: Path, *, title: str, version: str
) -> Described:
    """What the folder should hold, given what it holds: committed field numbers stay.

    A contract whose `VERSION` was raised gets a new file beside the old one, which stays as it
    is. Raises ValueError for a committed file that was edited by hand.
    """
    rest = openapi(contracts, title=title, version=version)
    events = asyncapi(contracts, title=title, version=version)
    texts = {OPENAPI: document_text(rest), ASYNCAPI: document_text(events)}
    breaks = _broken_routes(directory / OPENAPI, rest)
    for file in (*proto_files(contracts), CALLS_FILE):
        path = f"{PROTO}/{file.path}"
        committed = directory / path
        lock = parse(committed.read_text("utf-8")) if committed.exists() else Lock()
        numbered, broken = locked(file, lock)
        texts[path] = render(numbered)
        breaks += broken
    return Described(texts, tuple(breaks))


def check(
    contracts: Sequence[type[Service]], directory: Path, *, title: str, version: str
) -> list[str]:
    """What is wrong with the committed files, a sentence each; empty when nothing is."""
    described = describe(contracts, directory, title=title, version=version)
    problems = [f"breaking: {broken}" for broken in described.breaks]
    for path, text in described.texts.items():
        committed = directory / path
        if not committed.exists():
            problems.append(f"missing: {path}")
        elif committed.read_text("utf-8") != text:
            problems.append(f"stale: {path}")
    return problems


def generate(
    contracts: Sequence[type[Service]], directory: Path, *, title: str, version: str
) -> list[Path]:
    """Write every file that has changed; which ones. Raises BreakingChange and writes nothing."""
    described = describe(contracts, directory, title=title, version=version)
    if described.breaks:
        raise BreakingChange("; ".join(described.breaks), breaks=list(described.breaks))
    written = []
    for path, text in described.texts.items():
        target = directory / path
        if target.exists() and target.read_text("utf-8") == text:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        written.append(target)
    return written


def _broken_routes(committed: Path, now: Mapping[str, Any]) -> list[str]:
    if not committed.exists():
        return []
    before = msgspec.json.decode(committed.read_bytes())
    kept = _routes(now)
    return [f"the route {route} is removed" for route in _routes(before) if route not in kept]


def _routes(document: Mapping[str, Any]) -> list[str]:
    return [
        f"{verb.upper()} {path}"
        for path, operations in document["paths"].items()
        for verb in operations
        if verb in _VERBS
    ]
