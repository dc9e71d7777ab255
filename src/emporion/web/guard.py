"""Who sends a form: our own page in the visitor's own browser, or somebody else's."""

import hashlib
import hmac
from typing import Final
from urllib.parse import urlsplit

from emporion.chassis.http.exchange import Exchange
from emporion.kernel.errors import PermissionDenied

FIELD: Final = "guard"
COOKIE: Final = "guard"
SECRET_BYTES: Final = 32
SECRET_CHARS_MIN: Final = 40
_OWN_SITE: Final = (b"same-origin", b"none")


class ForeignForm(PermissionDenied):
    """The form does not come from a page that this visitor was given. Nothing was done."""

    slug = "foreign-form"
    title = "This form was not sent from our page"


def proof_of(secret: str) -> str:
    """What a form must carry for the secret in the visitor's cookie (RFC 2104)."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def is_secret(text: str) -> bool:
    """Whether a cookie can be one of ours: long enough to be unguessable."""
    return len(text) >= SECRET_CHARS_MIN


def require_own_form(exchange: Exchange, *, secret: str, proof: str) -> None:
    """Refuse a form from elsewhere. Raises ForeignForm.

    The browser's own word comes first (Sec-Fetch-Site, or Origin where that is missing); the
    proof is compared in constant time, whatever the browser says.
    """
    site = exchange.headers.get(b"sec-fetch-site")
    if site is not None and site not in _OWN_SITE:
        raise ForeignForm
    origin = exchange.headers.get(b"origin")
    if origin is not None and not _is_own(origin, exchange.headers.get(b"host", b"")):
        raise ForeignForm
    if not is_secret(secret) or not hmac.compare_digest(
        proof_of(secret).encode(), proof.encode("utf-8", "replace")
    ):
        raise ForeignForm


def _is_own(origin: bytes, host: bytes) -> bool:
    netloc = urlsplit(origin.decode("latin-1")).netloc
    return bool(netloc) and netloc == host.decode("latin-1")
