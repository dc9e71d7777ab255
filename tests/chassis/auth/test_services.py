"""Services prove who they are; nobody else can, and no service can for another."""

import msgspec
import pytest

from emporion.chassis.auth.identity import ANONYMOUS, Identity, Kind, service_identity
from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.auth.services import (
    LOOK_S,
    TTL_S,
    Credentials,
    ServiceVerifier,
    Trust,
    TrustFileUnreadable,
    either,
    trust_text,
    trusted,
)
from emporion.chassis.auth.tokens import AUDIENCE, TokenSigner
from emporion.chassis.auth.verifier import (
    SKEW_MS,
    TokenExpired,
    TokenInvalid,
    TokenVerifier,
)
from emporion.chassis.testing.time import ManualClock, SeededIds
from emporion.kernel.errors import Unauthenticated, Unavailable

ORDER_KEY = SigningKey.from_secret("order" * 8)
PAYMENT_KEY = SigningKey.from_secret("payment" * 8)
STRANGER_KEY = SigningKey.from_secret("stranger" * 8)
ORDER = service_identity("order")
PERSON = "usr_" + "0" * 32


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "trusted.json"
    path.write_text(
        trust_text([trusted(ORDER_KEY, ["order", "inventory"]), trusted(PAYMENT_KEY, ["payment"])])
    )
    return path


@pytest.fixture
def verifier(file, clock):
    return ServiceVerifier(Trust(file, clock), clock)


def shown(key: SigningKey, clock: ManualClock, identity: Identity = ORDER) -> bytes:
    return Credentials(key, clock, SeededIds()).authorization(identity).encode()


def signed(key: SigningKey, clock: ManualClock, audience: str, **said: object) -> bytes:
    signer = TokenSigner(clock, SeededIds(), audience=audience)
    subject, scopes = str(said.get("subject", "order")), said.get("scopes", ["internal"])
    assert isinstance(scopes, list)
    return b"Bearer " + signer.sign(key, subject=subject, scopes=scopes).encode()


def test_a_service_is_who_its_key_says(verifier, clock):
    assert verifier.authenticate(shown(ORDER_KEY, clock)) == ORDER
    inventory = service_identity("inventory")
    assert verifier.authenticate(shown(ORDER_KEY, clock, inventory)) == inventory


def test_a_key_cannot_sign_in_the_name_of_another_service(verifier, clock):
    with pytest.raises(TokenInvalid):
        verifier.authenticate(shown(PAYMENT_KEY, clock))


def test_a_key_that_is_not_trusted_signs_for_nobody(verifier, clock):
    with pytest.raises(TokenInvalid):
        verifier.authenticate(shown(STRANGER_KEY, clock))


def test_a_forged_signature_is_refused(verifier, clock):
    token = shown(ORDER_KEY, clock)
    head, body, signature = token.split(b".")
    forged = b"A" + signature[1:] if signature[:1] != b"A" else b"B" + signature[1:]
    with pytest.raises(TokenInvalid):
        verifier.authenticate(b".".join((head, body, forged)))


def test_a_token_meant_for_persons_is_refused(verifier, clock):
    with pytest.raises(TokenInvalid):
        verifier.authenticate(signed(ORDER_KEY, clock, AUDIENCE))


def test_a_scope_beyond_those_of_the_key_is_refused(verifier, clock):
    wide = Identity(Kind.SERVICE, "order", frozenset({"internal", "catalog:write"}))
    with pytest.raises(TokenInvalid):
        verifier.authenticate(shown(ORDER_KEY, clock, wide))


def test_a_scope_that_the_key_may_grant_is_granted(tmp_path, clock):
    path = tmp_path / "trusted.json"
    path.write_text(trust_text([trusted(ORDER_KEY, ["order"], ["internal", "catalog:write"])]))
    wide = Identity(Kind.SERVICE, "order", frozenset({"internal", "catalog:write"}))
    verifier = ServiceVerifier(Trust(path, clock), clock)
    assert verifier.authenticate(shown(ORDER_KEY, clock, wide)) == wide


def test_a_token_is_worth_minutes(verifier, clock):
    token = shown(ORDER_KEY, clock)
    clock.advance(TTL_S + SKEW_MS / 1000 - 1)
    assert verifier.authenticate(token) == ORDER
    clock.advance(2)
    with pytest.raises(TokenExpired):
        verifier.authenticate(token)


