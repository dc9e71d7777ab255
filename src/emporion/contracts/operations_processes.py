"""The processes of a shop: messages of `contracts.operations` about what runs where, and how."""

from msgspec import field

from emporion.contracts.contract import Message, Reply, Request
from emporion.contracts.words import Instant


class ListProcesses(Request, frozen=True, kw_only=True):
    """Every process that runs now."""


class Check(Message, frozen=True, kw_only=True):
    """Something that a service needs, and whether it is there; if not, `problem` says why."""

    name: str
    is_ok: bool
    problem: str = ""


class ServiceHere(Message, frozen=True, kw_only=True):
    """A service in a process.

    Args:
        engine: what keeps its data: sqlite, postgres, mongodb or timescale.
        is_ready: whether everything that it needs is there.
    """

    service: str
    engine: str
    is_ready: bool
    checks: list[Check]


class ProcessDetails(Message, frozen=True, kw_only=True):
    """A process.

    Args:
        version: of the program.
        bus: what carries events: in-process, nats or sns-sqs.
        discovery: what knows where the others are: registry, static, dns or cloud-map; empty
            where there are no others.
    """

    process: str
    version: str
    started_at: Instant
    bus: str
    discovery: str
    services: list[ServiceHere]


class Processes(Reply, frozen=True, kw_only=True):
    """The processes of the shop. `missing` did not answer."""

    processes: list[ProcessDetails]
    missing: list[str] = field(default_factory=list)
