"""Key pairs that sign access tokens, and their public halves that verify them."""

from typing import Final, Self

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM: Final = "Ed25519"
"""The only algorithm that is signed with or accepted.

RFC 9864 names it so; the older name `EdDSA` left the curve open and is deprecated there.
"""


class PublicKey(msgspec.Struct, frozen=True, gc=False):
    """What verifies a token: the key's id and the base64url point of RFC 8037."""

    kid: str
    x: str


class _StoredKey(msgspec.Struct, frozen=True, gc=False, rename={"secret": "d"}):
    crv: str
    x: str
    secret: str
    kid: str
    kty: str = "OKP"


class SigningKey:
    """An Ed25519 key pair. The private half shows neither in `repr` nor in an error.

    `kid` is the RFC 7638 thumbprint of the public half: the same key has the same name anywhere.
    """

    __slots__ = ("kid", "pair", "public")

    def __init__(self, pair: OKPKey) -> None:
        self.pair = pair
        self.kid = pair.thumbprint()
        self.public = PublicKey(self.kid, str(pair.as_dict(private=False)["x"]))

    def __repr__(self) -> str:
        """The key's name, nothing more."""
        return f"SigningKey({self.kid})"

    @classmethod
    def from_secret(cls, secret: str) -> Self:
        """The key that follows from a secret of at least 32 random bytes: same secret, same key.

        So that the randomness comes from the runtime's port. What is stored is the key, not the
        secret: another version of the derivation changes no stored key.
        """
        return cls(OKPKey.derive_key(secret, ALGORITHM))

    @classmethod
    def from_stored(cls, text: str) -> Self:
        """The key behind `stored()`. Raises ValueError, without quoting it, when it is none."""
        try:
            stored = msgspec.json.decode(text, type=_StoredKey)
            pair = OKPKey.import_key(
                {"kty": "OKP", "crv": ALGORITHM, "x": stored.x, "d": stored.secret}
            )
        except (msgspec.MsgspecError, JoseError, ValueError):
            message = "a stored signing key cannot be read"
            raise ValueError(message) from None
        return cls(pair)

    def stored(self) -> str:
        """The whole pair as a JSON Web Key, the private half in clear: for the key store only."""
        pair = self.pair.as_dict(private=True)
        return msgspec.json.encode(
            _StoredKey(crv=ALGORITHM, x=str(pair["x"]), secret=str(pair["d"]), kid=self.kid)
        ).decode()
