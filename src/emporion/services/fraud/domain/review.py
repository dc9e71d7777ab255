"""How a review goes: open, then decided once, or withdrawn because its order was called off."""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """Where a review stands."""

    OPEN = "open"
    RELEASED = "released"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Act(StrEnum):
    """What happens to a review."""

    RELEASE = "release"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    REOPEN = "reopen"


LIFECYCLE: Mapping[tuple[Status, Act], Status] = {
    # state before            act           state after
    (Status.OPEN, Act.RELEASE): Status.RELEASED,
    (Status.OPEN, Act.REJECT): Status.REJECTED,
    (Status.OPEN, Act.WITHDRAW): Status.WITHDRAWN,
    # A rejected order could not be called off any more; undone once, however often it is tried.
    (Status.REJECTED, Act.REOPEN): Status.OPEN,
    (Status.OPEN, Act.REOPEN): Status.OPEN,
    # Deciding the same again changes nothing.
    (Status.RELEASED, Act.RELEASE): Status.RELEASED,
    (Status.REJECTED, Act.REJECT): Status.REJECTED,
}


def after(status: Status, act: Act) -> Status | None:
    """The state after an act; None: it is refused."""
    return LIFECYCLE.get((status, act))
