"""How services prove to each other who they are: a key a process, short-lived tokens signed by it.

Every process that runs services has an Ed25519 key of its own. The topology hands out the public
halves, with the services that each may speak for: so the key of one service cannot sign in
another's name, and a stolen token is worth a few minutes.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.auth.keys import PublicKey, SigningKey
from emporion.chassis.auth.tokens import ISSUER, Claims, TokenSigner
from emporion.chassis.auth.verifier import INTERNAL_SCOPE, PublicKeys, TokenInvalid, TokenVerifier
from emporion.kernel.clock import Clock
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import Ids

INTERNAL_AUDIENCE: Final = "emporion-internal"
TTL_S: Final = 300
RENEWED_S: Final = 150
"""A token is replaced at half of its life, so that one under way never expires."""
LOOK_S: Final = 1.0
"""How often at most the file of trusted keys is looked at."""
SERVICES_MAX: Final = 1_000


class TrustedKey(msgspec.Struct, frozen=True, rename={"curve": "crv"}):
    """A public key (RFC 8037), and in whose names it may sign, with which scopes at most."""

    kid: str
    x: str
    services: tuple[str, ...]
    scopes: tuple[str, ...] = (INTERNAL_SCOPE,)
    kty: str = "OKP"
    curve: str = "Ed25519"


class KeySet(msgspec.Struct, frozen=True):
    """A JSON Web Key Set (RFC 7517) of services."""

    keys: tuple[TrustedKey, ...]


class TrustFileUnreadable(Unavailable):
    """The file of trusted keys is missing or malformed (field `path`)."""

    slug = "trust-file-unreadable"
    title = "The trusted keys cannot be read"


def trusted(
    key: SigningKey, services: Iterable[str], scopes: Iterable[str] = (INTERNAL_SCOPE,)
) -> TrustedKey:
    """What the topology writes about a process's key."""
    return TrustedKey(key.kid, key.public.x, tuple(services), tuple(scopes))


def trust_text(keys: Iterable[TrustedKey]) -> str:
    """The text of the file of trusted keys."""
    return msgspec.json.format(msgspec.json.encode(KeySet(tuple(keys))), indent=2).decode() + "\n"


class Trust:
    """The keys that are trusted now; follows its file, looked at once in LOOK_S when in use.

    A file that has become unreadable changes nothing: the keys read last stay.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._monotonic_s = clock.monotonic_s
        self._next_look_s = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._public: PublicKeys = ()
        self._by_kid: Mapping[str, TrustedKey] = {}

    def load(self) -> None:
        """Read the file. Raises TrustFileUnreadable, then the keys stay what they were."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp == self._stamp:
                return
            keys = msgspec.json.decode(self._path.read_bytes(), type=KeySet).keys
        except (OSError, msgspec.MsgspecError) as error:
            raise TrustFileUnreadable(f"{self._path}: {error}", path=str(self._path)) from error
        self._stamp = stamp
        self._by_kid = {key.kid: key for key in keys}
        self._public = tuple(PublicKey(key.kid, key.x) for key in keys)

    def public(self) -> PublicKeys:
        """The public keys, for a verifier; the same tuple until they change."""
        now_s = self._monotonic_s()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_S
            try:
                self.load()
            except TrustFileUnreadable:
                # It is being replaced, or was taken away: whoever was trusted still is.
                return self._public
        return self._public

    def key(self, kid: str) -> TrustedKey | None:
        """What is known of a key."""
        return self._by_kid.get(kid)


class ServiceVerifier(TokenVerifier):
    """Verifies tokens of services, as `TokenVerifier` does those of persons."""

    def __init__(self, trust: Trust, clock: Clock, *, cached_max: int = 2_000) -> None:
        super().__init__(
            trust.public, clock, issuer=ISSUER, audience=INTERNAL_AUDIENCE, cached_max=cached_max
        )
        self._trust = trust

    def identity(self, claims: Claims, kid: str) -> Identity:
        """The service, when its key may sign in its name. Raises TokenInvalid."""
        key = self._trust.key(kid)
        scopes = frozenset(claims.scope.split())
        if key is None or claims.sub not in key.services or not scopes <= set(key.scopes):
            raise TokenInvalid
        return Identity(Kind.SERVICE, claims.sub, scopes)


class Credentials:
    """What a process shows when its services call: a token for each, renewed in time."""

    def __init__(self, key: SigningKey, clock: Clock, ids: Ids) -> None:
        self._key = key
        self._monotonic_s = clock.monotonic_s
        self._signer = TokenSigner(clock, ids, audience=INTERNAL_AUDIENCE, ttl_s=TTL_S)
        self._held: dict[Identity, tuple[str, float]] = {}

    def authorization(self, identity: Identity) -> str:
        """The `authorization` of calls that this service makes now."""
        held = self._held.get(identity)
        now_s = self._monotonic_s()
        if held is None or now_s >= held[1]:
            if len(self._held) >= SERVICES_MAX:
                self._held.clear()
            token = self._signer.sign(
                self._key, subject=identity.subject, scopes=sorted(identity.scopes)
            )
            held = self._held[identity] = (f"Bearer {token}", now_s + RENEWED_S)
        return held[0]


def either(
    service: TokenVerifier, person: TokenVerifier | None
) -> Callable[[bytes | None], Identity]:
    """Authenticates services, and persons where their keys are known."""

    def authenticate(header: bytes | None) -> Identity:
        try:
            return service.authenticate(header)
        except TokenInvalid:
            if person is None:
                raise
        return person.authenticate(header)

    return authenticate
