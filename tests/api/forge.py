"""Makes access tokens that the shop never issued, with its own keys or with others."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws

from emporion.chassis.auth.keys import ALGORITHM, SigningKey
from emporion.chassis.auth.tokens import AUDIENCE, ISSUER, TYPE
from emporion.chassis.data.database import Tx
from tests.api.shopfront import Person, Shopfront


class Forge:
    """Signs what it is told to; `key` is the one the shop signs with."""

    def __init__(self, key: SigningKey, now_s: int, person: Person) -> None:
        self.key = key
        self.now_s = now_s
        self.person = person

    @classmethod
    async def at(cls, front: Shopfront, person: Person) -> "Forge":
        """With the key out of the shop's own database."""

        async def work(tx: Tx) -> str:
            row = await tx.fetch_one("SELECT pair FROM signing_key ORDER BY signs_from_ms")
            assert row is not None
            return str(row[0])

        pair = await front.shop.databases["user"].read(work)
        key = SigningKey.from_stored(pair)
        return cls(key, front.shop.runtime.clock.now_ms() // 1000, person)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a good token claims, with changes; None takes a claim out."""
        good = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": self.person.user_id,
            "scope": "profile orders:read orders:write",
            "iat": self.now_s,
            "exp": self.now_s + 900,
            "jti": "tok_" + "0" * 32,
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    def header(self, **changes: Any) -> dict[str, Any]:
        """What a good token's header says, with changes."""
        good = {"alg": ALGORITHM, "kid": self.key.kid, "typ": TYPE}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, *, key: SigningKey | None = None, **changes: Any) -> str:
        """A token signed properly, of changed claims."""
        payload = msgspec.json.encode(self.claims(**changes))
        return jws.serialize_compact(self.header(), payload, (key or self.key).pair, [ALGORITHM])

    def labelled(self, **changes: Any) -> str:
        """A token of good claims and a good signature over a changed header."""
        signed = b".".join([_part(self.header(**changes)), _part(self.claims())])
        private = self.key.pair.private_key
        assert isinstance(private, Ed25519PrivateKey)
        signature = private.sign(signed)
        return b".".join([signed, _coded(signature)]).decode()

    def hmac(self, secret: bytes, alg: str = "HS256") -> str:
        """A token signed by a shared secret: the public key, if the shop can be confused."""
        signed = b".".join([_part(self.header(alg=alg)), _part(self.claims())])
        signature = hmac.new(secret, signed, hashlib.sha256).digest()
        return b".".join([signed, _coded(signature)]).decode()

    def unsigned(self, alg: str) -> str:
        """A token that says it needs no signature."""
        return b".".join([_part(self.header(alg=alg)), _part(self.claims()), b""]).decode()

    def tampered(self, **changes: Any) -> str:
        """A token whose claims were changed after it was signed."""
        head, _, signature = self.token().split(".")
        return f"{head}.{_part(self.claims(**changes)).decode()}.{signature}"


def _part(members: dict[str, Any]) -> bytes:
    return _coded(msgspec.json.encode(members))


def _coded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


FOREIGN = SigningKey.from_secret("a foreign secret of at least 32 bytes")
Forgery = Callable[[Forge], str]
FORGERIES: dict[str, Forgery] = {
    "signed by nobody": lambda it: it.unsigned("none"),
    "signed by Nobody": lambda it: it.unsigned("None"),
    "our algorithm without signature": lambda it: it.unsigned(ALGORITHM),
    "HS256 with the public key": lambda it: it.hmac(it.key.public.x.encode()),
    "HS256 with the public bytes": lambda it: it.hmac(
        base64.urlsafe_b64decode(it.key.public.x + "=")
    ),
    "HMAC called ours": lambda it: it.hmac(it.key.public.x.encode(), ALGORITHM),
    "HS256 with nothing": lambda it: it.hmac(b""),
    "another key": lambda it: it.token(key=FOREIGN),
    "more scopes": lambda it: it.tampered(scope="profile orders:read catalog:write"),
    "somebody else": lambda it: it.tampered(sub="usr_" + "1" * 32),
    "a longer life": lambda it: it.tampered(exp=it.now_s + 10**6),
    "an unknown key": lambda it: it.labelled(kid="nobody"),
    "no key": lambda it: it.labelled(kid=None),
    "a file as key": lambda it: it.labelled(kid="../../dev/null"),
    "a key of its own": lambda it: it.labelled(
        jwk={"kty": "OKP", "crv": "Ed25519", "x": FOREIGN.public.x}
    ),
    "a key elsewhere": lambda it: it.labelled(jku="https://example.test/jwks.json"),
    "critical extension": lambda it: it.labelled(crit=["b64"], b64=False),
    "the old algorithm's name": lambda it: it.labelled(alg="EdDSA"),
    "another type": lambda it: it.labelled(typ="JWT"),
    "another shop's": lambda it: it.token(iss="https://example.test"),
    "meant for others": lambda it: it.token(aud="somebody"),
    "from the future": lambda it: it.token(iat=it.now_s + 3_600),
    "for ever": lambda it: it.token(exp=None),
    "about nobody": lambda it: it.token(sub=""),
    "about a service": lambda it: it.token(sub="order"),
    "an internal scope": lambda it: it.token(scope="orders:read internal"),
    "a number as subject": lambda it: it.token(sub=7),
    "a list of scopes": lambda it: it.token(scope=["orders:read"]),
    "cut short": lambda it: it.token()[:-4],
    "one part more": lambda it: it.token() + ".x",
    "one part less": lambda it: it.token().rpartition(".")[0],
    "trailing bytes": lambda it: it.token() + "==",
    "not base64": lambda it: it.token().replace(".", ".*", 1),
    "a refresh token": lambda it: it.person.refresh_token,
    "a very long one": lambda it: it.token(jti="x" * 5_000),
    "nothing": lambda _: "",
    "two tokens": lambda it: f"{it.token()} {it.token()}",
    "a comma": lambda it: f"{it.token()}, {it.token()}",
    "quotes": lambda it: f'"{it.token()}"',
}
"""None of these is a token: the shop must not say which is how wrong."""
SCHEMES: dict[str, Forgery] = {
    "no scheme": lambda it: it.token(),
    "Basic": lambda it: f"Basic {it.token()}",
    "Token": lambda it: f"Token {it.token()}",
    "Bearer:": lambda it: f"Bearer: {it.token()}",
    "Bearer without blank": lambda it: f"Bearer{it.token()}",
    "a tab": lambda it: f"Bearer\t{it.token()}",
    "garbage": lambda _: "\x01\x02\xff",
    "empty": lambda _: "",
    "only the scheme": lambda _: "Bearer",
}
"""Authorization headers that carry no token in a way we take."""
