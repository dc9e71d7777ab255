"""What the user service answers."""

from dataclasses import dataclass

from emporion.chassis.auth.keys import ALGORITHM
from emporion.chassis.auth.tokens import ACCESS_TTL_S
from emporion.chassis.calls.context import caller
from emporion.contracts.contract import Empty
from emporion.contracts.user import (
    AddOperator,
    ChangePassword,
    ChangeProfile,
    Contact,
    Contacts,
    ContactsOf,
    EraseMe,
    EraseUser,
    Erasure,
    Jwk,
    Jwks,
    Nothing,
    OpenSession,
    OwnData,
    Preferences,
    RefreshToken,
    Session,
    SetPreferences,
    SignIn,
    SignUp,
    User,
    UserService,
)
from emporion.kernel.clock import to_datetime
from emporion.services.user.commands.accounts import NewAccounts, Profiles
from emporion.services.user.commands.erasing import Erasing
from emporion.services.user.commands.keys import KeyRing
from emporion.services.user.commands.sessions import Granted, SigningIn
from emporion.services.user.domain import Person
from emporion.services.user.ports import Reachable, StoredErasure
from emporion.services.user.queries import AccountQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the answers are made by."""

    new_accounts: NewAccounts
    profiles: Profiles
    signing_in: SigningIn
    erasing: Erasing
    queries: AccountQueries
    ring: KeyRing


class UserApi(UserService):
    """The contract, method by method: who asks, which use case, which words for the answer."""

    def __init__(self, parts: Parts) -> None:
        self._new_accounts = parts.new_accounts
        self._profiles = parts.profiles
        self._signing_in = parts.signing_in
        self._erasing = parts.erasing
        self._queries = parts.queries
        self._ring = parts.ring

    async def sign_up(self, request: SignUp) -> User:
        return _user(await self._new_accounts.sign_up(request))

    async def sign_in(self, request: SignIn) -> Session:
        return _session(await self._signing_in.sign_in(request))

    async def refresh(self, request: RefreshToken) -> Session:
        return _session(await self._signing_in.refresh(request))

    async def sign_out(self, request: RefreshToken) -> Empty:
        await self._signing_in.sign_out(request)
        return Empty()

    async def me(self, request: Nothing) -> User:
        return _user(await self._queries.me(caller().user_id))

    async def own_data(self, request: Nothing) -> OwnData:
        user_id = caller().user_id
        user = _user(await self._queries.me(user_id))
        sessions = [
            OpenSession(
                started_at=to_datetime(session.started_at_ms),
                expires_at=to_datetime(session.expires_at_ms),
            )
            for session in await self._queries.sessions(user_id)
        ]
        return OwnData(user=user, sessions=sessions)

    async def change_profile(self, request: ChangeProfile) -> User:
        return _user(await self._profiles.change_profile(caller().user_id, request))

    async def set_preferences(self, request: SetPreferences) -> User:
        return _user(await self._profiles.set_preferences(caller().user_id, request))

    async def change_password(self, request: ChangePassword) -> Empty:
        await self._profiles.change_password(caller().user_id, request)
        return Empty()

    async def erase_me(self, request: EraseMe) -> Erasure:
        return _erasure(await self._erasing.erase_oneself(caller().user_id, request.password))

    async def erase_user(self, request: EraseUser) -> Erasure:
        erased = await self._erasing.erase(
            request.user_id, actor=caller().subject, reason=request.reason
        )
        return _erasure(erased)

    async def add_operator(self, request: AddOperator) -> User:
        return _user(await self._new_accounts.add_operator(request, by=caller().subject))

    async def jwks(self, request: Nothing) -> Jwks:
        await self._ring.signing()
        keys = self._ring.public_keys()
        return Jwks(
            keys=[
                Jwk(kid=key.kid, kty="OKP", crv="Ed25519", x=key.x, alg=ALGORITHM) for key in keys
            ]
        )

    async def contacts(self, request: ContactsOf) -> Contacts:
        return Contacts(contacts=[_contact(it) for it in await self._queries.contacts(request)])


def _user(person: Person) -> User:
    account = person.account
    chosen = account.preferences
    return User(
        user_id=account.user_id,
        email=person.email,
        name=person.name,
        scopes=list(account.scopes),
        preferences=Preferences(
            locale=chosen.locale, time_zone=chosen.time_zone, wants_news=chosen.wants_news
        ),
        created_at=to_datetime(account.created_at_ms),
    )


def _erasure(stored: StoredErasure) -> Erasure:
    done_at_ms = stored.done_at_ms
    return Erasure(
        user_id=stored.user_id,
        asked_at=to_datetime(stored.asked_at_ms),
        erased_at=None if done_at_ms is None else to_datetime(done_at_ms),
    )


def _session(granted: Granted) -> Session:
    return Session(
        access_token=granted.access_token,
        refresh_token=granted.refresh_token,
        expires_in_s=ACCESS_TTL_S,
        user_id=granted.user_id,
    )


def _contact(person: Reachable) -> Contact:
    user_id, email, name, locale, time_zone = person
    return Contact(user_id=user_id, email=email, name=name, locale=locale, time_zone=time_zone)
