"""The emulator of AWS with queues whose requests do not become slower the longer they are.

moto walks all messages of a queue at each publication, receipt and deletion, and spins while the
groups of all visible ones are with readers: thousands of orders that wait take it hours. Here a
request looks at the front of its queue. What a queue does is moto's: order along a group, hiding,
receipts, dead letters, de-duplication.
"""

import sys
from typing import Any, Final

from moto import server
from moto.sqs import models
from moto.sqs.exceptions import ReceiptHandleIsInvalid

FRONT: Final = 500
"""Messages that a receipt looks at: more than all readers of a queue hold together."""
LOOK_AGAIN_S: Final = 0.1
DUPLICATE_MS: Final = models.DEDUPLICATION_TIME_IN_SECONDS * 1_000


def messages(queue: Any) -> list[models.Message]:
    """Those at the front that may be given out."""
    return [message for message in queue._messages[:FRONT] if message.visible]


def waiting(queue: Any) -> int:
    """All but those with readers."""
    return len(queue._messages) - len(queue._pending_messages)


def with_readers(queue: Any) -> int:
    """Those that were given out, and neither deleted nor given back."""
    return len(queue._pending_messages)


def delayed(queue: Any) -> int:
    """None: the shop delays nothing."""
    return 0


def add_message(queue: Any, message: Any) -> None:
    """At the end, unless one of that id came within five minutes."""
    with queue._messages_lock:
        sent = queue.__dict__.setdefault("sent_ms", {})
        before_ms = sent.get(message.deduplication_id, -DUPLICATE_MS)
        if message.sent_timestamp - before_ms >= DUPLICATE_MS:
            sent[message.deduplication_id or message.id] = message.sent_timestamp
            queue._messages.append(message)
            queue._messages_lock.notify_all()


def delete_message(queue: Any, receipt_handle: str) -> None:
    """Raises ReceiptHandleIsInvalid for one that nobody got."""
    if receipt_handle in queue.deleted_messages:
        return
    with queue._messages_lock:
        for place, message in enumerate(queue._messages):
            if message.had_receipt_handle(receipt_handle):
                del queue._messages[place]
                queue._pending_messages.discard(message)
                queue.deleted_messages.update(message.all_receipt_handles)
                queue._messages_lock.notify_all()
                return
    raise ReceiptHandleIsInvalid


def wait_for_messages(queue: Any, timeout: int) -> None:
    """Until something changed, or it is time to look again."""
    with queue._messages_lock:
        queue._messages_lock.wait(min(timeout, LOOK_AGAIN_S))


REPLACED: Final = {
    "messages": property(messages),
    "approximate_number_of_messages": property(waiting),
    "approximate_number_of_messages_not_visible": property(with_readers),
    "approximate_number_of_messages_delayed": property(delayed),
    "add_message": add_message,
    "delete_message": delete_message,
    "wait_for_messages": wait_for_messages,
}


if __name__ == "__main__":
    for name, instead in REPLACED.items():
        assert hasattr(models.Queue, name), f"moto's queues have no {name} any more"
        setattr(models.Queue, name, instead)
    server.main(sys.argv[1:])
