"""What can be asked about accounts."""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.user import ContactsOf
from emporion.kernel.errors import Unauthenticated
from emporion.kernel.ids import UserId
from emporion.services.user.domain import Account, Person, Session
from emporion.services.user.ports import Reachable, Seals, Stores


class AccountQueries:
    """Point reads of accounts."""

    def __init__(self, database: Database, stores: Stores, seals: Seals) -> None:
        self._database = database
        self._accounts = stores.accounts
        self._sessions = stores.sessions
        self._seals = seals

    async def me(self, user_id: UserId) -> Person:
        """The account. Raises Unauthenticated when it is gone."""

        async def work(tx: Tx) -> Account | None:
            return await self._accounts.find(tx, user_id)

        account = await self._database.read(work)
        if account is None:
            raise Unauthenticated("the account of this token is gone")
        return await self._seals.opened(account)

    async def sessions(self, user_id: UserId) -> list[Session]:
        """Somebody's sessions, the oldest first."""
        return await self._database.read(lambda tx: self._sessions.of(tx, user_id))

    async def contacts(self, request: ContactsOf) -> list[Reachable]:
        """Those of at most 500 people that have an account, and were not erased."""

        async def work(tx: Tx) -> list[Reachable]:
            return await self._accounts.reachable(tx, request.user_ids)

        return await self._seals.reachable(await self._database.read(work))
