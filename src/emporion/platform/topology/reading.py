"""From a topology file to a Topology: its words first, then what the parts say of each other."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from emporion.platform.table_file import BadFile
from emporion.platform.topology.kinds import BusKind, DiscoveryKind, EdgeKind, Engine
from emporion.platform.topology.model import (
    ENGINES_OF,
    INSTANCES_MAX,
    LOOPBACK,
    Bus,
    Discovery,
    ProcessPlan,
    SecretFrom,
    SecretReference,
    Storage,
    Topology,
)
from emporion.platform.topology.nodes import Notes, Value, parse, suggestion
from emporion.platform.topology.rules import check_reach, check_whole

KEYS: Final = (
    "processes", "engines", "bus", "discovery", "edge", "tls", "address", "listen", "faults", "web",
)  # fmt: skip
PROCESS_KEYS: Final = ("services", "instances", "http", "grpc", "address", "network")
DEFAULT_ENGINE: Final = "default"
_PORT_MAX: Final = 65_535
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_ENDPOINT: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}")
_SECRET: Final = re.compile(r"(env|file):(\S+)")


def read_topology(path: Path) -> Topology:
    """The topology in a file. Raises BadFile with every mistake, each naming its line."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadFile.because(str(path), "not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise BadFile.because(str(path), f"{reason}; see: emporion topology show") from error
    return parse_topology(text, str(path))


def parse_topology(text: str, file: str) -> Topology:
    """The topology in a text that came from `file`. Raises BadFile."""
    notes = Notes(file)
    root = parse(text, notes)
    parts = root.known_entries(KEYS)
    missing = [key for key in ("processes", "engines") if key not in parts]
    for key in missing:
        notes.add(root.line, "", f"the key {key!r} is missing")
    if missing:
        notes.raise_mistakes()
    topology = Topology(
        name=Path(file).stem,
        processes=tuple(
            _process(name, value) for name, value in parts["processes"].entries().items()
        ),
        storage=_storage(parts["engines"]),
        bus=_bus(parts["bus"]) if "bus" in parts else Bus(place=root.place),
        discovery=(
            _discovery(parts["discovery"]) if "discovery" in parts else Discovery(place=root.place)
        ),
        edge=parts["edge"].kind(EdgeKind, EdgeKind.NONE) if "edge" in parts else EdgeKind.NONE,
        is_tls="tls" in parts and parts["tls"].truth(),
        address=_address(parts["address"]) if "address" in parts else LOOPBACK,
        listen=_address(parts["listen"]) if "listen" in parts else "",
        allows_faults="faults" in parts and parts["faults"].truth(),
        has_web="web" not in parts or parts["web"].truth(),
    )
    notes.raise_mistakes()  # a misspelt word makes further mistakes that are none
    check_whole(topology, notes, processes=parts["processes"], engines=parts["engines"])
    check_reach(topology, parts)
    notes.raise_mistakes()
    return topology


def _process(name: str, value: Value) -> ProcessPlan:
    if not _NAME.fullmatch(name):
        value.wrong("a process is named by a lower-case word: a-z, 0-9 and -")
    if not value.is_mapping:
        services = tuple(_service(item) for item in value.items())
        return ProcessPlan(name, services, place=value.place)
    parts = value.known_entries(PROCESS_KEYS)
    if "services" not in parts:
        value.wrong("says no `services`; list those that it holds")
    return ProcessPlan(
        name,
        tuple(_service(item) for item in parts["services"].items()) if "services" in parts else (),
        instances=parts["instances"].number(1, INSTANCES_MAX) if "instances" in parts else 1,
        http_port=parts["http"].number(0, _PORT_MAX) if "http" in parts else 0,
        grpc_port=parts["grpc"].number(0, _PORT_MAX) if "grpc" in parts else 0,
        address=_address(parts["address"]) if "address" in parts else "",
        network=_network(parts["network"]) if "network" in parts else "",
        place=value.place,
    )


