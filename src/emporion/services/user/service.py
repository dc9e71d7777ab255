"""The user service, put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emporion.chassis.auth.tokens import AUDIENCE, ISSUER, TokenSigner
from emporion.chassis.auth.verifier import PublicKeys
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.user import UserService
from emporion.services.user.adapters.argon2 import Argon2Hasher, Argon2Settings
from emporion.services.user.adapters.sqlite import (
    SqliteAccounts,
    SqliteSessions,
    SqliteSigningKeys,
    SqliteThrottle,
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


@dataclass(frozen=True, slots=True)
class UserSettings:
    """What can be set: who tokens say they are from and for, and what a password hash costs."""

    issuer: str = ISSUER
    audience: str = AUDIENCE
    argon2: Argon2Settings = field(default_factory=Argon2Settings)

    @classmethod
    def parse(cls, settings: Mapping[str, str]) -> "UserSettings":
        """From text: `issuer`, `audience`, and `argon2_` with a field of Argon2Settings.

        Raises ValueError for any other name, or a cost that is no number.
        """
        names, costs = dict(settings), {}
        for name in Argon2Settings.__dataclass_fields__:
            if text := names.pop(f"argon2_{name}", ""):
                costs[name] = int(text)
        issuer, audience = names.pop("issuer", ISSUER), names.pop("audience", AUDIENCE)
        if names:
            message = f"unknown settings of the user service: {', '.join(sorted(names))}"
            raise ValueError(message)
        return cls(issuer, audience, Argon2Settings(**costs))


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

    Raises ValueError for settings that cannot be read.
    """
    settings = UserSettings.parse(needs.settings)
    database, runtime = needs.database, needs.runtime
    stores = Stores(SqliteAccounts(), SqliteSessions(), SqliteThrottle(), SqliteSigningKeys())
    hashing = hasher or Argon2Hasher(settings.argon2)
    zones = InstalledZones()
    ring = KeyRing(database, stores.keys, runtime)
    signer = TokenSigner(
        runtime.clock, runtime.ids, issuer=settings.issuer, audience=settings.audience
    )
    credentials = Credentials(database, stores, hasher=hashing, clock=runtime.clock)
    new_accounts = NewAccounts(database, stores, hasher=hashing, runtime=runtime)
    housekeeping = Housekeeping(database, stores, runtime.clock)
    return UserAssembly(
        contract=UserService,
        implementation=UserApi(
            new_accounts=new_accounts,
            profiles=Profiles(database, stores, zones=zones, credentials=credentials),
            signing_in=SigningIn(
                database,
                stores,
                credentials=credentials,
                issuer=Issuer(ring, signer),
                runtime=runtime,
            ),
            queries=AccountQueries(database, stores.accounts),
            ring=ring,
        ),
        subscriptions=REACTIONS,
        alarms=(
            Alarm("user: rotate signing keys", runtime, ring.renew),
            Alarm("user: delete what has expired", runtime, housekeeping.sweep),
        ),
        probes={"signing keys": ring.probe, "time zones": zones.probe},
        public_keys=ring.public_keys,
        operators=Operators(database, stores, hasher=hashing, new_accounts=new_accounts),
    )
