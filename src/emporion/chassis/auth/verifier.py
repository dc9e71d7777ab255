"""From an Authorization header to an identity: once with a signature check, then from memory."""

import base64
from collections.abc import Callable
from typing import Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from emporion.chassis.auth.identity import ANONYMOUS, Identity, Kind
from emporion.chassis.auth.keys import ALGORITHM, PublicKey
from emporion.chassis.auth.tokens import AUDIENCE, ISSUER, Claims, Header
from emporion.kernel.clock import Clock
from emporion.kernel.errors import Unauthenticated, Unavailable
from emporion.kernel.ids import USER, has_prefix

SKEW_MS: Final = 30_000
HEADER_BYTES_MAX: Final = 4_096
CACHED_TOKENS_MAX: Final = 20_000
_SCHEME: Final = b"bearer "
_SEGMENTS: Final = 3
INTERNAL_SCOPE: Final = "internal"
"""The scope of our own services: no token of a person may grant it."""

PublicKeys = tuple[PublicKey, ...]
_Entry = tuple[Identity, int]
_read_header = msgspec.json.Decoder(Header).decode
_read_claims = msgspec.json.Decoder(Claims).decode


class TokenExpired(Unauthenticated):
    """The token was good once: renew it with the refresh token."""

    slug = "token-expired"
    title = "The access token has expired"


class TokenInvalid(Unauthenticated):
    """Malformed, forged, signed with a key that is gone, or meant for somebody else."""

    slug = "token-invalid"
    title = "The access token is not valid"


class TokenVerifier:
    """Verifies access tokens; synchronous, and cheap for a token it has seen.

    A token's signature is checked once. Then its identity is remembered under the whole header,
    at most CACHED_TOKENS_MAX of them in two generations: when the young one is full the old one
    is dropped, so a token in use stays and the bound holds (an LRU to within a factor of two).
    Expiry is checked on every hit. As soon as `keys` returns another tuple object, everything
    remembered is forgotten: a key taken out of the set ends its tokens at once.

    Args:
        keys: the public keys right now; must return the same tuple object until they change.
            Empty means "not known yet": tokens are then neither accepted nor called invalid.
        clock: for expiry, with SKEW_MS of tolerance between machines.
        issuer, audience: what tokens must name.
    """

    def __init__(
        self,
        keys: Callable[[], PublicKeys],
        clock: Clock,
        *,
        issuer: str = ISSUER,
        audience: str = AUDIENCE,
        cached_max: int = CACHED_TOKENS_MAX,
    ) -> None:
        self._keys = keys
        self._now_ms = clock.now_ms
        self._issuer = issuer
        self._audience = audience
        self._generation_max = max(1, cached_max // 2)
        self._young: dict[bytes, _Entry] = {}
        self._old: dict[bytes, _Entry] = {}
        self._known: PublicKeys = ()
        self._by_kid: dict[str, OKPKey] = {}

    @property
    def cached(self) -> int:
        """How many verified tokens are remembered."""
        return len(self._young) + len(self._old)

    def authenticate(self, header: bytes | None) -> Identity:
        """Who sends this Authorization header; ANONYMOUS without one.

        Raises TokenExpired; TokenInvalid for whatever else is wrong with it, without saying what;
        Unavailable while the keys are not known.
        """
        if header is None:
            return ANONYMOUS
        keys = self._keys()
        if keys is not self._known:
            self._learn(keys)
        entry = self._young.get(header)
        if entry is None:
            entry = self._old.get(header) or self._verify(header)
            self._remember(header, entry)
        if self._now_ms() >= entry[1]:
            raise TokenExpired
        return entry[0]

    def _learn(self, keys: PublicKeys) -> None:
        self._by_kid = {
            key.kid: OKPKey.import_key({"kty": "OKP", "crv": ALGORITHM, "x": key.x}) for key in keys
        }
        self._young, self._old = {}, {}
        self._known = keys

    def _remember(self, header: bytes, entry: _Entry) -> None:
        if len(self._young) >= self._generation_max:
            self._old, self._young = self._young, {}
        self._young[header] = entry

    def _verify(self, header: bytes) -> _Entry:
        if len(header) > HEADER_BYTES_MAX or header[: len(_SCHEME)].lower() != _SCHEME:
            raise TokenInvalid
        token = header[len(_SCHEME) :].strip(b" ")
        segments = token.split(b".")
        if len(segments) != _SEGMENTS:
            raise TokenInvalid
        if not self._by_kid:
            raise Unavailable("tokens cannot be verified yet")
        kid, claims = self._signed_claims(token, segments[0])
        if (
            claims.iss != self._issuer
            or claims.aud != self._audience
            or claims.iat * 1000 > self._now_ms() + SKEW_MS
        ):
            raise TokenInvalid
        return self.identity(claims, kid), claims.exp * 1000 + SKEW_MS

    def _signed_claims(self, token: bytes, header_segment: bytes) -> tuple[str, Claims]:
        """Whose key, and the claims, once both are ours. The header is read before any crypto."""
        try:
            kid = _read_header(_unpadded(header_segment)).kid
            key = self._by_kid.get(kid)
            if key is None:
                raise TokenInvalid
            return kid, _read_claims(jws.deserialize_compact(token, key, [ALGORITHM]).payload)
        except (JoseError, msgspec.MsgspecError, ValueError):
            raise TokenInvalid from None

    def identity(self, claims: Claims, kid: str) -> Identity:
        """Whom signed claims speak of. Raises TokenInvalid when they say what they must not."""
        scopes = frozenset(claims.scope.split())
        if not has_prefix(claims.sub, USER) or INTERNAL_SCOPE in scopes:
            raise TokenInvalid
        return Identity(Kind.PERSON, claims.sub, scopes)


def _unpadded(segment: bytes) -> bytes:
    """Decode base64url without padding. Raises ValueError for any other character."""
    return base64.b64decode(segment + b"=" * (-len(segment) % 4), b"-_", validate=True)