def _address(value: Value) -> str:
    text = value.text()
    try:
        return str(ip_address(text))
    except ValueError:
        if text:
            value.wrong(f"{text!r} is no IP address; write one of this machine's own")
        return LOOPBACK


def _network(value: Value) -> str:
    name = value.text()
    if name and not _NAME.fullmatch(name):
        value.wrong("a network namespace is named by a lower-case word: a-z, 0-9 and -")
    return name


def _service(value: Value) -> str:
    name = value.text()
    if name and name not in ENGINES_OF:
        value.wrong(f"there is no service {name!r}; {suggestion(name, tuple(ENGINES_OF))}")
    return name


def _storage(value: Value) -> dict[str, Storage]:
    if not value.is_mapping:
        storage = _one_storage(value)
        return dict.fromkeys(ENGINES_OF, storage)
    said = value.known_entries((*ENGINES_OF, DEFAULT_ENGINE))
    read = {name: _one_storage(entry) for name, entry in said.items()}
    default = read.pop(DEFAULT_ENGINE, None)
    if default is not None and default.address is not None:
        said[DEFAULT_ENGINE].wrong("services do not share a database: give each its own address")
    for name in ENGINES_OF:
        if name not in read and default is None:
            value.wrong(f"no engine for {name}; add `{name}: postgres`, or a `default:`")
    return {
        name: read.get(name) or default or Storage(Engine.SQLITE, place=value.place)
        for name in ENGINES_OF
    }


def _one_storage(value: Value) -> Storage:
    if not value.is_mapping:
        return Storage(value.kind(Engine, Engine.SQLITE), place=value.place)
    parts = value.known_entries(("kind", "address"))
    if "kind" not in parts:
        value.wrong("says no `kind`")
        return Storage(Engine.SQLITE, place=value.place)
    engine = parts["kind"].kind(Engine, Engine.SQLITE)
    address = _secret(parts["address"]) if "address" in parts else None
    if engine is Engine.SQLITE and address is not None:
        parts["address"].wrong("SQLite files are in the data folder (--data); leave this out")
    return Storage(engine, address, place=value.place)


def _bus(value: Value) -> Bus:
    if not value.is_mapping:
        return Bus(value.kind(BusKind, BusKind.IN_PROCESS), place=value.place)
    parts = value.known_entries(("kind", "address"))
    if "kind" not in parts:
        value.wrong("says no `kind`")
        return Bus(place=value.place)
    kind = parts["kind"].kind(BusKind, BusKind.IN_PROCESS)
    address = _secret(parts["address"]) if "address" in parts else None
    if kind is BusKind.IN_PROCESS and address is not None:
        parts["address"].wrong("a bus inside the process has no address; leave this out")
    return Bus(kind, address, place=value.place)


def _secret(value: Value) -> SecretReference | None:
    found = _SECRET.fullmatch(value.text())
    if found is None:
        value.wrong(
            "an address may hold a password, so it is not written here: refer to it as env:NAME "
            "or file:PATH"
        )
        return None
    return SecretReference(SecretFrom(found[1]), found[2], value.place)


def _discovery(value: Value) -> Discovery:
    if not value.is_mapping:
        kind = value.kind(DiscoveryKind, DiscoveryKind.REGISTRY)
        return Discovery(kind, place=value.place)
    parts = value.known_entries(("kind", "endpoints", "namespace"))
    if "kind" not in parts:
        value.wrong("says no `kind`")
        return Discovery(place=value.place)
    endpoints = {}
    if "endpoints" in parts:
        for name, entry in parts["endpoints"].known_entries(tuple(ENGINES_OF)).items():
            endpoints[name] = tuple(_endpoint(item) for item in entry.items())
    return Discovery(
        parts["kind"].kind(DiscoveryKind, DiscoveryKind.REGISTRY),
        endpoints,
        parts["namespace"].text() if "namespace" in parts else "",
        place=value.place,
    )


def _endpoint(value: Value) -> str:
    text = value.text()
    if text and not _ENDPOINT.fullmatch(text):
        value.wrong(f"{text!r} is no address; write host:port")
    return text
