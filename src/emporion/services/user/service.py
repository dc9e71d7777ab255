"""The user service, put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from emporion.chassis.auth.tokens import TokenSigner
from emporion.chassis.auth.verifier import PublicKeys
from emporion.chassis.data.database import Database
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.definition import Saga
from emporion.chassis.sealing.people import People
from emporion.chassis.sealing.secret import SETTINGS, PrivacyKeys, derived
from emporion.contracts.user import UserService
from emporion.contracts.vault import VaultService
from emporion.services.user.adapters.argon2 import Argon2Hasher, Argon2Settings
from emporion.services.user.adapters.seals import PersonalSeals
from emporion.services.user.adapters.sql import SqlAccounts, SqlErasures, SqlSigningKeys
from emporion.services.user.adapters.sql_sessions import SqlSessions, SqlThrottle
from emporion.services.user.adapters.zones import InstalledZones
from emporion.services.user.api import Parts, UserApi
from emporion.services.user.commands.accounts import NewAccounts, Profiles
from emporion.services.user.commands.credentials import Credentials
from emporion.services.user.commands.erasing import Begin, Erase, Erasing, ErasureSteps
from emporion.services.user.commands.housekeeping import Housekeeping
from emporion.services.user.commands.indexing import LateIndexing
from emporion.services.user.commands.keys import KeyRing
from emporion.services.user.commands.operators import Operators
from emporion.services.user.commands.sealing import LateSealing
from emporion.services.user.commands.sessions import Issuer, SigningIn
from emporion.services.user.domain import AddressIndex
from emporion.services.user.events import REACTIONS
from emporion.services.user.ports import PasswordHasher, Privacy, Stores
from emporion.services.user.queries import AccountQueries
from emporion.services.user.sagas import erase_person

ADDRESSES = "index of e-mail addresses"
"""What the index of addresses is for, in the derivation of its key: for ever."""
STORES = Stores(SqlAccounts(), SqlSessions(), SqlThrottle(), SqlSigningKeys(), SqlErasures())
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

    Settings: `privacy_key` and `privacy_key_other`, and `argon2_` with a field of Argon2Settings.
    Raises ValueError for any other name, or a cost that is no number; KeyError without a
    privacy_key.
    """
    database, runtime = needs.database, needs.runtime
    hashing = hasher or Argon2Hasher(argon2_settings(needs.settings))
    vault = needs.clients.get(VaultService)
    secrets = PrivacyKeys.of(needs.settings)
    privacy = _privacy(secrets, vault, runtime)
    ring = KeyRing(database, STORES.keys, runtime)
    new = NewAccounts(database, STORES, privacy=privacy, hasher=hashing, runtime=runtime)
    erasure = erase_person(ErasureSteps(STORES, privacy, runtime.clock), vault)
    parts = _parts(needs, privacy, ring, new_accounts=new, erasure=erasure)
    housekeeping = Housekeeping(database, STORES, runtime.clock)
    sealing = LateSealing(database, STORES, privacy=privacy, clock=runtime.clock)
    indexing = LateIndexing(database, STORES, privacy=privacy, clock=runtime.clock)
    return UserAssembly(
        contract=UserService,
        implementation=UserApi(parts),
        subscriptions=REACTIONS,
        sagas=(erasure,),
        alarms=(
            Alarm("user: rotate signing keys", runtime, ring.renew),
            Alarm("user: delete what has expired", runtime, housekeeping.sweep),
            Alarm("user: seal what is readable", runtime, sealing.run),
            Alarm("user: index addresses anew", runtime, indexing.run),
        ),
        probes={
            "signing keys": ring.probe,
            "time zones": InstalledZones().probe,
            "privacy key": lambda: _require_known(database, secrets),
        },
        public_keys=ring.public_keys,
        operators=Operators(database, STORES, privacy=privacy, hasher=hashing, new_accounts=new),
    )


def _parts(
    needs: Needs,
    privacy: Privacy,
    ring: KeyRing,
    *,
    new_accounts: NewAccounts,
    erasure: Saga[Erase],
) -> Parts:
    database, runtime = needs.database, needs.runtime
    credentials = Credentials(
        database, STORES, index=privacy.index, hasher=new_accounts.hasher, clock=runtime.clock
    )
    return Parts(
        new_accounts=new_accounts,
        profiles=Profiles(
            database, STORES, privacy=privacy, zones=InstalledZones(), credentials=credentials
        ),
        signing_in=SigningIn(
            database,
            STORES,
            credentials=credentials,
            issuer=Issuer(ring, TokenSigner(runtime.clock, runtime.ids)),
            runtime=runtime,
        ),
        erasing=Erasing(
            database,
            STORES,
            credentials=credentials,
            saga=Begin(erasure, needs.sagas, runtime.ids, privacy.seals),
        ),
        queries=AccountQueries(database, STORES, privacy.seals),
        ring=ring,
    )


async def _require_known(database: Database, secrets: PrivacyKeys) -> None:
    """Readiness. Raises WrongPrivacyKey when there are addresses that nobody could be found by."""
    names = await database.read(STORES.accounts.index_names)
    secrets.require_known(names, "the index of some addresses was")


def _privacy(secrets: PrivacyKeys, vault: VaultService, runtime: Runtime) -> Privacy:
    keys = [derived(secret, ADDRESSES) for secret in secrets.all]
    index = AddressIndex(secrets.names[0], *keys)
    return Privacy(index, PersonalSeals(People(vault, runtime.clock)))


def argon2_settings(settings: Mapping[str, str]) -> Argon2Settings:
    """What a hash costs, from text such as {"argon2_threads": "4"}. Raises ValueError."""
    names = {f"argon2_{field.name}": field.name for field in fields(Argon2Settings)}
    costs = {name: text for name, text in settings.items() if name not in SETTINGS}
    if unknown := costs.keys() - names.keys():
        message = f"unknown settings of the user service: {', '.join(sorted(unknown))}"
        raise ValueError(message)
    return Argon2Settings(**{names[name]: int(text) for name, text in costs.items()})
