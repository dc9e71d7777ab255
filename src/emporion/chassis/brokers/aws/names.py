"""How topics and queues are called, and what may stand where in a message."""

import hashlib
import re

GROUP = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")
"""What SQS takes as the name of a group."""


def topic_of(prefix: str, source: str) -> str:
    """The topic of a publisher: `emporion-order.fifo`."""
    return f"{prefix}-{source}.fifo"


def queue_of(prefix: str, source: str, subscriber: str) -> str:
    """The queue of a subscriber for a publisher's events: `emporion-email-from-order.fifo`."""
    return f"{prefix}-{subscriber}-from-{source}.fifo"


def dead_letters_of(queue: str) -> str:
    """Where SQS puts what kills whoever receives it."""
    return queue.replace(".fifo", "-dead.fifo")


def group_of(key: str) -> str:
    """The group of a key: itself, or a digest where SQS does not take it."""
    return key if GROUP.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
