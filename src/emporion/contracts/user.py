"""User: accounts, sign-in, tokens, profiles and preferences."""

from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    Empty,
    Event,
    EventSpec,
    Message,
    Reply,
    Request,
    Service,
    anyone,
    command,
    get,
    internal,
    owner,
    patch,
    post,
    put,
    query,
    staff,
)
from emporion.contracts.words import Instant, Name, ReadableNote, UserId, UserRef
from emporion.kernel.errors import (
    FailedPrecondition,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)

_ATOM = r"[^\x00-\x20\x7f-\xa0@,;<>\x22\u1680\u2000-\u200f\u2028-\u202f\u205f\u3000\ufeff]"
"""No space of any alphabet, nothing invisible: spelt out, as every dialect has another `\\s`."""
Email = Annotated[
    str,
    Meta(pattern=f"^{_ATOM}{{1,64}}@{_ATOM}{{1,189}}" + r"$(?!\n)", examples=["ada@example.test"]),
]
Password = Annotated[str, Meta(min_length=10, max_length=200)]
Locale = Annotated[str, Meta(pattern=r"^[a-z]{2}(-[A-Z]{2})?$(?!\n)", examples=["en", "de-AT"])]
TimeZone = Annotated[str, Meta(max_length=64, examples=["Europe/Vienna"])]


class EmailTaken(FailedPrecondition):
    """An account with that address exists."""

    slug = "email-taken"
    title = "An account with this e-mail address exists"


class WrongCredentials(Unauthenticated):
    """Unknown address or wrong password; which of the two is not said."""

    slug = "wrong-credentials"
    title = "E-mail address or password is wrong"


class WrongOldPassword(PermissionDenied):
    """The password that should prove who is asking is wrong; the session stays as it is."""

    slug = "wrong-old-password"
    title = "The old password is wrong"


class InvalidRefreshToken(Unauthenticated):
    """Unknown, expired or already used. A used one revokes the whole session."""

    slug = "invalid-refresh-token"
    title = "The refresh token is not valid any more; sign in again"


class TooManySignIns(ResourceExhausted):
    """Throttled; the field `retry_after_s` says for how long."""

    slug = "too-many-sign-ins"
    title = "Too many failed sign-ins; wait a moment"


class SignUp(Request, frozen=True, kw_only=True):
    """A new account. The password has 10..200 characters and is stored as an argon2id hash."""

    email: Email
    password: Password
    name: Name


class AddOperator(Request, frozen=True, kw_only=True):
    """A new account for somebody who may run the shop; as with SignUp."""

    email: Email
    password: Password
    name: Name


class SignIn(Request, frozen=True, kw_only=True):
    """E-mail address and password."""

    email: Email
    password: Annotated[str, Meta(max_length=200)]


