"""How streams, subjects and consumers are called.

The key of an event is no part of its subject: the server keeps something in memory for each
subject, and there is a key for each order.
"""


def stream_of(prefix: str, source: str) -> str:
    """The stream of a publisher: `emporion-order`."""
    return f"{prefix}-{source}"


def subjects_of(prefix: str, source: str) -> str:
    """All subjects of a publisher: `emporion.order.>`."""
    return f"{prefix}.{source}.>"


def subject_of(prefix: str, source: str, name: str) -> str:
    """The subject of an event by its name: `emporion.order.orders.created`."""
    return f"{prefix}.{source}.{name}"


def name_in(subject: str) -> str:
    """The event's name in a subject."""
    return subject.split(".", 2)[2]


def durable_of(subscriber: str) -> str:
    """The consumer of a subscriber, on the stream of the publisher."""
    return subscriber
