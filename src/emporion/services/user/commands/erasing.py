"""Erases people: closes the account, has the key destroyed, tells everybody."""

import logging
from dataclasses import dataclass
from typing import Final

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.saga.definition import Saga
from emporion.chassis.saga.port import Sagas, Start
from emporion.contracts.contract import Message
from emporion.contracts.user import UserErased, WrongCredentials, WrongOldPassword
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import EmporionError, InvalidArgument, NotFound, Unauthenticated
from emporion.kernel.ids import Ids, UserId
from emporion.services.user.commands.credentials import Credentials
from emporion.services.user.domain import Account, names
from emporion.services.user.ports import Privacy, Seals, StoredErasure, Stores

_log = logging.getLogger(__name__)
WAIT_S: Final = 8.0
"""How long one who asks waits for the end; the erasure goes on by itself."""
ERASURE: Final = "ers"
OWN_WISH: Final = "asked by the person"


class Erase(Message, frozen=True, kw_only=True):
    """Who is erased, on whose word, and why."""

    user_id: UserId
    actor: str
    reason: str


class ErasureSteps:
    """What happens in this service's own database; each part may run twice."""

    def __init__(self, stores: Stores, privacy: Privacy, clock: Clock) -> None:
        self._stores = stores
        self._privacy = privacy
        self._clock = clock

    async def close(self, tx: Tx, erasing: Erase) -> None:
        """Nobody signs in any more, and nothing tells who it was."""
        user_id, now_ms = erasing.user_id, self._clock.now_ms()
        account = await self._stores.accounts.find(tx, user_id)
        if account is None:
            return
        sought = self._privacy.index.of_stored(account.address)
        await self._stores.throttle.forgive(tx, sought.hash)
        await self._stores.sessions.end_all(tx, user_id)
        await self._stores.accounts.erase(tx, user_id, at_ms=now_ms)
        asked = StoredErasure(user_id, erasing.actor, erasing.reason, now_ms)
        await self._stores.erasures.add(tx, asked)

    async def announce(self, tx: Tx, erasing: Erase) -> None:
        """The key is destroyed: who keeps something of the person may know."""
        now_ms = self._clock.now_ms()
        self._privacy.seals.forget(erasing.user_id)
        await self._stores.erasures.finish(tx, erasing.user_id, at_ms=now_ms)
        await tx.publish(UserErased(user_id=erasing.user_id, erased_at=to_datetime(now_ms)))


@dataclass(frozen=True, slots=True)
class Begin:
    """What an erasure is begun with."""

    definition: Saga[Erase]
    sagas: Sagas
    ids: Ids
    seals: Seals


class Erasing:
    """For people themselves, and for operators; the first who asks is remembered."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        credentials: Credentials,
        saga: Begin,
    ) -> None:
        self._database = database
        self._stores = stores
        self._credentials = credentials
        self._saga = saga

    async def erase_oneself(self, user_id: UserId, password: str) -> StoredErasure:
        """See UserService.erase_me. Raises Unauthenticated for an account that never was."""
        account, known = await self._standing(user_id)
        if account is None and known is None:
            raise Unauthenticated("the account of this token is gone")
        if account is not None:
            try:
                await self._credentials.prove(
                    self._credentials.index.of_stored(account.address), password
                )
            except WrongCredentials:  # who is asking is known: they need not sign in again
                raise WrongOldPassword from None
        return await self._erase(Erase(user_id=user_id, actor=user_id, reason=OWN_WISH))

    async def erase(self, user_id: UserId, *, actor: str, reason: str) -> StoredErasure:
        """See UserService.erase_user. Raises NotFound, and InvalidArgument."""
        account, known = await self._standing(user_id)
        if account is None and known is None:
            raise NotFound(f"there is no user {user_id}")
        if account is not None:
            await self._require_nameless(account, reason)
        return await self._erase(Erase(user_id=user_id, actor=actor, reason=reason))

    async def _require_nameless(self, account: Account, reason: str) -> None:
        """The reason outlives the person's key. Raises InvalidArgument when it says who it was."""
        try:
            person = await self._saga.seals.opened(account)
        except EmporionError:  # who it was cannot be told now, and an erasure waits for nobody
            _log.warning("whether the reason of an erasure names the person could not be checked")
            return
        if names(person, reason):
            raise InvalidArgument("the reason is kept: do not say in it who it was", field="reason")

    async def _standing(self, user_id: UserId) -> tuple[Account | None, StoredErasure | None]:
        async def work(tx: Tx) -> tuple[Account | None, StoredErasure | None]:
            account = await self._stores.accounts.find(tx, user_id)
            return account, await self._stores.erasures.find(tx, user_id)

        return await self._database.read(work)

    async def _erase(self, erasing: Erase) -> StoredErasure:
        saga = self._saga
        start = Start(
            saga_id=saga.ids.new(ERASURE),
            input_=erasing,
            key=f"erase:{erasing.user_id}",
            fingerprint=b"",
        )
        await saga.sagas.run(saga.definition, start, wait_s=WAIT_S)
        _, known = await self._standing(erasing.user_id)
        if known is None:
            raise NotFound(f"there is no user {erasing.user_id}")
        return known
