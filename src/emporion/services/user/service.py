"""The user service, put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from emporion.chassis.auth.tokens import TokenSigner
from emporion.chassis.auth.verifier import PublicKeys
from emporion.chassis.data.database import Database
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.user import UserService
from emporion.services.user.adapters.argon2 import Argon2Hasher, Argon2Settings
from emporion.services.user.adapters.sql import (
    SqlAccounts,
    SqlSessions,
    SqlSigningKeys,
    SqlThrottle,
)
from emporion.services.user.adapters.zones import InstalledZones
from emporion.services.user.api import UserApi
from emporion.services.user.commands.accounts import NewAccounts, Profiles
from emporion.services.user.commands.credentials import Credentials
from emporion.services.user.commands.housekeeping import Housekeeping
from emporion.services.user.commands.keys import KeyRing
from emporion.services.user.commands.operators import Operators
from emporion.services.user.commands.sessions import Issuer, SigningIn
from emporion.services.user.events import REACTIONS
from emporion.services.user.ports import PasswordHasher, Stores
from emporion.services.user.queries import AccountQueries

STORES = Stores(SqlAccounts(), SqlSessions(), SqlThrottle(), SqlSigningKeys())
"""They keep nothing: each works inside the transaction it is handed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAssembly(Assembly):
    """The user service with what the platform, and nobody else, may reach into.

    Args:
        public_keys: for a TokenVerifier in the same process.
        operators: for the command line and a development start.
    """

    public_keys: Callable[[], PublicKeys]
    operators: Operators


def build(needs: Needs, *, hasher: PasswordHasher | None = None) -> UserAssembly:
    """Put the service together. `hasher` replaces argon2id where time is simulated.

    Settings: `argon2_` with a field of Argon2Settings. Raises ValueError for any other name, or
    a cost that is no number.
    """
    database, runtime = needs.database, needs.runtime
    hashing = hasher or Argon2Hasher(argon2_settings(needs.settings))
    zones = InstalledZones()
    ring = KeyRing(database, STORES.keys, runtime)
    credentials = Credentials(database, STORES, hasher=hashing, clock=runtime.clock)
    housekeeping = Housekeeping(database, STORES, runtime.clock)
    return UserAssembly(
        contract=UserService,
        implementation=UserApi(
            new_accounts=NewAccounts(database, STORES, hasher=hashing, runtime=runtime),
            profiles=Profiles(database, STORES, zones=zones, credentials=credentials),
            signing_in=SigningIn(
                database,
                STORES,
                credentials=credentials,
                issuer=Issuer(ring, TokenSigner(runtime.clock, runtime.ids)),
                runtime=runtime,
            ),
            queries=AccountQueries(database, STORES.accounts),
            ring=ring,
        ),
        subscriptions=REACTIONS,
        alarms=(
            Alarm("user: rotate signing keys", runtime, ring.renew),
            Alarm("user: delete what has expired", runtime, housekeeping.sweep),
        ),
        probes={"signing keys": ring.probe, "time zones": zones.probe},
        public_keys=ring.public_keys,
        operators=operators(database, runtime, hasher=hashing),
    )


def operators(
    database: Database, runtime: Runtime, *, hasher: PasswordHasher | None = None
) -> Operators:
    """Operators over the user service's database, also while the service does not run."""
    hashing = hasher or Argon2Hasher(Argon2Settings())
    new_accounts = NewAccounts(database, STORES, hasher=hashing, runtime=runtime)
    return Operators(database, STORES, hasher=hashing, new_accounts=new_accounts)


def argon2_settings(settings: Mapping[str, str]) -> Argon2Settings:
    """What a hash costs, from text such as {"argon2_threads": "4"}. Raises ValueError."""
    names = {f"argon2_{field.name}": field.name for field in fields(Argon2Settings)}
    if unknown := settings.keys() - names.keys():
        message = f"unknown settings of the user service: {', '.join(sorted(unknown))}"
        raise ValueError(message)
    return Argon2Settings(**{names[name]: int(text) for name, text in settings.items()})
