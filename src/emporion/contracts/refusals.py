"""Refusals that several contracts share."""

from emporion.kernel.errors import InvalidArgument


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
