"""What the user service needs from outside: stores, seals, a password hasher, time zones.

Store methods run inside the caller's transaction and raise what `Tx` raises, nothing else.
"""

from emporion.services.user.ports.people import PasswordHasher, Privacy, Seals, TimeZones, Verdict
from emporion.services.user.ports.stores import (
    Accounts,
    Erasures,
    Reachable,
    Sessions,
    SigningKeys,
    StoredErasure,
    StoredKey,
    Stores,
    Throttle,
)

__all__ = [
    "Accounts",
    "Erasures",
    "PasswordHasher",
    "Privacy",
    "Reachable",
    "Seals",
    "Sessions",
    "SigningKeys",
    "StoredErasure",
    "StoredKey",
    "Stores",
    "Throttle",
    "TimeZones",
    "Verdict",
]
