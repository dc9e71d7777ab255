"""Operator accounts: made by whoever runs the shop, never through the API."""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.user import EmailTaken
from emporion.kernel.errors import Conflict
from emporion.kernel.ids import UserId
from emporion.services.user.commands.accounts import NewAccounts
from emporion.services.user.domain import (
    Account,
    EmailAddress,
    Role,
    Sought,
    chosen_password,
    display_name,
)
from emporion.services.user.ports import PasswordHasher, Privacy, Stores


class Operators:
    """Creates and resets operator accounts, for the command line and a development start."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        privacy: Privacy,
        hasher: PasswordHasher,
        new_accounts: NewAccounts,
    ) -> None:
        self._database = database
        self._stores = stores
        self._privacy = privacy
        self._hasher = hasher
        self._new = new_accounts

    async def ensure(self, email: str, password: str, *, name: str = "Operator") -> bool:
        """Create the operator unless the address has an account already; whether it was created.

        An existing account is left as it is, also when it is a customer's. Raises
        InvalidArgument.
        """
        try:
            await self._new.add(EmailAddress.parse(email), password, name=name, role=Role.OPERATOR)
        except EmailTaken:
            return False
        return True

    async def put(self, email: str, password: str, *, name: str = "Operator") -> UserId:
        """Create the operator, or make the existing account one with this name and password.

        A reset ends the account's sessions and throttling; access tokens already issued keep
        their old scopes until they expire. Safe to repeat. Raises InvalidArgument.
        """
        address = EmailAddress.parse(email)
        try:
            made = await self._new.add(address, password, name=name, role=Role.OPERATOR)
        except EmailTaken:
            return await self._reset(address, password, display_name(name))
        return made.account.user_id

    async def _reset(self, email: EmailAddress, password: str, name: str) -> UserId:
        password_hash = await self._hasher.hash(chosen_password(password))
        sought = self._privacy.index.of(email)
        account = await self._database.read(lambda tx: self._find(tx, sought))
        name = await self._privacy.seals.sealed_name(account.user_id, name)

        async def work(tx: Tx) -> UserId:
            account = await self._find(tx, sought)
            await self._take_over(tx, account, name=name, password_hash=password_hash)
            await self._stores.throttle.forgive(tx, sought.hash)
            return account.user_id

        return await self._database.transaction(work)

    async def _find(self, tx: Tx, sought: Sought) -> Account:
        account = await self._stores.accounts.find_by_address(tx, sought)
        if account is None:
            raise Conflict("the account was deleted in the meantime")
        return account

    async def _take_over(self, tx: Tx, account: Account, *, name: str, password_hash: str) -> None:
        accounts, user_id = self._stores.accounts, account.user_id
        await accounts.appoint(tx, user_id, name=name, role=Role.OPERATOR)
        old = account.password_hash
        if not await accounts.replace_password(tx, user_id, old=old, new=password_hash):
            raise Conflict("the password was changed in the meantime")
        await self._stores.sessions.end_all(tx, user_id)
