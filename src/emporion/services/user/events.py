"""What the user service announces, and how it reacts to others: two tables."""

from typing import Any

from emporion.chassis.events.subscription import Subscription
from emporion.contracts.contract import Event
from emporion.contracts.user import UserErased, UserRegistered

ANNOUNCES: tuple[type[Event], ...] = (UserRegistered, UserErased)

REACTIONS: tuple[Subscription[Any], ...] = ()
"""Accounts depend on nobody."""