class RefreshToken(Request, frozen=True, kw_only=True):
    """The refresh token of a session."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=200)]


class Nothing(Request, frozen=True, kw_only=True):
    """No parameters: the caller is the subject."""


class ChangeProfile(Request, frozen=True, kw_only=True):
    """What to change; fields left out stay as they are."""

    name: Name | None = None


class ChangePassword(Request, frozen=True, kw_only=True):
    """The old password proves that it is you; every session but new ones ends."""

    old_password: Annotated[str, Meta(max_length=200)]
    new_password: Password


class Preferences(Message, frozen=True, kw_only=True):
    """How the shop talks to this person."""

    locale: Locale = "en"
    time_zone: TimeZone = "UTC"
    wants_news: bool = False


class SetPreferences(Request, frozen=True, kw_only=True):
    """All preferences; what is left out returns to its default."""

    locale: Locale = "en"
    time_zone: TimeZone = "UTC"
    wants_news: bool = False


class EraseMe(Request, frozen=True, kw_only=True):
    """The password again proves that it is you."""

    password: Annotated[str, Meta(max_length=200)]


class EraseUser(Request, frozen=True, kw_only=True):
    """Who is erased, and why. The reason is kept: it must not say who that was."""

    user_id: UserId
    reason: Annotated[ReadableNote, Meta(min_length=1)]


class Erasure(Reply, frozen=True, kw_only=True):
    """The erasure of a person; `erased_at` is absent while it is under way."""

    user_id: UserId
    asked_at: Instant
    erased_at: Instant | None = None

    @property
    def is_pending(self) -> bool:
        """Whether their key still has to be destroyed."""
        return self.erased_at is None


class User(Reply, frozen=True, kw_only=True):
    """An account as its owner sees it."""

    user_id: UserId
    email: Email
    name: Name
    scopes: list[str]
    preferences: Preferences
    created_at: Instant


class OpenSession(Message, frozen=True, kw_only=True):
    """A session: since when, and until when if it is not used before."""

    started_at: Instant
    expires_at: Instant


class OwnData(Reply, frozen=True, kw_only=True):
    """All that is kept of a person here: account, preferences, sessions. Orders are elsewhere."""

    user: User
    sessions: list[OpenSession]


class Session(Reply, frozen=True, kw_only=True):
    """A short-lived access token (Authorization: Bearer) and a refresh token to renew it with."""

    access_token: str
    refresh_token: str
    expires_in_s: int
    user_id: UserId
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's word, not a secret


class Jwk(Message, frozen=True, kw_only=True):
    """A public key (RFC 8037)."""

    kid: str
    kty: str
    crv: str
    x: str
    alg: str
    use: str = "sig"


class Jwks(Reply, frozen=True, kw_only=True):
    """The public keys that verify our access tokens (RFC 7517)."""

    keys: list[Jwk]


class ContactsOf(Request, frozen=True, kw_only=True):
    """Whose contact data; unknown ids are left out of the answer."""

    user_ids: Annotated[list[UserRef], Meta(max_length=500)]


class Contact(Message, frozen=True, kw_only=True):
    """Where and how to write to a person."""

    user_id: UserId
    email: Email
    name: Name
    locale: Locale
    time_zone: TimeZone


class Contacts(Reply, frozen=True, kw_only=True):
    """Contact data."""

    contacts: list[Contact]


class UserRegistered(Event, frozen=True, kw_only=True):
    """An account was created. Carries no personal data: ask `contacts` for it."""

    SPEC = EventSpec("users.registered", key="user_id")

    user_id: UserId
    registered_at: Instant


class UserErased(Event, frozen=True, kw_only=True):
    """A person was erased: whoever keeps something about them forgets it, too."""

    SPEC = EventSpec("users.erased", key="user_id")

    user_id: UserId
    erased_at: Instant


class UserService(Service, Protocol):
    """Authentication, profiles and preferences."""

    NAME: ClassVar[str] = "user"
    SUMMARY: ClassVar[str] = "Accounts, sign-in, tokens, profiles and preferences."

    @command(
        access=anyone("an account is what you do not have yet"),
        rest=post("/api/users", status=201),
        raises=(EmailTaken,),
    )
    async def sign_up(self, request: SignUp) -> User:
        """Create an account. Raises EmailTaken."""

    @command(
        access=anyone("signing in is how one gets a token"),
        rest=post("/api/users/sessions", status=201),
        raises=(WrongCredentials, TooManySignIns),
    )
    async def sign_in(self, request: SignIn) -> Session:
        """Exchange e-mail address and password for tokens.

        Raises WrongCredentials, and TooManySignIns after repeated failures.
        """

    @command(
        access=anyone("the refresh token is the credential"),
        rest=post("/api/users/sessions/refresh"),
        raises=(InvalidRefreshToken,),
    )
    async def refresh(self, request: RefreshToken) -> Session:
        """Exchange a refresh token for new tokens; the old one is spent.

        Presenting a spent one again ends the session: somebody else may hold it. Raises
        InvalidRefreshToken.
        """

    @command(
        access=anyone("the refresh token is the credential"),
        rest=post("/api/users/sessions/end", status=204),
    )
    async def sign_out(self, request: RefreshToken) -> Empty:
        """End the session of this refresh token. Succeeds when it is over already."""

    @query(access=owner("profile"), rest=get("/api/users/me"))
    async def me(self, request: Nothing) -> User:
        """The caller's own account."""

    @query(access=owner("profile"), rest=get("/api/users/me/data"))
    async def own_data(self, request: Nothing) -> OwnData:
        """All that this service keeps of the caller, to take along."""

    @command(access=owner("profile"), rest=patch("/api/users/me"))
    async def change_profile(self, request: ChangeProfile) -> User:
        """Change the caller's profile."""

    @command(access=owner("profile"), rest=put("/api/users/me/preferences"))
    async def set_preferences(self, request: SetPreferences) -> User:
        """Replace the caller's preferences. Raises InvalidArgument for an unknown time zone."""

    @command(
        access=owner("profile"),
        rest=post("/api/users/me/password", status=204),
        raises=(WrongOldPassword, TooManySignIns),
    )
    async def change_password(self, request: ChangePassword) -> Empty:
        """Change the caller's password and end all sessions.

        Raises WrongOldPassword, and TooManySignIns after repeated failures.
        """

    @command(
        access=owner("profile"),
        rest=post("/api/users/me/erasure"),
        timeout_s=10.0,
        raises=(WrongOldPassword, TooManySignIns),
    )
    async def erase_me(self, request: EraseMe) -> Erasure:
        """Erase the caller: account, sessions, and the key that all else is sealed with.

        Orders and payments stay, without a name. It cannot be undone. Repeated with a token that
        still lives, it answers the same. Raises WrongOldPassword, and TooManySignIns after
        repeated failures.
        """

    @command(
        access=staff("users:write"),
        key="user_id",
        rest=post("/api/users/{user_id}/erasure"),
        timeout_s=10.0,
        raises=(NotFound,),
    )
    async def erase_user(self, request: EraseUser) -> Erasure:
        """Erase somebody, as an operator. Safe to repeat: the first reason stands.

        Raises NotFound, and InvalidArgument for a reason with their name or address in it.
        """

    @command(
        access=staff("operators:write"),
        rest=post("/api/users/operators", status=201),
        raises=(EmailTaken,),
    )
    async def add_operator(self, request: AddOperator) -> User:
        """Create an operator's account, as an operator; who added whom is in the log.

        Never changes an account that exists. Raises EmailTaken.
        """

    @query(
        access=anyone("public keys are public"),
        rest=get("/.well-known/jwks.json"),
    )
    async def jwks(self, request: Nothing) -> Jwks:
        """The public keys that verify access tokens, the newest first."""

    @query(access=internal())
    async def contacts(self, request: ContactsOf) -> Contacts:
        """Contact data for other services; unknown ids are left out."""
