"""How a subscription goes: active, paused by somebody, disabled by its endpoint."""

from enum import StrEnum


class HookStatus(StrEnum):
    """Whether a subscription's deliveries leave."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


WANTS_EVENTS = frozenset({HookStatus.ACTIVE, HookStatus.PAUSED})
"""What happens meanwhile is collected for these."""
