"""The words of a topology: kinds of engines, buses, discovery and edges."""

from enum import StrEnum


class Engine(StrEnum):
    """What keeps the data of a service."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"
    MONGODB = "mongodb"
    TIMESCALE = "timescale"
    """A PostgreSQL with the extension TimescaleDB, run by somebody else."""


class BusKind(StrEnum):
    """What carries events."""

    IN_PROCESS = "in-process"
    NATS = "nats"
    SNS_SQS = "sns-sqs"


class DiscoveryKind(StrEnum):
    """What knows where the instances of a service are."""

    REGISTRY = "registry"
    """A directory on this machine, with a file for each instance."""
    STATIC = "static"
    DNS = "dns"
    CLOUD_MAP = "cloud-map"


class EdgeKind(StrEnum):
    """What stands before the processes and routes requests by path."""

    NONE = "none"
    ENVOY = "envoy"
