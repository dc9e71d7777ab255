"""Sign-up, profile, preferences, password."""

import logging
from dataclasses import replace

from emporion.chassis.data.database import Database, Tx, UniqueViolation
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.user import (
    AddOperator,
    ChangePassword,
    ChangeProfile,
    EmailTaken,
    SetPreferences,
    SignUp,
    UserRegistered,
    WrongCredentials,
    WrongOldPassword,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import InvalidArgument, Unauthenticated
from emporion.kernel.ids import USER, UserId
from emporion.services.user.commands.credentials import Credentials
from emporion.services.user.domain import (
    Account,
    EmailAddress,
    Person,
    Preferences,
    Role,
    Sought,
    chosen_password,
    display_name,
)
from emporion.services.user.ports import PasswordHasher, Privacy, Stores, TimeZones

_log = logging.getLogger(__name__)


class NewAccounts:
    """Creates accounts."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        privacy: Privacy,
        hasher: PasswordHasher,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._accounts = stores.accounts
        self._privacy = privacy
        self.hasher = hasher
        self._runtime = runtime

    async def sign_up(self, request: SignUp) -> Person:
        """A new customer. Raises EmailTaken; InvalidArgument; ResourceExhausted."""
        return await self.add(
            EmailAddress.parse(request.email),
            request.password,
            name=request.name,
            role=Role.CUSTOMER,
        )

    async def add_operator(self, request: AddOperator, *, by: str) -> Person:
        """A new operator, added by another one. Raises as `sign_up`."""
        added = await self.add(
            EmailAddress.parse(request.email),
            request.password,
            name=request.name,
            role=Role.OPERATOR,
        )
        _log.info("%s is an operator now", added.account.user_id, extra={"actor": by})
        return added

    async def add(self, email: EmailAddress, password: str, *, name: str, role: Role) -> Person:
        """A new account of any role, announced as `users.registered`. Raises as `sign_up`."""
        secret, name = chosen_password(password), display_name(name)
        sought = self._privacy.index.of(email)
        await self._refuse_taken(sought)
        account = Account(
            user_id=UserId(self._runtime.ids.new(USER)),
            address=sought.index,
            email=email.text,
            name=name,
            role=role,
            password_hash=await self.hasher.hash(secret),
            preferences=Preferences(),
            created_at_ms=self._runtime.clock.now_ms(),
            indexed_by=self._privacy.index.name,
        )
        person = Person(account, email.text, name)
        sealed = await self._privacy.seals.sealed_newcomer(person)

        async def work(tx: Tx) -> None:
            if self._privacy.index.is_changing:
                await self._require_free(tx, sought)
            await self._accounts.add(tx, sealed)
            await tx.publish(
                UserRegistered(
                    user_id=account.user_id, registered_at=to_datetime(account.created_at_ms)
                )
            )

        try:
            await self._database.transaction(work)
        except UniqueViolation:
            raise EmailTaken from None
        return replace(person, account=sealed)

    async def _require_free(self, tx: Tx, sought: Sought) -> None:
        """Two instances may index one address differently: no unique index sees that."""
        await tx.lock(f"sign-up {min(sought.index, sought.other)}")
        if await self._accounts.find_by_address(tx, sought):
            raise EmailTaken

    async def _refuse_taken(self, sought: Sought) -> None:
        """Refuse before the costly hash; the unique index refuses those that come at once."""

        async def work(tx: Tx) -> Account | None:
            return await self._accounts.find_by_address(tx, sought)

        if await self._database.read(work):
            raise EmailTaken


class Profiles:
    """Changes accounts on behalf of their owners.

    Every method raises Unauthenticated when the account of the token is gone.
    """

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        privacy: Privacy,
        zones: TimeZones,
        credentials: Credentials,
    ) -> None:
        self._database = database
        self._stores = stores
        self._seals = privacy.seals
        self._zones = zones
        self._credentials = credentials

    async def change_profile(self, user_id: UserId, request: ChangeProfile) -> Person:
        """Change what is given. Raises InvalidArgument for an unprintable name."""
        name: str | None = None
        if request.name is not None:
            name = await self._seals.sealed_name(user_id, display_name(request.name))

        async def work(tx: Tx) -> Account:
            if name is not None:
                await self._stores.accounts.rename(tx, user_id, name)
            return await self._load(tx, user_id)

        return await self._seals.opened(await self._database.transaction(work))

    async def set_preferences(self, user_id: UserId, request: SetPreferences) -> Person:
        """Replace the preferences. Raises InvalidArgument for an unknown time zone."""
        if not self._zones.is_known(request.time_zone):
            raise InvalidArgument(
                "this is not a time zone; use a name such as Europe/Vienna", field="time_zone"
            )
        preferences = Preferences(request.locale, request.time_zone, request.wants_news)

        async def work(tx: Tx) -> Account:
            await self._stores.accounts.prefer(tx, user_id, preferences)
            return await self._load(tx, user_id)

        return await self._seals.opened(await self._database.transaction(work))

    async def change_password(self, user_id: UserId, request: ChangePassword) -> None:
        """Change the password and end every session, in one transaction.

        Raises WrongOldPassword, TooManySignIns, ResourceExhausted. Access tokens already issued
        stay good until they expire.
        """
        secret = chosen_password(request.new_password)

        async def find(tx: Tx) -> Account:
            return await self._load(tx, user_id)

        asked = await self._database.read(find)
        sought = self._credentials.index.of_stored(asked.address)
        try:
            account, _ = await self._credentials.prove(sought, request.old_password)
        except WrongCredentials:  # who is asking is known: they need not sign in again
            raise WrongOldPassword from None
        new_hash = await self._credentials.hashed(secret)

        async def work(tx: Tx) -> None:
            old_hash = account.password_hash
            accounts = self._stores.accounts
            if not await accounts.replace_password(tx, user_id, old=old_hash, new=new_hash):
                raise WrongOldPassword
            await self._stores.sessions.end_all(tx, user_id)
            await self._stores.throttle.forgive(tx, sought.hash)

        await self._database.transaction(work)

    async def _load(self, tx: Tx, user_id: UserId) -> Account:
        account = await self._stores.accounts.find(tx, user_id)
        if account is None:
            raise Unauthenticated("the account of this token is gone")
        return account