def test_a_service_renews_its_token_long_before_it_expires(verifier, clock):
    credentials = Credentials(ORDER_KEY, clock, SeededIds())
    tokens = set()
    for _ in range(60):
        token = credentials.authorization(ORDER)
        tokens.add(token)
        clock.advance(TTL_S / 10)
        assert verifier.authenticate(token.encode()) == ORDER
    assert 10 <= len(tokens) <= 13


def test_a_token_is_signed_once_and_verified_once(verifier, clock):
    credentials = Credentials(ORDER_KEY, clock, SeededIds())
    token = credentials.authorization(ORDER)
    assert credentials.authorization(ORDER) is token
    first = verifier.authenticate(token.encode())
    assert verifier.authenticate(token.encode()) is first


def test_a_key_that_is_taken_out_of_the_file_is_trusted_no_longer(file, verifier, clock):
    token = shown(ORDER_KEY, clock)
    assert verifier.authenticate(token) == ORDER

    file.write_text(trust_text([trusted(PAYMENT_KEY, ["payment"])]))
    clock.advance(LOOK_S)

    with pytest.raises(TokenInvalid):
        verifier.authenticate(token)


def test_a_key_that_is_added_is_trusted_within_a_second(file, verifier, clock):
    late = service_identity("late")
    with pytest.raises(TokenInvalid):
        verifier.authenticate(shown(STRANGER_KEY, clock, late))

    file.write_text(trust_text([trusted(STRANGER_KEY, ["late"])]))
    clock.advance(LOOK_S)

    assert verifier.authenticate(shown(STRANGER_KEY, clock, late)) == late


@pytest.mark.parametrize("text", ["", "{", '{"keys": [{"kid": "a"}]}'])
def test_a_file_that_is_broken_later_changes_nothing(file, verifier, clock, text):
    assert verifier.authenticate(shown(ORDER_KEY, clock)) == ORDER
    file.write_text(text)
    clock.advance(LOOK_S)
    assert verifier.authenticate(shown(ORDER_KEY, clock)) == ORDER
    file.unlink()
    clock.advance(LOOK_S)
    assert verifier.authenticate(shown(ORDER_KEY, clock)) == ORDER


def test_a_file_that_is_broken_from_the_start_is_said_and_nobody_is_trusted(tmp_path, clock):
    trust = Trust(tmp_path / "trusted.json", clock)
    with pytest.raises(TrustFileUnreadable):
        trust.load()
    with pytest.raises(Unavailable):
        ServiceVerifier(trust, clock).authenticate(shown(ORDER_KEY, clock))


def test_the_file_holds_no_private_key(file):
    keys = msgspec.json.decode(file.read_bytes())["keys"]
    assert [sorted(key) for key in keys] == [["crv", "kid", "kty", "scopes", "services", "x"]] * 2


def person_verifier(clock: ManualClock) -> TokenVerifier:
    keys = (STRANGER_KEY.public,)
    return TokenVerifier(lambda: keys, clock)


def test_persons_and_services_are_told_apart_by_who_signed(verifier, clock):
    authenticate = either(verifier, person_verifier(clock))
    person = signed(STRANGER_KEY, clock, AUDIENCE, subject=PERSON, scopes=["orders:read"])

    assert authenticate(None) == ANONYMOUS
    assert authenticate(shown(ORDER_KEY, clock)) == ORDER
    assert authenticate(person) == Identity(Kind.PERSON, PERSON, frozenset({"orders:read"}))
    with pytest.raises(Unauthenticated):
        either(verifier, None)(person)


def test_the_key_of_persons_cannot_make_a_service_nor_the_other_way_round(verifier, clock):
    authenticate = either(verifier, person_verifier(clock))
    for forged in (
        signed(STRANGER_KEY, clock, AUDIENCE, subject="order"),
        signed(STRANGER_KEY, clock, "emporion-internal", subject="order"),
        signed(STRANGER_KEY, clock, AUDIENCE, subject=PERSON, scopes=["internal"]),
        signed(ORDER_KEY, clock, AUDIENCE, subject=PERSON, scopes=["orders:read"]),
        signed(ORDER_KEY, clock, "emporion-internal", subject=PERSON),
    ):
        with pytest.raises(Unauthenticated):
            authenticate(forged)
