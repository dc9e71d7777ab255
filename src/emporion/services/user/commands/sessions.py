"""Sign-in, refresh, sign-out."""

from dataclasses import dataclass, field

from emporion.chassis.auth.tokens import TokenSigner
from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.user import InvalidRefreshToken, RefreshToken, SignIn, WrongCredentials
from emporion.kernel.ids import UserId
from emporion.services.user.commands.credentials import Credentials
from emporion.services.user.commands.keys import KeyRing
from emporion.services.user.domain import (
    SECRET_BYTES,
    SESSION_ID_BYTES,
    Account,
    EmailAddress,
    RefreshSecret,
    Session,
)
from emporion.services.user.ports import Stores


@dataclass(frozen=True, slots=True)
class Granted:
    """A pair of tokens, just issued."""

    user_id: UserId
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class Issuer:
    """Signs access tokens with whatever key signs now."""

    def __init__(self, ring: KeyRing, signer: TokenSigner) -> None:
        self._ring = ring
        self._signer = signer

    async def access_token(self, account: Account) -> str:
        """A token of the account's scopes as they are now."""
        key = await self._ring.signing()
        return self._signer.sign(key, subject=account.user_id, scopes=account.scopes)


class SigningIn:
    """Starts, renews and ends sessions."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        credentials: Credentials,
        issuer: Issuer,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._stores = stores
        self._credentials = credentials
        self._issuer = issuer
        self._clock = runtime.clock
        self._random = runtime.random

    async def sign_in(self, request: SignIn) -> Granted:
        """Exchange address and password for tokens.

        Raises WrongCredentials, TooManySignIns, ResourceExhausted. A session starts only if the
        password that was proven is still the account's when it does.
        """
        sought = self._credentials.index.of(EmailAddress.parse(request.email))
        proven, verdict = await self._credentials.prove(sought, request.password)
        new_hash = proven.password_hash
        if verdict.is_outdated:
            new_hash = await self._credentials.hashed(request.password)
        access_token = await self._issuer.access_token(proven)
        refresh = RefreshSecret(self._random.token(SESSION_ID_BYTES), self._fresh_secret())
        session = Session.start(proven.user_id, refresh, self._clock.now_ms())

        async def work(tx: Tx) -> None:
            changed = self._stores.accounts.replace_password(
                tx, proven.user_id, old=proven.password_hash, new=new_hash
            )
            if not await changed:
                raise WrongCredentials
            await self._stores.throttle.forgive(tx, sought.hash)
            await self._stores.sessions.add(tx, session)

        await self._database.transaction(work)
        return Granted(proven.user_id, access_token, refresh.text)

    async def refresh(self, request: RefreshToken) -> Granted:
        """Exchange a refresh token for new tokens; presented again, it ends the session.

        Raises InvalidRefreshToken.
        """
        presented = RefreshSecret.parse(request.refresh_token)
        if presented is None:
            raise InvalidRefreshToken
        successor = RefreshSecret(presented.session_id, self._fresh_secret())
        now_ms = self._clock.now_ms()

        async def work(tx: Tx) -> Account | None:
            account = await self._rotate(
                tx, presented=presented, successor=successor, now_ms=now_ms
            )
            if account is None:
                await self._stores.sessions.end(tx, presented.session_id)
            return account

        account = await self._database.transaction(work)
        if account is None:
            raise InvalidRefreshToken
        access_token = await self._issuer.access_token(account)
        return Granted(account.user_id, access_token, successor.text)

    async def sign_out(self, request: RefreshToken) -> None:
        """End the session that the token names; a spent token of it will do."""
        presented = RefreshSecret.parse(request.refresh_token)
        if presented is None:
            return
        session_id = presented.session_id

        async def work(tx: Tx) -> None:
            await self._stores.sessions.end(tx, session_id)

        await self._database.transaction(work)

    async def _rotate(
        self, tx: Tx, *, presented: RefreshSecret, successor: RefreshSecret, now_ms: int
    ) -> Account | None:
        """Put the successor in place of the presented token; None: the session must end."""
        session = await self._stores.sessions.find(tx, presented.session_id)
        if session is None or not session.accepts(presented, now_ms):
            return None
        rotated = session.rotate(successor, now_ms)
        if not await self._stores.sessions.replace(tx, session, rotated):
            return None
        return await self._stores.accounts.find(tx, session.user_id)

    def _fresh_secret(self) -> str:
        return self._random.token(SECRET_BYTES)
