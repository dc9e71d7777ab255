"""Signatures by the Standard Webhooks scheme, version 1: HMAC-SHA256 over id, instant and body."""

import base64
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 24
OVERLAP_MS = 24 * 3_600_000
"""How long messages carry a signature by the secret before the last rotation, too."""


def secret_of(key: bytes) -> str:
    """A key as merchants get it."""
    return PREFIX + base64.b64encode(key).decode()


def key_of(secret: str) -> bytes:
    """The key in a secret."""
    return base64.b64decode(secret.removeprefix(PREFIX))


def signature(secrets: Sequence[str], *, webhook_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, the newest first."""
    signed = f"{webhook_id}.{timestamp_s}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()
        for secret in secrets
    )
