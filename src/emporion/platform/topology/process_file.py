"""What the supervisor tells one service process, and what that process tells back."""

import os
from pathlib import Path
from typing import Self

import msgspec

from emporion.chassis.auth.keys import PublicKey
from emporion.kernel.errors import InvalidArgument
from emporion.platform.settings import Settings
from emporion.platform.topology.kinds import BusKind, DiscoveryKind, Engine

OWNER_ONLY = 0o600


class BadProcessFile(InvalidArgument):
    """A process was started with a file that it cannot read."""

    slug = "bad-process-file"
    title = "The file of a process cannot be read"


class _Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value of the file: a key that the reader does not know is an error."""


class HeldService(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service that the process holds.

    Args:
        name: as in `platform.services.SERVICES`.
        engine: what keeps its data.
        dsn: where: the path of the file for SQLite, else a URL with user and password.
        instances: how many processes of the shop hold this service; with more than one, no
            instance is the only writer of its database.
    """

    name: str
    engine: Engine
    dsn: str
    instances: int = 1


class BusPlace(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What carries events, and where it is.

    Args:
        kind: see BusKind.
        url: of the broker, with user and password; of an AWS endpoint; empty in-process, and
            for AWS itself.
        region: of AWS; else empty.
        publishers: every service of the shop, in any process: whom a subscriber may hear.
        prefix: the first word of all topics and queues of AWS; empty: that of the adapter.
        topic_arns: what the ARNs of topics begin with, when whoever deployed made topics and
            queues; empty: the adapter makes what is missing.
    """

    kind: BusKind
    url: str = ""
    region: str = ""
    publishers: tuple[str, ...] = ()
    prefix: str = ""
    topic_arns: str = ""


class DiscoveryPlace(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the process finds services that it does not hold, and says where it is itself.

    Args:
        kind: see DiscoveryKind.
        directory: of the local registry, shared by all processes; else empty.
        endpoints: "host:port" of gRPC by service, when static.
        namespace: the domain below which DNS or Cloud Map name the services; else empty.
        region, endpoint_url: of Cloud Map; an empty URL is AWS's own.
        process_of: under which name each service is registered in Cloud Map, if not its own.
    """

    kind: DiscoveryKind
    directory: str = ""
    endpoints: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    namespace: str = ""
    region: str = ""
    endpoint_url: str = ""
    process_of: dict[str, str] = msgspec.field(default_factory=dict)


class TrustedCaller(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key by which another process proves that it speaks for `services`."""

    services: tuple[str, ...]
    key: PublicKey


class TlsFiles(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files for mutual TLS between processes."""

    authority: str
    certificate: str
    key: str


class ProcessFile(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that one process needs to know; holds secrets, so it is the owner's only.

    Args:
        process: its name in the topology.
        instance: the process and a number: "order-1"; unique in the shop.
        services: what it holds, in the order of `platform.services.SERVICES`.
        elsewhere: services of the shop that it does not hold.
        settings: `host`, `port` are where to serve HTTP, `data` is the folder of this instance
            alone; the rest holds for all processes of the shop.
        grpc_host, grpc_port: where to serve gRPC; port 0 takes a free one.
        place: where the instance runs, in OpenTelemetry's words for a resource; told with all
            that it tells.
        address: what the others connect to; the process enters it into the registry.
        network: the network namespace that the process runs in; empty: the supervisor's.
        bus, discovery: see there.
        service_key: the pair that signs this process's service credentials, as
            `SigningKey.stored` writes it.
        trusted: the callers whose credentials are accepted; its own is among them. The process
            that seeds may also speak for "platform".
        tls: for mutual TLS between processes; None: plain.
        trusted_proxies: addresses (comma-separated) whose X-Forwarded-For is believed.
        listening_file: where the process writes `Listening` once it takes requests, and what it
            removes when it begins to drain: the edge sends requests to what is listed there.
        drain_grace_s: how long the door stays open after that, so that the edge and the other
            processes look away before it closes.
        log_file: where its standard output and error go already.
        holds_operations: whether it answers `/api/operations` for its own services.
        is_seeding: whether it is the one process that fills a development shop with demo data.
    """

    process: str
    instance: str
    services: tuple[HeldService, ...]
    elsewhere: tuple[str, ...]
    settings: Settings
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 0
    place: dict[str, str] = {}
    address: str = "127.0.0.1"
    network: str = ""
    bus: BusPlace
    discovery: DiscoveryPlace
    service_key: str
    trusted: tuple[TrustedCaller, ...] = ()
    tls: TlsFiles | None = None
    trusted_proxies: str = ""
    listening_file: str
    drain_grace_s: float = 1.0
    log_file: str = ""
    holds_operations: bool = True
    is_seeding: bool = False

    def write(self, path: Path) -> None:
        """Write it whole or not at all, readable by the owner alone."""
        write_privately(path, msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises BadProcessFile, without quoting the file: it holds secrets."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise BadProcessFile(f"{path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise BadProcessFile(f"{path}: {error}") from None


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Where a process takes requests: written by it, read by the supervisor.

    Args:
        pid: of the process.
        http: the base URL of REST, health and metrics.
        grpc: "host:port", empty when it serves no gRPC.
    """

    pid: int
    http: str
    grpc: str = ""

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        write_privately(path, msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What is written there; None while nothing is."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return None


def write_privately(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner can read. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, OWNER_ONLY)
        file.write(content)
        file.flush()
        os.fsync(descriptor)  # some of these files are the only place of a secret
    new.replace(path)
