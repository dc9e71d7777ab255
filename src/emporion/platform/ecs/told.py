"""What a task is told by its environment: written by `emporion deploy`, read at the start of it."""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from emporion.kernel.errors import InvalidArgument
from emporion.platform.topology.kinds import Engine

T = TypeVar("T", bound=msgspec.Struct)
TASK: Final = "EMPORION_TASK"
PREPARE: Final = "EMPORION_PREPARE"
AUDIT: Final = "EMPORION_AUDIT"
PAGES: Final = "EMPORION_PAGES"
POSTGRES_PORT: Final = 5_432


class BadTask(InvalidArgument):
    """A task was started without the words that it needs."""

    slug = "bad-task"
    title = "A task cannot read what it is told"


class _Told(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A key that the reader does not know is an error."""


class HeldTold(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service in the task, and where its data is.

    Args:
        name, engine: of the service.
        host, port: of its PostgreSQL; the database and its owner are called like the service.
        password_secret: the secret with that owner's password.
        address_secret: the secret with the whole address, where somebody else runs the engine.
    """

    name: str
    engine: Engine
    host: str = ""
    port: int = POSTGRES_PORT
    password_secret: str = ""
    address_secret: str = ""


class TaskTold(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One task. No secret is in it, only names of secrets.

    Args:
        shop: the first word of all names.
        process: of the topology.
        region: of AWS.
        topic_arns: what the ARNs of the shop's topics begin with.
        namespace: of Cloud Map.
        services: those in the task.
        elsewhere: every other service, with the process that holds it.
        http_port, grpc_port: where to listen.
        secrets: settings, each with the name of its secret.
        mail_domain: from which mails are sent by SES; empty: none are.
        drain_s, drain_grace_s: see ProcessFile.
        trusted_proxies: whose X-Forwarded-For is believed.
        host: where to listen.
        data: a folder that lives as long as the task.
        is_tls: whether the others are called, and answered, over mutual TLS.
        is_development: whether known passwords and the test provider are in order.
        endpoint_url: of an emulator; empty: AWS.
    """

    shop: str
    process: str
    region: str
    topic_arns: str
    namespace: str
    services: tuple[HeldTold, ...]
    elsewhere: dict[str, str]
    http_port: int
    grpc_port: int
    secrets: dict[str, str] = {}
    mail_domain: str = ""
    drain_s: int = 20
    drain_grace_s: float = 15.0
    trusted_proxies: str = ""
    host: str = "0.0.0.0"  # noqa: S104 - a task has an address of its own, behind its security group
    data: str = "/data"
    is_tls: bool = False
    is_development: bool = False
    endpoint_url: str = ""


class DatabaseTold(
    _Told, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A database that is to be made: on which instance, with whose password."""

    service: str
    host: str
    admin_secret: str
    port: int = POSTGRES_PORT


class PrepareTold(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is prepared before a shop's first start, and again when services are added.

    Args:
        shop, region, endpoint_url: see TaskTold.
        processes: each with its services.
        databases: each service's.
        is_tls: whether certificates are issued.
        callers: who else gets one.
    """

    shop: str
    region: str
    processes: dict[str, tuple[str, ...]]
    databases: tuple[DatabaseTold, ...]
    is_tls: bool = False
    callers: tuple[str, ...] = ()
    endpoint_url: str = ""


class AuditTold(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the audit is told: where the data of every service is.

    Args:
        shop, region, data, endpoint_url: see TaskTold.
        services: all of the shop.
    """

    shop: str
    region: str
    services: tuple[HeldTold, ...]
    data: str = "/data"
    endpoint_url: str = ""


class PagesTold(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The task that shows pages. It has no secret, and nothing of its own to keep.

    Args:
        process, http_port, host, trusted_proxies, drain_s, drain_grace_s, data: see TaskTold.
        shop: the URL of the load balancer, which it asks as each visitor.
    """

    process: str
    shop: str
    http_port: int
    trusted_proxies: str = ""
    drain_s: int = 20
    drain_grace_s: float = 15.0
    host: str = "0.0.0.0"  # noqa: S104 - see TaskTold
    data: str = "/data"


def identity_secret(shop: str, process: str) -> str:
    """The secret from which the process's key follows."""
    return f"{shop}/{process}/identity"


def database_secret(shop: str, service: str) -> str:
    """The secret with the password of the service's database."""
    return f"{shop}/{service}/database"


def setting_secret(shop: str, setting: str) -> str:
    """The secret with a setting: one for the shop, so that all who need it have the same."""
    return f"{shop}/settings/{setting}"


def tls_secret(shop: str, process: str) -> str:
    """The secret with a process's certificate, its key, and the authority that signed it."""
    return f"{shop}/{process}/tls"


def caller_secret(shop: str, caller: str) -> str:
    """The same for one who is not of the shop."""
    return f"{shop}/callers/{caller}/tls"


def authority_secret(shop: str) -> str:
    """The secret with the authority's key: only `prepare` may read it."""
    return f"{shop}/authority"


def trust_secret(shop: str) -> str:
    """The secret with everybody's public keys: no secret at all, but only `prepare` writes it."""
    return f"{shop}/trust"


def read_told(kind: type[T], environ: Mapping[str, str], name: str) -> T:
    """What the variable `name` says. Raises BadTask."""
    text = environ.get(name, "")
    if not text:
        raise BadTask(f"{name} is not set: `emporion task` is started by ECS; see docs/aws.md")
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise BadTask(f"{name}: {error}") from error
