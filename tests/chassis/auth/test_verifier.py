"""A header becomes an identity only if our key signed it, for us, not too long ago."""

import base64
import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from emporion.chassis.auth.identity import ANONYMOUS, Kind
from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.auth.tokens import ACCESS_TTL_S, TokenSigner
from emporion.chassis.auth.verifier import (
    HEADER_BYTES_MAX,
    PublicKeys,
    TokenExpired,
    TokenInvalid,
    TokenVerifier,
)
from emporion.chassis.testing.time import ManualClock, SeededIds
from emporion.kernel.errors import Unauthenticated, Unavailable


def _encoded(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


ADA = "usr_" + "a" * 32
KEY = SigningKey.from_secret("1" * 32)
OTHER_KEY = SigningKey.from_secret("2" * 32)


@dataclass
class Edge:
    """A verifier over a set of keys that the test can change, and a signer beside it."""

    clock: ManualClock = field(default_factory=ManualClock)
    keys: PublicKeys = (KEY.public,)
    lookups: int = 0

    def __post_init__(self) -> None:
        self.verifier = TokenVerifier(lambda: self.keys, self.clock, cached_max=8)
        self.signer = TokenSigner(self.clock, SeededIds())

    def bearer(self, key: SigningKey = KEY, subject: str = ADA) -> bytes:
        return b"Bearer " + self.signer.sign(key, subject=subject, scopes=["profile"]).encode()

    def claims(self, **changed: object) -> dict[str, object]:
        now_s = self.clock.now_ms() // 1000
        claims = {"iss": "emporion", "aud": "emporion", "sub": ADA, "scope": "profile"}
        return {**claims, "iat": now_s, "exp": now_s + 900, "jti": "tok_1", **changed}

    def forge(self, claims: dict[str, object], **header: object) -> bytes:
        protected = {"alg": "Ed25519", "kid": KEY.kid, "typ": "at+jwt", **header}
        algorithm = str(protected["alg"])
        text = jws.serialize_compact(protected, json.dumps(claims), KEY.pair, [algorithm])
        return b"Bearer " + text.encode()


@pytest.fixture
def edge() -> Edge:
    return Edge()


def test_no_header_is_an_anonymous_caller(edge: Edge) -> None:
    assert edge.verifier.authenticate(None) is ANONYMOUS


def test_a_good_token_names_a_person_and_what_they_may_do(edge: Edge) -> None:
    identity = edge.verifier.authenticate(edge.bearer())

    assert (identity.kind, identity.subject) == (Kind.PERSON, ADA)
    assert identity.scopes == frozenset({"profile"})


def test_the_scheme_is_written_in_any_case(edge: Edge) -> None:
    assert edge.verifier.authenticate(edge.bearer().replace(b"Bearer", b"bEARER")).subject == ADA


def test_a_token_seen_before_is_not_verified_again(edge: Edge) -> None:
    header = edge.bearer()

    first = edge.verifier.authenticate(header)

    assert edge.verifier.authenticate(header) is first


def test_a_remembered_token_still_expires(edge: Edge) -> None:
    header = edge.bearer()
    edge.verifier.authenticate(header)

    edge.clock.advance(ACCESS_TTL_S + 29)
    assert edge.verifier.authenticate(header).subject == ADA
    edge.clock.advance(1)
    with pytest.raises(TokenExpired) as refusal:
        edge.verifier.authenticate(header)
    assert refusal.value.slug == "token-expired"


def test_a_token_that_is_expired_at_first_sight_is_refused(edge: Edge) -> None:
    header = edge.bearer()
    edge.clock.advance(ACCESS_TTL_S + 30)

    with pytest.raises(TokenExpired):
        edge.verifier.authenticate(header)


def test_a_token_from_the_future_is_refused_beyond_the_skew(edge: Edge) -> None:
    now_s = edge.clock.now_ms() // 1000

    assert edge.verifier.authenticate(edge.forge(edge.claims(iat=now_s + 30))).subject == ADA
    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(edge.forge(edge.claims(iat=now_s + 31)))


def test_a_key_taken_out_of_the_set_ends_its_tokens_at_once(edge: Edge) -> None:
    header = edge.bearer()
    edge.verifier.authenticate(header)

    edge.keys = (OTHER_KEY.public,)

    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(header)
    assert edge.verifier.authenticate(edge.bearer(OTHER_KEY)).subject == ADA


def test_during_rotation_both_keys_are_good(edge: Edge) -> None:
    edge.keys = (OTHER_KEY.public, KEY.public)

    assert edge.verifier.authenticate(edge.bearer(KEY)).subject == ADA
    assert edge.verifier.authenticate(edge.bearer(OTHER_KEY)).subject == ADA


def test_before_the_keys_are_known_a_token_is_neither_good_nor_bad(edge: Edge) -> None:
    edge.keys = ()

    with pytest.raises(Unavailable):
        edge.verifier.authenticate(edge.bearer())


def test_the_memory_is_bounded_and_keeps_what_is_in_use(edge: Edge) -> None:
    in_use = edge.bearer()
    first = edge.verifier.authenticate(in_use)

    for number in range(50):
        edge.verifier.authenticate(edge.bearer(subject=f"usr_{number:032x}"))
        assert edge.verifier.authenticate(in_use) is first
        assert edge.verifier.cached <= 8


def test_a_forged_signature_is_refused(edge: Edge) -> None:
    signed_by_other = edge.signer.sign(OTHER_KEY, subject=ADA, scopes=["profile"])
    header, payload, signature = signed_by_other.split(".")
    ours = edge.signer.sign(KEY, subject=ADA, scopes=["profile"]).split(".")[0]

    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(f"Bearer {ours}.{payload}.{signature}".encode())
    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(f"Bearer {header}.{payload}.{signature}".encode())


def test_claims_changed_after_signing_are_refused(edge: Edge) -> None:
    header, payload, signature = edge.bearer().removeprefix(b"Bearer ").split(b".")
    claims = json.loads(base64.urlsafe_b64decode(payload + b"=="))
    raised = _encoded({**claims, "scope": "profile operations:write"})

    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(b"Bearer " + b".".join((header, raised, signature)))


@pytest.mark.parametrize("alg", ["none", "HS256", "EdDSA", "ed25519", ""])
def test_another_algorithm_is_refused_before_any_cryptography(edge: Edge, alg: str) -> None:
    header = _encoded({"alg": alg, "kid": KEY.kid, "typ": "at+jwt"})
    token = b".".join((header, _encoded(edge.claims()), b""))

    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(b"Bearer " + token)


def test_a_public_key_cannot_be_used_as_a_shared_secret(edge: Edge) -> None:
    secret = OctKey.import_key(KEY.public.x)
    header = {"alg": "HS256", "kid": KEY.kid, "typ": "at+jwt"}
    token = jws.serialize_compact(header, json.dumps(edge.claims()), secret, ["HS256"])

    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(b"Bearer " + token.encode())


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "somebody-else"},
        {"aud": "another-shop"},
        {"sub": "admin"},
        {"sub": ""},
        {"scope": "profile internal"},
        {"exp": "never"},
        {"exp": None},
        {"iat": 1.5},
        {"scope": ["profile"]},
    ],
)
def test_a_signed_token_that_says_the_wrong_thing_is_refused(
    edge: Edge, changed: dict[str, object]
) -> None:
    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(edge.forge(edge.claims(**changed)))


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"kid": "unknown"}, {"cty": "JWT"}])
def test_a_signed_token_of_another_kind_is_refused(edge: Edge, header: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(edge.forge(edge.claims(), **header))


def test_an_oversized_header_is_refused_unread(edge: Edge) -> None:
    with pytest.raises(TokenInvalid):
        edge.verifier.authenticate(edge.bearer() + b" " * HEADER_BYTES_MAX)


_SEGMENT = st.one_of(
    st.binary(max_size=40),
    st.binary(max_size=40).map(base64.urlsafe_b64encode),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
        lambda inner: st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit"]), inner),
        max_leaves=6,
    ).map(_encoded),
)


@given(scheme=st.sampled_from([b"Bearer ", b"Basic ", b""]), parts=st.lists(_SEGMENT, max_size=4))
def test_no_header_whatever_gets_through_or_breaks_anything(
    scheme: bytes, parts: list[bytes]
) -> None:
    with pytest.raises(Unauthenticated):
        Edge().verifier.authenticate(scheme + b".".join(parts))


@given(at=st.integers(0, 10_000), with_=st.integers(0, 255))
def test_no_single_changed_byte_gets_through(at: int, with_: int) -> None:
    edge = Edge()
    token = bytearray(edge.bearer())
    index = 7 + at % (len(token) - 7)
    is_same = token[index] == with_
    token[index] = with_

    try:
        identity = edge.verifier.authenticate(bytes(token))
    except TokenInvalid:
        return
    assert is_same
    assert identity.subject == ADA
