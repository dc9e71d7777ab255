"""NATS JetStream: a stream for each publisher, a durable pull consumer for each subscriber."""

from emporion.chassis.brokers.jetstream.broker import JetStreamBroker
from emporion.chassis.brokers.jetstream.connection import JetStreamConfig

__all__ = ["JetStreamBroker", "JetStreamConfig"]
