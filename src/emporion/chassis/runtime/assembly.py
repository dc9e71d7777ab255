"""How a service is put together: what the platform hands in, and what it gets back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emporion.chassis.calls.clients import Clients
from emporion.chassis.data.database import Database
from emporion.chassis.events.subscription import Subscription
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.definition import Saga
from emporion.chassis.saga.port import Sagas
from emporion.contracts.contract import Service


@dataclass(frozen=True, slots=True)
class Needs:
    """What the platform hands to a service. Further, service-specific needs extend this class."""

    runtime: Runtime
    database: Database
    clients: Clients
    sagas: Sagas
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assembly:
    """A service, put together but not started: no connection is opened by building it.

    Args:
        contract, implementation: the interface and the object that implements it.
        subscriptions: its reactions to events.
        sagas: definitions the engine must know for recovery.
        alarms: background work that sleeps until something is due; run by the platform.
        probes: readiness checks by name; each raises when the part is not usable.
        shed_first: whether it is optional for taking orders and is shed first under load.
    """

    contract: type[Service]
    implementation: Service
    subscriptions: tuple[Subscription[Any], ...] = ()
    sagas: tuple[Saga[Any], ...] = ()
    alarms: tuple[Alarm, ...] = ()
    probes: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    shed_first: bool = False
