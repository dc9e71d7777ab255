"""Signatures over webhooks, as Stripe writes them: `t=<seconds>,v1=<hex of HMAC-SHA-256>`."""

import hashlib
import hmac

from emporion.contracts.payment import WebhookRefused

TOLERANCE_S = 300
SIGNATURES_MAX = 10


def signature_of(body: bytes, secret: str, *, at_s: int) -> str:
    """The header that signs a body at an instant."""
    return f"t={at_s},v1={_digest(body, secret, str(at_s))}"


def require_signed(body: bytes, signature: str, secret: str, *, now_s: int) -> None:
    """Raises WebhookRefused unless one signature fits and is at most TOLERANCE_S old.

    Every comparison takes the same time, whatever is compared.
    """
    parts = [part.strip().partition("=")[::2] for part in signature.split(",")[:SIGNATURES_MAX]]
    stamps = [value for name, value in parts if name == "t"]
    at = stamps[0] if len(stamps) == 1 else ""
    if not (at.isascii() and at.isdigit() and len(at) <= 12):  # noqa: PLR2004 - digits of seconds
        raise WebhookRefused("the signature has no time")
    expected = _digest(body, secret, at)
    fits = [
        hmac.compare_digest(expected.encode(), value.encode())
        for name, value in parts
        if name == "v1"
    ]
    if not any(fits):
        raise WebhookRefused("the signature does not fit")
    if abs(now_s - int(at)) > TOLERANCE_S:
        raise WebhookRefused("the signature is too old, or this clock is wrong")


def _digest(body: bytes, secret: str, at: str) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
