"""What every page tells the browser it may do: our own files, our own forms, nothing else."""

from typing import Final

from emporion.chassis.http.exchange import Header

_ALLOWED: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
POLICY: Final = "; ".join(f"{what} {where}" for what, where in _ALLOWED.items())
"""Files of ours only: no inline script or style has a place, not even one with a nonce."""
PICTURE_POLICY: Final = "default-src 'none'"
HEADERS: Final[tuple[Header, ...]] = (
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    (b"x-frame-options", b"DENY"),
)
HSTS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
"""For shops behind TLS."""
