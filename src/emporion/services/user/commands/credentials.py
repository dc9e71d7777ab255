"""Proof of a password, throttled."""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.user import TooManySignIns, WrongCredentials
from emporion.kernel.clock import Clock
from emporion.kernel.errors import ResourceExhausted
from emporion.services.user.domain import Account, AddressIndex, Sought, typed_password
from emporion.services.user.ports import PasswordHasher, Stores, Verdict


class Credentials:
    """Checks an address and a password, the same way whether or not there is such an account.

    Attempts are counted per address, durably: a restart forgets none. (Limits per client
    address belong to the edge, which alone knows it.)
    """

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        index: AddressIndex,
        hasher: PasswordHasher,
        clock: Clock,
    ) -> None:
        self.index = index
        self._database = database
        self._stores = stores
        self._hasher = hasher
        self._clock = clock

    async def prove(self, sought: Sought, password: str) -> tuple[Account, Verdict]:
        """The account that the password opens. Its attempt still counts: forgive it when done.

        Raises WrongCredentials; TooManySignIns before anything is compared; ResourceExhausted
        when too many passwords wait (the attempt does not count then).
        """
        account = await self._attempt(sought)
        try:
            verdict = await self._compare(account, typed_password(password))
        except ResourceExhausted:
            await self._take_back(sought)
            raise
        if account is None or not verdict.is_match:
            raise WrongCredentials
        return account, verdict

    async def hashed(self, password: str) -> str:
        """The hash of a password that has been proven or chosen. Raises ResourceExhausted."""
        return await self._hasher.hash(typed_password(password))

    async def _attempt(self, sought: Sought) -> Account | None:
        """Count an attempt and load the account, in one transaction."""
        now_ms = self._clock.now_ms()

        async def work(tx: Tx) -> Account | None:
            await tx.lock(f"sign-in {sought.hash.hex()}")
            attempts = await self._stores.throttle.find(tx, sought.hash)
            if wait_s := attempts.wait_s(now_ms):
                raise TooManySignIns(retry_after_s=wait_s)
            await self._stores.throttle.put(tx, sought.hash, attempts.another(now_ms))
            return await self._stores.accounts.find_by_address(tx, sought)

        return await self._database.transaction(work)

    async def _compare(self, account: Account | None, password: str) -> Verdict:
        if account is None:
            await self._hasher.waste(password)
            return Verdict(is_match=False, is_outdated=False)
        return await self._hasher.verify(password, account.password_hash)

    async def _take_back(self, sought: Sought) -> None:
        async def work(tx: Tx) -> None:
            await self._stores.throttle.take_back(tx, sought.hash)

        await self._database.transaction(work)
