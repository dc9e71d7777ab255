"""Sign-up, profile, preferences, password."""

import logging

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
    Preferences,
    Role,
    chosen_password,
    display_name,
)
from emporion.services.user.ports import PasswordHasher, Stores, TimeZones

_log = logging.getLogger(__name__)


class NewAccounts:
    """Creates accounts."""

    def __init__(
        self, database: Database, stores: Stores, *, hasher: PasswordHasher, runtime: Runtime
    ) -> None:
        self._database = database
        self._accounts = stores.accounts
        self._hasher = hasher
        self._runtime = runtime

    async def sign_up(self, request: SignUp) -> Account:
        """A new customer. Raises EmailTaken; InvalidArgument; ResourceExhausted."""
        return await self.add(
            EmailAddress.parse(request.email),
            request.password,
            name=request.name,
            role=Role.CUSTOMER,
        )

    async def add_operator(self, request: AddOperator, *, by: str) -> Account:
        """A new operator, added by another one. Raises as `sign_up`."""
        added = await self.add(
            EmailAddress.parse(request.email),
            request.password,
            name=request.name,
            role=Role.OPERATOR,
        )
        _log.info("%s is an operator now", added.user_id, extra={"actor": by})
        return added

    async def add(self, email: EmailAddress, password: str, *, name: str, role: Role) -> Account:
        """A new account of any role, announced as `users.registered`. Raises as `sign_up`."""
        secret, name = chosen_password(password), display_name(name)
        await self._refuse_taken(email)
        account = Account(
            user_id=UserId(self._runtime.ids.new(USER)),
            email=email,
            name=name,
            role=role,
            password_hash=await self._hasher.hash(secret),
            preferences=Preferences(),
            created_at_ms=self._runtime.clock.now_ms(),
        )

        async def work(tx: Tx) -> None:
            await self._accounts.add(tx, account)
            await tx.publish(
                UserRegistered(
                    user_id=account.user_id, registered_at=to_datetime(account.created_at_ms)
                )
            )

        try:
            await self._database.transaction(work)
        except UniqueViolation:
            raise EmailTaken from None
        return account

    async def _refuse_taken(self, email: EmailAddress) -> None:
        """Refuse before the costly hash; the unique index refuses those that come at once."""

        async def work(tx: Tx) -> Account | None:
            return await self._accounts.find_by_email(tx, email)

        if await self._database.read(work):
            raise EmailTaken


class Profiles:
    """Changes accounts on behalf of their owners.

    Every method raises Unauthenticated when the account of the token is gone.
    """

    def __init__(
        self, database: Database, stores: Stores, *, zones: TimeZones, credentials: Credentials
    ) -> None:
        self._database = database
        self._stores = stores
        self._zones = zones
        self._credentials = credentials

    async def change_profile(self, user_id: UserId, request: ChangeProfile) -> Account:
        """Change what is given. Raises InvalidArgument for an unprintable name."""
        name = None if request.name is None else display_name(request.name)

        async def work(tx: Tx) -> Account:
            if name is not None:
                await self._stores.accounts.rename(tx, user_id, name)
            return await self._load(tx, user_id)

        return await self._database.transaction(work)

    async def set_preferences(self, user_id: UserId, request: SetPreferences) -> Account:
        """Replace the preferences. Raises InvalidArgument for an unknown time zone."""
        if not self._zones.is_known(request.time_zone):
            raise InvalidArgument(
                "this is not a time zone; use a name such as Europe/Vienna", field="time_zone"
            )
        preferences = Preferences(request.locale, request.time_zone, request.wants_news)

        async def work(tx: Tx) -> Account:
            await self._stores.accounts.prefer(tx, user_id, preferences)
            return await self._load(tx, user_id)

        return await self._database.transaction(work)

    async def change_password(self, user_id: UserId, request: ChangePassword) -> None:
        """Change the password and end every session, in one transaction.

        Raises WrongOldPassword, TooManySignIns, ResourceExhausted. Access tokens already issued
        stay good until they expire.
        """
        secret = chosen_password(request.new_password)

        async def find(tx: Tx) -> Account:
            return await self._load(tx, user_id)

        asked = await self._database.read(find)
        try:
            account, _ = await self._credentials.prove(asked.email, request.old_password)
        except WrongCredentials:  # who is asking is known: they need not sign in again
            raise WrongOldPassword from None
        new_hash = await self._credentials.hashed(secret)

        async def work(tx: Tx) -> None:
            old_hash = account.password_hash
            accounts = self._stores.accounts
            if not await accounts.replace_password(tx, user_id, old=old_hash, new=new_hash):
                raise WrongOldPassword
            await self._stores.sessions.end_all(tx, user_id)
            await self._stores.throttle.forgive(tx, account.email.hash)

        await self._database.transaction(work)

    async def _load(self, tx: Tx, user_id: UserId) -> Account:
        account = await self._stores.accounts.find(tx, user_id)
        if account is None:
            raise Unauthenticated("the account of this token is gone")
        return account
