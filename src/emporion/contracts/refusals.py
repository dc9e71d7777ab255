"""Refusals that several contracts share."""

from emporion.kernel.errors import FailedPrecondition, InvalidArgument, NotFound


class KeyReused(InvalidArgument):
    """The idempotency key was used before with a different request (HTTP 422)."""

    slug = "idempotency-key-reused"
    title = "This Idempotency-Key was used for a different request"


class UnknownCursor(InvalidArgument):
    """The cursor is not one that this list gave out: begin without one."""

    slug = "unknown-cursor"
    title = "The cursor is not one that this list gave out"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, field="cursor")


class UnknownSubscriber(NotFound):
    """No such service subscribes (to that publisher)."""

    slug = "unknown-subscriber"
    title = "No such subscriber"


class HistoryPruned(FailedPrecondition):
    """The events from that position on are no longer all there."""

    slug = "history-pruned"
    title = "The history asked for has been pruned"


class InTheFuture(InvalidArgument):
    """The past of a thing was asked for at an instant (field `as_of`) that has not come yet."""

    slug = "in-the-future"
    title = "That instant has not come yet"


class DidNotExistYet(NotFound):
    """The thing is there now, and was not at that instant (field `began_at`)."""

    slug = "did-not-exist-yet"
    title = "It did not exist yet at that instant"


class NotRecorded(FailedPrecondition):
    """What was asked for was not written down in those days."""

    slug = "not-recorded"
    title = "This was not recorded at that time"
